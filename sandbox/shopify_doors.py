"""
Who may come into the shop, and how often.

Confirmed: X-Shopify-Access-Token; orders older than 60 days for read_all_orders only; a REST bucket of 40
leaking 2/s with X-Shopify-Shop-Api-Call-Limit and a float Retry-After; expiring offline tokens of an hour,
refresh tokens that rotate, the one before staying good until the latest is used; client credentials for 24
hours without a refresh token.
Unconfirmed [M]: the exact texts of errors; `expiring=1` on the code exchange, without which a token has no
end; a refresh token's 90 days; the signature of the callback; the size of the GraphQL bucket.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import msgspec

from sandbox.messages import Answer, Handler, Request, json_answer
from sandbox.oauth import OAuthServer
from sandbox.oauth_rules import Client, Rules

VERSION = "2026-10"
BUCKET = 40
HOUR, DAY = 3_600.0, 86_400.0
SHOP = "sandbox.myshopify.com"
CLIENT_ID, CLIENT_SECRET = "sandbox-app", "shpss_sandbox"
SCOPES = (
    "read_customers",
    "read_inventory",
    "read_locations",
    "read_orders",
    "read_products",
    "read_shopify_payments_disputes",
    "read_shopify_payments_payouts",
)
#: Without it only orders of so many days are shown.
ALL_ORDERS, RECENT_DAYS = "read_all_orders", 60
#: Where a person may be sent back to.
CALLBACKS = ("http://127.0.0.1:8000/admin/ingest/source/connected/", "https://sync.example/connected")
_UNKNOWN = "[API] Invalid API key or access token (unrecognized login or wrong password)"


class Bucket:
    """Shopify's leaky bucket: each call adds its cost, `leak_rate` runs out per second."""

    def __init__(self, *, leak_rate: float, clock: Callable[[], float], size: float = BUCKET) -> None:
        self.leak_rate = leak_rate
        self.size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._level = 0.0
        self._filled_at = clock()

    def take(self, cost: float = 1.0) -> float | None:
        """Return how full the bucket is with this call, or None when the call does not fit."""
        with self._lock:
            self._leak()
            if self._level + cost > self.size:
                return None
            self._level += cost
            return self._level

    def give_back(self, cost: float) -> float:
        """Take back what a call did not cost after all; return what is left to spend."""
        with self._lock:
            self._leak()
            self._level = max(self._level - cost, 0.0)
            return self.size - self._level

    def _leak(self) -> None:
        now = self._clock()
        leaked = max(now - self._filled_at, 0.0) * self.leak_rate
        self._level, self._filled_at = max(self._level - leaked, 0.0), now


class Keys:
    """The shop's tokens: one that does not end, and those of apps."""

    def __init__(self, *, token: str, clock: Callable[[], float]) -> None:
        self._token = token
        self._clock = clock
        app = Client(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uris=CALLBACKS,
            scopes=(*SCOPES, ALL_ORDERS),
        )
        usual = Rules(
            grants=frozenset({"authorization_code", "refresh_token"}),
            access_seconds=HOUR,
            refresh_seconds=90 * DAY,
            forgives_one=True,
            client_auth="body",
            scope_separator=",",
            prefixes=("shpat_", "shprt_"),
        )
        own = replace(usual, grants=frozenset({"client_credentials"}), access_seconds=DAY)
        self.offline = OAuthServer(app, clock=clock, rules=usual)
        self.own = OAuthServer(app, clock=clock, rules=own)

    def scopes(self, request: Request) -> Collection[str] | None:
        """Return what the caller's token is good for; None if there is none, or it is not good."""
        token = request.headers.get("x-shopify-access-token", "")
        if token == self._token:
            return (*SCOPES, ALL_ORDERS)
        consent = self.offline.grant_of(token) or self.own.grant_of(token)
        return consent.scopes if consent else None

    def orders_since(self, request: Request) -> float:
        """Return from when on the caller sees orders, epoch seconds."""
        sees_all = ALL_ORDERS in (self.scopes(request) or ())
        return 0.0 if sees_all else self._clock() - RECENT_DAYS * DAY

    def token(self, request: Request) -> Answer:
        """Answer at the token endpoint."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        grant = form.get("grant_type")
        if grant == "client_credentials":
            return self.own.token(request)
        answer = self.offline.token(request)
        if answer.status != 200 or grant != "authorization_code" or form.get("expiring") == "1":
            return answer
        body = msgspec.json.decode(answer.body)
        return json_answer({name: body[name] for name in ("access_token", "scope")}, headers=answer.headers)

    def authorize(self, request: Request) -> Answer:
        """Let the person in who comes, and send them back, signed."""
        answer = self.offline.authorize(request)
        back, _, query = answer.headers.get("Location", "").partition("?")
        if not back:
            return answer
        values = {**dict(parse_qsl(query)), "shop": SHOP, "timestamp": str(int(self._clock()))}
        signed = "&".join(f"{name}={values[name]}" for name in sorted(values))
        values["hmac"] = hmac.new(CLIENT_SECRET.encode(), signed.encode(), "sha256").hexdigest()
        return Answer(status=302, headers={"Location": f"{back}?{urlencode(values)}"})


class Door:
    """The REST door: a token with the scope, a place in the bucket."""

    def __init__(self, keys: Keys, bucket: Bucket) -> None:
        self.keys = keys
        self._bucket = bucket

    def guarded(self, scope: str, handler: Handler) -> Handler:
        def guarded(request: Request) -> Answer:
            scopes = self.keys.scopes(request)
            if scopes is None:
                return refused()
            level = self._bucket.take()
            if level is None:
                return _slow_down()
            if scope not in scopes:
                text = f"[API] This action requires merchant approval for {scope} scope."
                return json_answer({"errors": text}, status=403)
            answer = handler(request)
            answer.headers["X-Shopify-Shop-Api-Call-Limit"] = f"{int(level)}/{self._bucket.size:g}"
            answer.headers["X-Shopify-API-Version"] = VERSION
            return answer

        return guarded


def refused() -> Answer:
    return json_answer({"errors": _UNKNOWN}, status=401)


def _slow_down() -> Answer:
    text = "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service."
    headers = {"Retry-After": "2.0", "X-Shopify-Shop-Api-Call-Limit": f"{BUCKET}/{BUCKET}"}
    return json_answer({"errors": text}, status=429, headers=headers)
