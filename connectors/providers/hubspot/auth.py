"""Who asks HubSpot: a token that was given, or one that is renewed every half hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.auth.endpoint import TokenEndpoint, usual_token
from connectors.auth.grants import AuthorizationCode, RefreshTokenGrant
from connectors.auth.schemes import Authorizer, BearerToken, Grant, OAuthToken
from connectors.auth.tokens import MemoryTokens, Token
from connectors.base import Access
from connectors.errors import AuthenticationError, NeedsReconnect
from connectors.http import HttpSession, token_session
from connectors.providers.hubspot.settings import HubSpotConfig, OAuthApp, PrivateApp

NAME = "hubspot"
#: What the token endpoint says of a refresh token that is no good any more; RFC 6749 has invalid_grant.
_USELESS = b"BAD_REFRESH_TOKEN"


class Way:
    """The way in that the credentials are for."""

    def __init__(self, config: HubSpotConfig, credentials: PrivateApp | OAuthApp, access: Access) -> None:
        self.page: AuthorizationCode | None = None
        self._tokens: HttpSession | None = None
        self.authorizer: Authorizer
        if isinstance(credentials, PrivateApp):
            self.authorizer = BearerToken(credentials.access_token.get_secret_value())
            return
        secret = credentials.client_secret.get_secret_value()
        self._tokens = token_session(connector=NAME, access=access, secrets=(secret,))
        endpoint = TokenEndpoint(
            connector=NAME,
            http=self._tokens,
            url=config.token_url,
            now=access.clock,
            client_id=credentials.client_id,
            client_secret=secret,
            keeps=("hub_id",),
            read=_Reader(config.scopes),
        )
        # HubSpot takes no code_challenge from apps such as these.
        self.page = AuthorizationCode(
            endpoint=endpoint, authorize_url=config.authorize_url, scopes=config.scopes, has_pkce=False
        )
        held = credentials.refresh_token
        given = RefreshTokenGrant(
            endpoint=endpoint, refresh_token=held.get_secret_value() if held is not None else ""
        )
        store = access.tokens or MemoryTokens()
        self.authorizer = OAuthToken(store=store, grant=HubSpotGrant(given), now=access.clock)

    def close(self) -> None:
        if self._tokens is not None:
            self._tokens.close()


class HubSpotGrant:
    """A grant whose refusals are in HubSpot's words."""

    def __init__(self, inner: Grant) -> None:
        self._inner = inner

    def mint(self, held: Token | None, /) -> Token:
        """:raises NeedsReconnect: if the refresh token is unknown or was taken back"""
        try:
            return self._inner.mint(held)
        except NeedsReconnect:
            raise
        except AuthenticationError as error:
            if _USELESS not in error.body:
                raise
            raise NeedsReconnect(
                f"{error}. The app was removed from the account, or the refresh token is not of this app: "
                "connect the account again, or give new credentials.",
                body=error.body,
            ) from None


class _Reader:
    """Reads an answer of the token endpoint."""

    def __init__(self, scopes: tuple[str, ...]) -> None:
        self._asked = scopes

    def __call__(self, answer: Mapping[str, Any], received_at: datetime) -> Token:
        token = usual_token(answer, received_at)
        # The v1 endpoint names none, and then grants what was asked for (RFC 6749, 5.1).
        return replace(token, scopes=token.scopes or self._asked)
