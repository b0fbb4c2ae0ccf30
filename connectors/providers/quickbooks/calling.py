"""
Calls: who asks Intuit, for which company, how often, and what a refusal means.

Quirks, as of 2026-11-22:
- Answers are XML unless JSON is asked for. minorversion 75 is the lowest served since 2025-08-01
  (ej2/python-quickbooks client.py).
- 500 calls a minute and 10 a second per company; 429 without Retry-After means a minute
  (developer.intuit.com, limits and throttles).
- An access token lasts an hour. A refresh token stays the same for about a day; once a new one is returned
  the old one ends, so the latest is kept always. 100 days without use end it, and five years at most
  (help.developer.intuit.com, Validity of Refresh Token; intuit/QuickBooks-V3-PHP-SDK issue 324; intuit/
  QuickBooks-V3-Java-SDK release 6.5.4).
- Token answers name no scope [M]: the page where a person lets us in grants what was asked for, or nothing.
- The company's id (realmId) comes with the person who is sent back, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.auth.endpoint import Form, TokenEndpoint, usual_token
from connectors.auth.grants import AuthorizationCode, RefreshTokenGrant
from connectors.auth.schemes import OAuthToken
from connectors.auth.tokens import MemoryTokens, Token
from connectors.base import Access
from connectors.budgets import BudgetPolicy
from connectors.errors import (
    AuthenticationError,
    ConfigError,
    ConnectorError,
    NeedsReconnect,
    RateLimited,
    RefusedRequest,
)
from connectors.http import TOKEN_TIMEOUTS, Answer, HttpSession
from connectors.providers.quickbooks import faults
from connectors.providers.quickbooks.settings import (
    REALM,
    SCOPE,
    ConnectedApp,
    QuickBooksConfig,
    RefreshToken,
)

NAME = "quickbooks"
HARD_END = "x-include-refresh-token-hard-expires-in"
KEPT = ("x_refresh_token_expires_in", "x_refresh_token_hard_expires_in")


class Calls:
    """The way to one company's data."""

    def __init__(self, *, config: QuickBooksConfig, credentials: ConnectedApp, access: Access) -> None:
        self._config = config
        secret = credentials.client_secret.get_secret_value()
        given = credentials.refresh_token.get_secret_value() if isinstance(credentials, RefreshToken) else ""
        # As token_session does it, with a header of Intuit's own.
        self._token_http = HttpSession(
            connector=NAME,
            access=replace(access, on_progress=None),
            headers={HARD_END: "true"},
            secrets=tuple(one for one in (secret, given) if one),
            timeout=TOKEN_TIMEOUTS,
        )
        self._endpoint = TokenEndpoint(
            connector=NAME,
            http=self._token_http,
            url=config.token_url,
            now=access.clock,
            client_id=credentials.client_id,
            client_secret=secret,
            client_auth="basic",
            keeps=KEPT,
            read=_token,
        )
        self.auth = OAuthToken(
            store=access.tokens or MemoryTokens(),
            grant=RefreshTokenGrant(endpoint=self._endpoint, refresh_token=given),
            now=access.clock,
        )
        policy = BudgetPolicy(name="api", rate=config.requests_per_second, burst=config.burst)
        self._budget = access.budget(policy) if access.budget else None
        self._http = HttpSession(
            connector=NAME,
            access=access,
            headers={"Accept": "application/json"},
            auth=self.auth,
            budget=self._budget,
        )

    def authorization(self) -> AuthorizationCode:
        """Return how a person lets us into a company."""
        return AuthorizationCode(
            endpoint=self._endpoint,
            authorize_url=self._config.authorize_url,
            scopes=(SCOPE,),
            has_pkce=False,
            check=self._company_of,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._token_http.close()

    def ask(self, operation: str, **params: Any) -> Answer:
        """
        Return an answer without a fault.

        :raises ConnectorError: as the session does, or as the fault is named
        """
        params["minorversion"] = self._config.minor_version
        url = f"{self._config.api_url}/v3/company/{self._company()}/{operation}"
        answer, fault = self._answered(url, params)
        if fault is not None and fault.is_about_credentials and self.auth.renew():
            answer, fault = self._answered(url, params)
            if fault is not None and fault.is_about_credentials:
                raise NeedsReconnect(f"{self._told(fault, answer.status, answer.body)}", body=answer.body)
        if fault is not None:
            raise self._slowed(self._told(fault, answer.status, answer.body))
        return answer

    def _answered(self, url: str, params: Mapping[str, Any]) -> tuple[Answer, faults.Fault | None]:
        try:
            answer = self._http.request("GET", url, params=params)
        except RefusedRequest as refusal:
            fault = faults.fault_in(refusal.body)
            if fault is None:
                raise
            raise self._slowed(self._told(fault, refusal.status, refusal.body)) from None
        except RateLimited as limited:
            raise self._slowed(limited) from None
        return answer, faults.fault_in(answer.body)

    def _slowed(self, error: ConnectorError) -> ConnectorError:
        """Return the error with how long to wait, where it is one call too many and nobody said."""
        if isinstance(error, RateLimited) and error.retry_after is None:
            error.retry_after = self._config.slow_down_seconds
            if self._budget:
                self._budget.observe(available=0.0, reset_after=error.retry_after)
        return error

    def _told(self, fault: faults.Fault, status: int, body: bytes) -> ConnectorError:
        """Return the error a fault is, without our secrets: Intuit repeats a token that it does not like."""
        error = faults.named(fault, status=status, body=body)
        error.args = (f"{NAME}: {error}",)
        return self._http.without_secrets(error)

    def _company(self) -> str:
        """:raises ConfigError: if nobody said which"""
        if self._config.realm_id:
            return str(self._config.realm_id)
        found = self.auth.token().extra.get("realm_id", "")
        if not found:
            raise ConfigError(
                "quickbooks: which company is not known: give realm_id in the settings, or press Connect on "
                "the source's page in the admin"
            )
        return found

    def _company_of(self, answer: Form) -> Form:
        realm, wanted = answer.get("realmId", ""), self._config.realm_id
        if not REALM.fullmatch(realm):
            raise AuthenticationError("quickbooks: Intuit sent no company id (realmId) back: connect again")
        if wanted and realm != wanted:
            raise AuthenticationError(
                f"quickbooks: company {realm} was chosen, but this source is for {wanted}: connect again and "
                "choose that one, or change realm_id"
            )
        return {"realm_id": realm}


def _token(answer: Mapping[str, Any], received_at: datetime) -> Token:
    token = usual_token(answer, received_at)
    return token if token.scopes else replace(token, scopes=(SCOPE,))
