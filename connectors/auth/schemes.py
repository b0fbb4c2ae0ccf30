"""The ways a provider wants to be shown who asks: key, basic, bearer, OAuth token."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from urllib.parse import quote

from connectors.auth.tokens import Token, TokenStore

_NONE: Mapping[str, str] = {}


class Authorizer(Protocol):
    """What goes with every call. `headers` and `params` are asked before each of them."""

    @property
    def secrets(self) -> Collection[str]:
        """What must not show in any message; it may grow."""

    def headers(self) -> Mapping[str, str]:
        """:raises ConnectorError: if a token has to be fetched first and cannot"""

    def params(self) -> Mapping[str, str]:
        """:raises ConnectorError: if a token has to be fetched first and cannot"""

    def address(self, url: str) -> str:
        """Return the address to call, with what has to stand in its path."""

    def renew(self) -> bool:
        """
        Return whether there is something new to try once more with, after what was shown was refused.

        :raises ConnectorError: if a token has to be fetched first and cannot
        """


@dataclass(frozen=True, slots=True)
class NoAuth:
    """For providers that ask nobody who they are."""

    secrets: Collection[str] = ()

    def headers(self) -> Mapping[str, str]:
        return _NONE

    def params(self) -> Mapping[str, str]:
        return _NONE

    def address(self, url: str) -> str:
        return url

    def renew(self) -> bool:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key in a header of its own, in the query, or in the path, where the address says {name}."""

    name: str
    value: str = field(repr=False)
    place: Literal["header", "query", "path"] = "header"
    prefix: str = ""

    @property
    def secrets(self) -> Collection[str]:
        return (self.value,)

    def headers(self) -> Mapping[str, str]:
        return {self.name: self.prefix + self.value} if self.place == "header" else _NONE

    def params(self) -> Mapping[str, str]:
        return {self.name: self.prefix + self.value} if self.place == "query" else _NONE

    def address(self, url: str) -> str:
        return url.replace(self._gap, self._in_path) if self.place == "path" else url

    def without_key(self, url: str) -> str:
        """Return an address of the provider's as it may be kept: a key in its path taken out again."""
        return url.replace(self._in_path, self._gap) if self.place == "path" else url

    @property
    def _gap(self) -> str:
        return f"{{{self.name}}}"

    @property
    def _in_path(self) -> str:
        return quote(self.prefix + self.value, safe="")

    def renew(self) -> bool:
        return False


class BearerToken(ApiKey):
    """A token that does not change, sent as RFC 6750 says."""

    __slots__ = ()

    def __init__(self, token: str) -> None:
        super().__init__(name="Authorization", value=token, prefix="Bearer ")


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """User name and password (RFC 7617)."""

    username: str
    password: str = field(repr=False)

    @property
    def secrets(self) -> Collection[str]:
        return tuple(secret for secret in (self.password, self._pair) if secret)

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Basic {self._pair}"}

    def params(self) -> Mapping[str, str]:
        return _NONE

    def address(self, url: str) -> str:
        return url

    def renew(self) -> bool:
        return False

    @property
    def _pair(self) -> str:
        return basic_pair(self.username, self.password)


def basic_pair(name: str, password: str) -> str:
    """Return what stands behind "Basic" in an Authorization header."""
    return base64.b64encode(f"{name}:{password}".encode()).decode()


class Grant(Protocol):
    """A way to get tokens."""

    def mint(self, held: Token | None, /) -> Token:
        """
        Return a new token; the one held may carry what is needed for that.

        :raises NeedsReconnect: if a person has to do something first
        :raises ConnectorError: if it cannot be had otherwise
        """


class OAuthToken:
    """A token that ends: renewed shortly before, or when it is refused, by one for all."""

    def __init__(
        self,
        *,
        store: TokenStore,
        grant: Grant,
        now: Callable[[], datetime],
        header: str = "Authorization",
        prefix: str = "Bearer ",
    ) -> None:
        self._store = store
        self._grant = grant
        self._now = now
        self._header = header
        self._prefix = prefix
        self._token: Token | None = None
        self._secrets: set[str] = set()

    @property
    def secrets(self) -> Collection[str]:
        return self._secrets

    def headers(self) -> Mapping[str, str]:
        return {self._header: self._prefix + self.token().access}

    def params(self) -> Mapping[str, str]:
        return _NONE

    def address(self, url: str) -> str:
        return url

    def renew(self) -> bool:
        self._take(self._store.renew(self._token, self._grant.mint))
        return True

    def token(self) -> Token:
        """
        Return a token that is good for a while.

        :raises ConnectorError: if it has to be fetched first and cannot
        """
        token = self._token or self._store.held()
        if token is None or token.ends_soon(self._now()):
            token = self._store.renew(token, self._grant.mint)
        return self._take(token)

    def stored_shown(self) -> str:
        """Return how the token that is kept stands, for people."""
        token = self._store.held()
        if token is None:
            return "none yet"
        if token.expires_at is None:
            return "one without an end"
        minutes = round((token.expires_at - self._now()).total_seconds() / 60)
        if minutes < 0:
            return f"stale: it ended {-minutes} min ago, at {token.expires_at:%Y-%m-%d %H:%M} UTC"
        return f"good until {token.expires_at:%Y-%m-%d %H:%M} UTC, by what the provider said"

    def fresh_shown(self) -> str:
        """
        Have a token minted just now, whatever is held, and return what it is good for.

        :raises ConnectorError: if it cannot be had
        """
        token = self._take(self._store.renew(self._store.held(), self._grant.mint))
        ends = f"until {token.expires_at:%Y-%m-%d %H:%M} UTC" if token.expires_at else "without an end"
        return f"minted, good {ends}; scopes: {', '.join(token.scopes) or 'none named'}"

    def _take(self, token: Token) -> Token:
        self._token = token
        self._secrets.update(secret for secret in (token.access, token.refresh) if secret)
        return token
