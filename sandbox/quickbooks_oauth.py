"""
Intuit's authorization server: Basic clients, hourly tokens, refresh tokens that change once a day.

Confirmed: Basic authentication of the client, 3600 s, a refresh token that stays the same for about a day and
ends once its successor was given, `invalid_grant` with "Incorrect or invalid refresh token", realmId on the
way back, x-include-refresh-token-hard-expires-in.
Unconfirmed [M]: token answers name no scope; 101 days at most are left after a refresh (8726400 s).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.messages import BadRequest, Request
from sandbox.oauth import OAuthServer
from sandbox.oauth_rules import Client, Consent, Rules

SCOPE = "com.intuit.quickbooks.accounting"
CLIENT_ID, CLIENT_SECRET = "ABsandboxclient", "sandbox-client-secret"
FIRST_REFRESH = "AB11-sandbox-refresh-token"
REDIRECT_URIS = (
    "https://developer.intuit.com/v2/OAuth2Playground/RedirectUrl",
    "http://localhost:8000/admin/ingest/source/connected/",
    "http://127.0.0.1:8000/admin/ingest/source/connected/",
)
ROTATION_SECONDS = 86_400.0
REFRESH_SECONDS, HARD_SECONDS = 8_726_400, 157_680_000


class IntuitOAuth(OAuthServer):
    """One app, one company, one consent given before we came."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        realm: str,
        access_seconds: float = 3_600.0,
        rotation_seconds: float = ROTATION_SECONDS,
    ) -> None:
        client = Client(
            client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uris=REDIRECT_URIS, scopes=(SCOPE,)
        )
        rules = Rules(
            grants=frozenset({"authorization_code", "refresh_token"}),
            access_seconds=access_seconds,
            refresh_seconds=REFRESH_SECONDS,
            client_auth="basic",
            prefixes=("eyJ", "AB11"),
            answer={"x_refresh_token_expires_in": REFRESH_SECONDS},
            callback={"realmId": realm},
        )
        super().__init__(client, clock=clock, rules=rules)
        self._rotation_seconds = rotation_seconds
        self._given_at: dict[str, float] = {FIRST_REFRESH: clock()}
        consent = Consent(client_id=CLIENT_ID, scopes=(SCOPE,), refreshes=[FIRST_REFRESH])
        self._refresh[FIRST_REFRESH] = (consent, clock() + REFRESH_SECONDS)

    def _granted(self, request: Request, form: Mapping[str, str]) -> dict[str, object]:
        body = super()._granted(request, form)
        body.pop("scope", None)
        if request.headers.get("x-include-refresh-token-hard-expires-in") == "true":
            body["x_refresh_token_hard_expires_in"] = HARD_SECONDS
        return body

    def _refreshed(self, form: Mapping[str, str], client: Client) -> dict[str, object]:
        token, now = form.get("refresh_token", ""), self._clock()
        consent, ends_at = self._refresh.get(token, (None, 0.0))
        is_good = consent is not None and consent.refreshes[-1] == token and ends_at > now
        if consent is None or not is_good or consent.is_revoked or consent.client_id != client.client_id:
            said = {"error": "invalid_grant", "error_description": "Incorrect or invalid refresh token"}
            raise BadRequest(said)
        if now - self._given_at.setdefault(token, now) >= self._rotation_seconds:
            return self._minted(consent, with_refresh=True)
        # Used, it is good for a hundred days again.
        self._refresh[token] = (consent, now + REFRESH_SECONDS)
        return {**self._minted(consent, with_refresh=False), "refresh_token": token}

    def _minted(self, consent: Consent, *, with_refresh: bool) -> dict[str, object]:
        body = super()._minted(consent, with_refresh=with_refresh)
        if with_refresh:
            self._given_at[consent.refreshes[-1]] = self._clock()
        return body
