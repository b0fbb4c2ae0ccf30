"""The ways a REST source wants its credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from pydantic import SecretStr

from connectors.auth.endpoint import TokenEndpoint
from connectors.auth.grants import (
    AuthorizationCode,
    ClientCredentials,
    PasswordGrant,
    RefreshTokenGrant,
)
from connectors.auth.schemes import (
    ApiKey,
    Authorizer,
    BasicAuth,
    BearerToken,
    Grant,
    NoAuth,
    OAuthToken,
    basic_pair,
)
from connectors.auth.tokens import MemoryTokens
from connectors.base import Access
from connectors.errors import ConfigError
from connectors.http import HttpSession, token_session
from connectors.providers.rest.settings import KEY_NAME, AuthSettings, RestCredentials


class Ways:
    """What goes with the calls of each stream, and the one OAuth token there may be."""

    def __init__(self, wanted: Iterable[AuthSettings], credentials: RestCredentials, access: Access) -> None:
        """:raises ConfigError: naming the credentials that are missing"""
        settings = list(dict.fromkeys(wanted))
        oauth = [one for one in settings if one.type == "oauth2"]
        if len(oauth) > 1:
            raise ConfigError(
                "rest: a source has one OAuth token: give all streams the same auth of type oauth2"
            )
        self._http = token_session(connector="rest", access=access, secrets=secrets_in(credentials))
        self.by_settings = {one: _fixed(one, credentials) for one in settings if one.type != "oauth2"}
        self.grant: Grant | None = None
        for one in oauth:
            self.grant = _grant(one, credentials, http=self._http, now=access.clock)
            store = access.tokens or MemoryTokens()
            self.by_settings[one] = OAuthToken(store=store, grant=self.grant, now=access.clock)

    def close(self) -> None:
        self._http.close()

    def to_keep(self, cursor: str | None, settings: AuthSettings) -> str | None:
        """Return a cursor without the key that the source put into the path of its link."""
        auth = self.by_settings[settings]
        return auth.without_key(cursor) if cursor and isinstance(auth, ApiKey) else cursor


def _fixed(settings: AuthSettings, credentials: RestCredentials) -> Authorizer:
    given = _Given(credentials, settings.type)
    match settings.type:
        case "bearer":
            return BearerToken(given.text("token"))
        case "api_key" if settings.path:
            return ApiKey(name=KEY_NAME, value=given.text("api_key"), place="path")
        case "api_key" if settings.param:
            return ApiKey(name=settings.param, value=given.text("api_key"), place="query")
        case "api_key":
            return ApiKey(name=settings.header, value=given.text("api_key"))
        case "basic":
            return BasicAuth(username=given.text("username"), password=given.text("password"))
        case _:
            return NoAuth()


def _grant(
    settings: AuthSettings, credentials: RestCredentials, *, http: HttpSession, now: Callable[[], datetime]
) -> Grant:
    given = _Given(credentials, settings.type)
    endpoint = _endpoint(settings, given, http=http, now=now)
    scope = settings.scope or ""
    match settings.grant:
        case "client_credentials":
            return ClientCredentials(endpoint=endpoint, scope=scope)
        case "refresh_token":
            return RefreshTokenGrant(endpoint=endpoint, refresh_token=given.text("refresh_token"))
        case "password":
            username, password = given.text("username"), given.text("password")
            return PasswordGrant(endpoint=endpoint, username=username, password=password, scope=scope)
        case "authorization_code":
            return AuthorizationCode(
                endpoint=endpoint,
                authorize_url=settings.authorize_url or "",
                scopes=tuple(scope.split()),
                has_pkce=settings.pkce,
            )


def _endpoint(
    settings: AuthSettings, given: _Given, *, http: HttpSession, now: Callable[[], datetime]
) -> TokenEndpoint:
    # Some let users in by their password alone.
    client_id = given.text("client_id", is_needed=settings.grant != "password")
    client_auth = settings.client_auth if client_id else "none"
    return TokenEndpoint(
        connector="rest",
        http=http,
        url=given.text("token_url"),
        now=now,
        client_id=client_id,
        client_secret=given.text("client_secret", is_needed=client_auth != "none"),
        client_auth=client_auth,
    )


class _Given:
    def __init__(self, credentials: RestCredentials, auth_type: str) -> None:
        self._credentials = credentials
        self._auth_type = auth_type

    def text(self, name: str, *, is_needed: bool = True) -> str:
        text = plain(getattr(self._credentials, name))
        if not text and is_needed:
            raise ConfigError(f"rest: auth type {self._auth_type} needs {name}: give it with --credentials")
        return text


def plain(value: SecretStr | str | None) -> str:
    """Return the text itself."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def secrets_in(credentials: RestCredentials) -> set[str]:
    """Return every spelling of our own that must not show in messages."""
    texts = {plain(value) for _, value in credentials if isinstance(value, SecretStr)}
    pairs = {
        basic_pair(credentials.username or "", plain(credentials.password)),
        basic_pair(credentials.client_id or "", plain(credentials.client_secret)),
    }
    return (texts | pairs) - {"", basic_pair("", "")}
