"""Talk to the strict world, also about what it saw."""

from __future__ import annotations

from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

from sandbox import SandboxClient
from tests.chaos.strict_tokens import Use

#: It may be frozen just then.
TIMEOUT_SECONDS = 30.0


class Seen(msgspec.Struct, kw_only=True):
    """What the strict world saw of us."""

    #: By provider, each time a refresh token was shown.
    uses: dict[str, list[Use]]
    #: When a call was one too many, lies apart.
    refused: list[float]
    #: How many rows each report had.
    rows: dict[str, int]
    #: Files that were asked for with the key of the API.
    betrayed: int


class StrictClient(SandboxClient):
    """Every method raises OSError where the strict world does not answer."""

    def seen(self) -> Seen:
        return msgspec.convert(self._watch("all"), Seen)

    def consent(self, provider: str) -> str:
        """Return the refresh token a person brings from the provider's page."""
        return str(self._watch("consent", {"provider": provider}))

    def is_revoked(self, provider: str, refresh_token: str) -> bool:
        """Tell whether what came of a consent is good for nothing any more."""
        return bool(self._watch("revoked", {"provider": provider, "refresh_token": refresh_token}))

    def rest(self) -> None:
        """Lose no answer and let no report fail from now on."""
        self._watch("rest", {})

    def _watch(self, what: str, order: Any = None) -> Any:
        data = None if order is None else msgspec.json.encode(order)
        request = Request(f"{self.url}/watch/{what}", data=data)
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_SECONDS) as answer:
            return msgspec.json.decode(answer.read())
