"""
How the shop is shown who asks.

Quirks, as of 2026-11-22:
- Expiring offline tokens live an hour; each use of a refresh token gives a new one, and the one before stays
  good until that is first used (shopify.dev/changelog, 2025-12-10 and 2026-08-28). They must be asked for
  with `expiring=1`, and a refresh token lives 90 days: unconfirmed.
- Client credentials live 24 hours, without a refresh token (nozzlegear/ShopifySharp, release 6.30.0).
- A scope to write holds the one to read, and only the former is named.
- The callback is signed: hex HMAC-SHA256 by the client secret over the other parameters, sorted: unconfirmed.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.auth.endpoint import Form, TokenEndpoint, usual_token
from connectors.auth.grants import AuthorizationCode, ClientCredentials, RefreshTokenGrant
from connectors.auth.schemes import ApiKey, Authorizer, Grant, OAuthToken
from connectors.auth.tokens import MemoryTokens, Token
from connectors.base import Access, AuthMode
from connectors.errors import AuthenticationError
from connectors.http import HttpSession, token_session
from connectors.providers.shopify.settings import AccessToken, ClientCredentialsApp, OAuthApp, ShopifyConfig

HEADER = "X-Shopify-Access-Token"


class ShopTokens:
    """The way in of one source; `http` is there where a token endpoint is."""

    def __init__(
        self, *, config: ShopifyConfig, credentials: AuthMode, access: Access, connector: str
    ) -> None:
        self._config = config
        self._credentials = credentials
        self._http: HttpSession | None = None
        if isinstance(credentials, OAuthApp | ClientCredentialsApp):
            secret = credentials.client_secret.get_secret_value()
            self._http = token_session(connector=connector, access=access, secrets=(secret,))
        self._access = access
        self._connector = connector
        self.auth: Authorizer = self._authorizer()

    def close(self) -> None:
        if self._http is not None:
            self._http.close()

    def authorization(self, scopes: Collection[str]) -> AuthorizationCode | None:
        """Return how a merchant lets the app in."""
        if not isinstance(self._credentials, OAuthApp):
            return None
        asked = dict.fromkeys([*sorted(scopes), *self._config.extra_scopes])
        return AuthorizationCode(
            endpoint=self._endpoint(self._credentials, fields={"expiring": "1"}),
            authorize_url=f"{self._config.base}/admin/oauth/authorize",
            scopes=tuple(asked),
            scope_separator=",",
            has_pkce=False,
            check=self._checked,
        )

    def _authorizer(self) -> Authorizer:
        if isinstance(self._credentials, AccessToken):
            return ApiKey(name=HEADER, value=self._credentials.access_token.get_secret_value())
        store = self._access.tokens or MemoryTokens()
        return OAuthToken(store=store, grant=self._grant(), now=self._access.clock, header=HEADER, prefix="")

    def _grant(self) -> Grant:
        app = self._credentials
        if isinstance(app, OAuthApp):
            given = app.refresh_token.get_secret_value() if app.refresh_token else ""
            return RefreshTokenGrant(endpoint=self._endpoint(app), refresh_token=given)
        assert isinstance(app, ClientCredentialsApp)  # noqa: S101 - for the type checker
        return ClientCredentials(endpoint=self._endpoint(app))

    def _endpoint(
        self, app: OAuthApp | ClientCredentialsApp, fields: Mapping[str, str] | None = None
    ) -> TokenEndpoint:
        assert self._http is not None  # noqa: S101 - for the type checker
        return TokenEndpoint(
            connector=self._connector,
            http=self._http,
            url=f"{self._config.base}/admin/oauth/access_token",
            now=self._access.clock,
            client_id=app.client_id,
            client_secret=app.client_secret.get_secret_value(),
            fields=fields or {},
            read=_read_token,
        )

    def _checked(self, answer: Form) -> Form:
        """:raises AuthenticationError: if it was not the shop that sent the person back"""
        assert isinstance(self._credentials, OAuthApp)  # noqa: S101 - for the type checker
        secret = self._credentials.client_secret.get_secret_value()
        if not hmac.compare_digest(answer.get("hmac", "").encode(), signature(answer, secret).encode()):
            raise AuthenticationError(
                "shopify: the answer is not signed with this app's client secret: check the secret, then "
                "connect again"
            )
        if answer.get("shop") != self._config.shop:
            raise AuthenticationError(
                f"shopify: the answer is from another shop than {self._config.shop}: connect again there"
            )
        return {}


def signature(answer: Form, secret: str) -> str:
    """Return how the shop signs what it sends a person back with."""
    signed = "&".join(f"{name}={answer[name]}" for name in sorted(answer) if name != "hmac")
    return hmac.new(secret.encode(), signed.encode(), "sha256").hexdigest()


def _read_token(answer: Mapping[str, Any], received_at: datetime) -> Token:
    token = usual_token(answer, received_at)
    readable = (f"read_{scope.removeprefix('write_')}" for scope in token.scopes if scope[:6] == "write_")
    return replace(token, scopes=tuple(dict.fromkeys([*token.scopes, *readable])))
