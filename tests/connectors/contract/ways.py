"""Every way into every room, with secrets made up, and how to find such a secret in whatever is shown."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from connectors import all_connectors, connect
from connectors.auth.tokens import MemoryTokens, Token
from connectors.base import Access, AuthMode, Connector
from connectors.errors import MissingScope
from sandbox.simulators import all_simulators
from tests.connectors.contract.rooms import NOWHERE, ROOMS

#: Each secret begins so, whoever's it is.
SIGN = "canary7of9secrets"
#: Escaped in URLs, and in part.
ODD = "/+%&=x"
#: A REST source may want its credentials in any of these ways; its simulator wants one.
REST_AUTH: dict[str, dict[str, Any]] = {
    "key in the query": {"type": "api_key", "param": "key"},
    "key in a header": {"type": "api_key"},
    "basic": {"type": "basic"},
    "client in the body": {"type": "oauth2", "clientAuth": "body"},
    "client in a header": {"type": "oauth2"},
    "password": {"type": "oauth2", "grant": "password", "clientAuth": "body"},
    "refresh token": {"type": "oauth2", "grant": "refresh_token"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a source is set up to come in."""

    config: Mapping[str, Any]
    credentials: Mapping[str, Any]

    def opened(self, room: str, url: str, *, token: Token | None = None) -> Connector:
        """:raises ConfigError: if the credentials are not for such a config"""
        access = Access(private_hosts=frozenset({url.removeprefix("http://")}), tokens=MemoryTokens(token))
        return connect(room, config=self.config, credentials=self.credentials, access=access)


def ways_into(room: str, url: str) -> dict[str, Way]:
    """Return each mode of the room with each config its simulator offers."""
    usual = all_simulators()[room].offer(url)
    offers = {"": usual, **usual.more}
    known: dict[str, Any] = {}
    for offer in offers.values():
        known |= {name: value for name, value in offer.credentials.items() if name != "mode"}
    found: dict[str, Way] = {}
    for label, offer in offers.items():
        for mode in all_connectors()[room].auth_modes:
            way = Way(config=offer.config, credentials=_made_up(mode, known, url))
            if way not in found.values():
                found[f"{label} {mode.mode}".strip()] = way
    return {**found, **_rest_ways(url)} if room == "rest" else found


def _rest_ways(url: str) -> dict[str, Way]:
    (mode,) = all_connectors()["rest"].auth_modes
    credentials = {
        **_made_up(mode, {}, url),
        "username": "ann",
        "clientId": "app",
        "tokenUrl": f"{url}/token",
    }
    return {
        name: Way(config={"sourceIdentifier": f"{url}/items", "auth": auth}, credentials=credentials)
        for name, auth in REST_AUTH.items()
    }


def _made_up(mode: type[AuthMode], known: Mapping[str, Any], url: str) -> dict[str, Any]:
    values: dict[str, Any] = {"mode": mode.mode}
    for name, setting in mode.model_fields.items():
        shown = setting.alias or name
        if setting.annotation in (SecretStr, SecretStr | None):
            values[shown] = f"{SIGN}-{shown}{ODD}"
        elif setting.is_required() or shown in known:
            values[shown] = known.get(shown, f"{shown}-of-ours")
    return values


HELD = Token(access=f"{SIGN}-access{ODD}", refresh=f"{SIGN}-refresh{ODD}")
WAYS = [
    (room, way) for room in sorted(set(ROOMS) & set(all_simulators())) for way in ways_into(room, NOWHERE)
]
each_way = pytest.mark.parametrize(("name", "way"), WAYS, ids=[f"{a}-{b}" for a, b in WAYS])


def has_secret(text: str) -> bool:
    """Tell whether a secret, or a good part of one, stands in the text, in base64 too."""
    return any(spelling in text for spelling in _SPELLINGS)


def _in_base64() -> Iterator[str]:
    """Yield what is the same in base64 whatever stands before and after it."""
    for before in range(3):
        yield base64.b64encode(b"." * before + SIGN.encode()).decode()[4:-4]


_SPELLINGS = (SIGN, *_in_base64())


def shown_by(error: BaseException) -> str:
    """Return all that an error, and those it came from, would show to a log or a person."""
    shown = traceback.format_exception(error)
    held: BaseException | None = error
    while held is not None:
        shown += [str(held), repr(held), repr(held.args)]
        if isinstance(held, MissingScope):
            shown += [*held.needed, *held.granted]
        held = held.__cause__ or held.__context__
    return "\n".join(shown)
