"""The ways a REST source wants its credentials."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from connectors import exact_json
from connectors.errors import AuthenticationError, BadResponse, ConfigError, RecordError
from connectors.http import HttpSession, RefusedRequest
from connectors.providers.rest.settings import AuthSettings, RestCredentials

# A token is renewed this long before its end, so that it does not end on the way.
_EARLY_SECONDS = 60.0
_TOKEN_LIFE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What goes with every call."""

    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


class Auth(Protocol):
    """One way of proving who we are."""

    def proof(self) -> Proof:
        """:raises ConnectorError: if a token has to be fetched first and cannot"""

    def renew(self) -> bool:
        """Forget what was refused; return whether trying again makes sense."""


@dataclass(frozen=True, slots=True)
class FixedAuth:
    """The same proof every time."""

    always: Proof

    def proof(self) -> Proof:
        return self.always

    def renew(self) -> bool:
        return False


class ClientCredentialsAuth:
    """OAuth 2 client credentials (RFC 6749, 4.4): a token is fetched when needed, kept in memory only."""

    def __init__(self, *, http: HttpSession, token_url: str, basic: str, scope: str | None) -> None:
        self._http = http
        self._token_url = token_url
        self._basic = basic
        self._scope = scope
        self._token = ""
        self._ends_at = 0.0

    def proof(self) -> Proof:
        if time.monotonic() >= self._ends_at:
            self._fetch()
        return Proof(headers={"Authorization": f"Bearer {self._token}"})

    def renew(self) -> bool:
        self._ends_at = 0.0
        return True

    def _fetch(self) -> None:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        headers = {"Authorization": f"Basic {self._basic}", "Accept": "application/json"}
        try:
            answer = self._http.request("POST", self._token_url, form=form, headers=headers)
        except RefusedRequest as error:
            raise AuthenticationError(str(error)) from None
        self._token, life = _token_in(answer.body)
        self._http.keep_secret(self._token)
        self._ends_at = time.monotonic() + life - _EARLY_SECONDS


def _token_in(body: bytes) -> tuple[str, float]:
    try:
        answer = exact_json.loads(body)
        token, life = answer["access_token"], float(answer.get("expires_in") or _TOKEN_LIFE_SECONDS)
    except (RecordError, KeyError, TypeError, ValueError, AttributeError):
        raise BadResponse("rest: the answer of token_url holds no usable access_token") from None
    if not isinstance(token, str) or not token:
        raise BadResponse("rest: the answer of token_url holds no usable access_token")
    return token, life


def auth_of(settings: AuthSettings, credentials: RestCredentials, http: HttpSession) -> Auth:
    """
    Return what the settings ask for.

    :raises ConfigError: naming the credentials that are missing
    """
    given = _Given(credentials, settings.type)
    match settings.type:
        case "none":
            return FixedAuth(Proof())
        case "bearer":
            return FixedAuth(Proof(headers={"Authorization": f"Bearer {given.text('token')}"}))
        case "api_key" if settings.param:
            return FixedAuth(Proof(params={settings.param: given.text("api_key")}))
        case "api_key":
            return FixedAuth(Proof(headers={settings.header: given.text("api_key")}))
        case "basic":
            basic = basic_pair(given.text("username"), given.text("password"))
            return FixedAuth(Proof(headers={"Authorization": f"Basic {basic}"}))
        case "oauth2":
            basic = basic_pair(given.text("client_id"), given.text("client_secret"))
            token_url = given.text("token_url")
            return ClientCredentialsAuth(http=http, token_url=token_url, basic=basic, scope=settings.scope)


class _Given:
    def __init__(self, credentials: RestCredentials, auth_type: str) -> None:
        self._credentials = credentials
        self._auth_type = auth_type

    def text(self, name: str) -> str:
        text = plain(getattr(self._credentials, name))
        if not text:
            raise ConfigError(f"rest: auth type {self._auth_type} needs {name}: give it with --credentials")
        return text


def plain(value: SecretStr | str | None) -> str:
    """Return the text itself."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def basic_pair(name: str, password: str) -> str:
    """Return what stands behind "Basic" in an Authorization header (RFC 7617)."""
    return base64.b64encode(f"{name}:{password}".encode()).decode()


def secrets_in(credentials: RestCredentials) -> set[str]:
    """Return every spelling of our own that must not show in messages."""
    texts = {plain(value) for _, value in credentials if isinstance(value, SecretStr)}
    pairs = {
        basic_pair(credentials.username or "", plain(credentials.password)),
        basic_pair(credentials.client_id or "", plain(credentials.client_secret)),
    }
    return (texts | pairs) - {"", basic_pair("", "")}
