"""Who may ask Stripe, for what, in which version, and how often."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable

from sandbox.messages import Request
from sandbox.stripe_lists import no

VERSION = "2026-06-24.dahlia"
ACCOUNT = "acct_sandbox"
SECRET_KEY = "sk_test_sandbox"  # noqa: S105 - not a secret: this world is pretended
#: May read customers and what happened to them.
RESTRICTED_KEY = "rk_test_sandbox_customers"
RESTRICTED_TO = frozenset({"rak_customer_read", "rak_event_read"})
PERMISSIONS = {
    "customers": "rak_customer_read",
    "products": "rak_product_read",
    "prices": "rak_plan_read",
    "subscriptions": "rak_subscription_read",
    "invoices": "rak_invoice_read",
    "payment_intents": "rak_payment_intent_read",
    "charges": "rak_charge_read",
    "refunds": "rak_charge_read",
    "disputes": "rak_dispute_read",
    "payouts": "rak_payout_read",
    "balance_transactions": "rak_balance_transaction_source_read",
    "events": "rak_event_read",
    "reporting": "rak_report_runs_write",
    "files": "rak_report_runs_write",
}
_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z]+)?")


class Limit:
    """So many calls at once, and as many a second."""

    def __init__(self, *, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._left, self._at = rate, clock()

    def take(self) -> bool:
        with self._lock:
            now = self._clock()
            self._left = min(self._left + max(now - self._at, 0.0) * self._rate, self._rate)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


class Door:
    """Lets in who has a key that is good for what it asks."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit

    def check(self, request: Request, area: str) -> None:
        """:raises BadRequest: as Stripe refuses"""
        key = self._known_key(request)
        _check_permission(key, PERMISSIONS.get(area, ""))
        account = request.headers.get("stripe-account", ACCOUNT)
        if account != ACCOUNT:
            text = f"The provided key does not have access to account '{account}'."
            raise no(text, status=403, code="account_invalid")
        version = request.headers.get("stripe-version", VERSION)
        if not _VERSION.fullmatch(version):
            raise no(f"Invalid Stripe API version: {version}")

    def _known_key(self, request: Request) -> str:
        key = _key_of(request)
        if not key:
            raise no("You did not provide an API key. You need to provide your API key.", status=401)
        if key.startswith("pk_"):
            text = "This API call cannot be made with a publishable API key. Please use a secret API key."
            raise no(text, status=403, code="secret_key_required")
        if key not in {SECRET_KEY, RESTRICTED_KEY}:
            raise no(f"Invalid API Key provided: {key[:8]}****{key[-4:]}", status=401)
        if not self._limit.take():
            raise no("Request rate limit exceeded.", status=429, code="rate_limit")
        return key


def _check_permission(key: str, permission: str) -> None:
    if key == RESTRICTED_KEY and permission not in RESTRICTED_TO:
        raise no(
            "The provided key 'rk_test_****' does not have the required permissions for this endpoint on "
            f"account '{ACCOUNT}'. Having the '{permission}' permission would allow this request to "
            "continue.",
            status=403,
        )


def _key_of(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme == "Basic":
        try:
            return base64.b64decode(value).decode().partition(":")[0]
        except ValueError:
            return ""
    return value if scheme == "Bearer" else ""
