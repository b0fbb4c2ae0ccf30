"""Access tokens, and the store that sees to it that each is renewed once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from connectors.errors import NeedsReconnect

# A token is renewed this long before its end, so that it does not end on the way.
EARLY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a provider gave us to show with each call, and what to get the next one with."""

    access: str = field(repr=False)
    #: By our clock: when it was received plus the seconds it was promised to last. None: nobody said.
    expires_at: datetime | None = None
    received_at: datetime | None = None
    refresh: str = field(default="", repr=False)
    #: What it may be used for, as far as the provider says.
    scopes: tuple[str, ...] = ()
    #: What else came with it and is needed: realm id, instance URL.
    extra: Mapping[str, str] = field(default_factory=dict)

    def ends_soon(self, now: datetime) -> bool:
        """Tell whether it should be renewed before it is used again."""
        if self.expires_at is None:
            return False
        life = self.expires_at - self.received_at if self.received_at else 2 * EARLY
        # One that lives a minute would else be renewed before every call.
        return self.expires_at - now <= min(EARLY, life / 2)

    def is_newer_than(self, stale: Token | None) -> bool:
        """Tell whether somebody has renewed since `stale` was read; the text may be the same again."""
        return stale is None or (self.access, self.received_at) != (stale.access, stale.received_at)

    def stored(self) -> dict[str, Any]:
        """Return it as JSON, secrets included."""
        return {
            "access": self.access,
            "expires_at": _text(self.expires_at),
            "received_at": _text(self.received_at),
            "refresh": self.refresh,
            "scopes": list(self.scopes),
            "extra": dict(self.extra),
        }


def token_from(stored: Mapping[str, Any]) -> Token:
    """Return what `Token.stored` wrote down."""
    return Token(
        access=stored["access"],
        expires_at=_moment(stored["expires_at"]),
        received_at=_moment(stored["received_at"]),
        refresh=stored["refresh"],
        scopes=tuple(stored["scopes"]),
        extra=stored["extra"],
    )


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


Mint = Callable[[Token | None], Token]


class TokenStore(Protocol):
    """Where a source's token is kept for all that work for it at once."""

    def held(self) -> Token | None:
        """Return the token there is, good or not."""

    def renew(self, stale: Token | None, mint: Mint) -> Token:
        """
        Return a token other than `stale`, alone among all that ask at once.

        Under the store's lock: if another has renewed since, return that one; else keep what `mint` makes of
        the token held, before it is used by anyone.

        :raises NeedsReconnect: if a person must connect the account again
        :raises ConnectorError: if minting failed otherwise
        """


class MemoryTokens:
    """Keeps the token for one process, where there is no better place."""

    def __init__(self, token: Token | None = None) -> None:
        self._token = token
        self._lock = threading.Lock()
        self._refused: NeedsReconnect | None = None

    def held(self) -> Token | None:
        return self._token

    def renew(self, stale: Token | None, mint: Mint) -> Token:
        with self._lock:
            if self._token is not None and self._token.is_newer_than(stale):
                return self._token
            if self._refused is not None:
                raise NeedsReconnect(str(self._refused))
            try:
                self._token = mint(self._token)
            except NeedsReconnect as refused:
                self._refused = refused
                raise
            return self._token
