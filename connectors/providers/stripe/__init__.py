"""
Stripe: customers, products, prices, subscriptions, invoices, payments, refunds, disputes, payouts, balance.

Quirks, as of 2026-11-22:
- Lists come newest first and cannot be asked for what was changed: changes are heard from /v1/events, which
  keeps 30 days (docs.stripe.com/webhooks/process-undelivered-events). See listing.py.
- Events show objects in the account's default version of the API, lists in the one we ask for: names differ
  (docs.stripe.com/api/events). refining.py knows those from 2020 on.
- Without status=all a list of subscriptions leaves out those that have ended (dlt-hub/verified-sources,
  sources/stripe_analytics/helpers.py).
- An invoice shows ten of its lines at most (docs.stripe.com/api/invoices/object). See lines.py.
- A page that begins after an object which was deleted meanwhile is refused with resource_missing [M].
- Balance transactions never change but for their status, which no event tells: those of the last days are
  listed again (docs.stripe.com/api/balance_transactions).
- Amounts are in minor units, but in reports in major ones (docs.stripe.com/reports/api).
- 429 comes without Retry-After [M], and also means a lock that was waited for in vain [M].
- Restricted keys are refused with 403, naming the permission they lack, rak_..._read [M].
"""

from __future__ import annotations

from collections.abc import Collection

from connectors.auth.schemes import Authorizer, BearerToken
from connectors.base import Access, Connector, FetchRequest, Page, Stream
from connectors.budgets import BudgetPolicy
from connectors.http import HttpSession
from connectors.providers.stripe.calls import Calls
from connectors.providers.stripe.lines import InvoiceLines
from connectors.providers.stripe.listing import Listing
from connectors.providers.stripe.reporting import Reporting, report_streams
from connectors.providers.stripe.settings import SecretKey, StripeConfig
from connectors.providers.stripe.streams import INVOICE_LINES, RESOURCES

API = "https://api.stripe.com"


class Stripe(Connector):
    name = "stripe"
    title = "Stripe"
    config_model = StripeConfig
    example = {"api_version": "2026-06-24.dahlia"}
    auth_modes = (SecretKey,)

    def __init__(self, *, config: StripeConfig, credentials: SecretKey, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        base_url = (config.base_url or API).rstrip("/")
        self._auth = BearerToken(credentials.secret_key.get_secret_value())
        self._http = self._session(config, access)
        # Files count apart (20 calls a second), and one question at a time is asked for them.
        self._files = HttpSession(connector=self.name, access=access, auth=self._auth)
        calls = Calls(self._http, base_url=base_url, clock=access.clock)
        self._listing = Listing(
            calls, clock=access.clock, event_days=config.event_days, settle_days=config.settle_days
        )
        self._lines = InvoiceLines(calls, self._listing)
        self._reports = report_streams(config)
        self._reporting = {
            name: Reporting(
                report.settings,
                calls,
                files=self._files,
                base_url=base_url,
                clock=access.clock,
                poll_seconds=config.report_poll_seconds,
            )
            for name, report in self._reports.items()
        }
        self._resources = {one.name: one for one in RESOURCES if one.name not in self._reports}

    def _session(self, config: StripeConfig, access: Access) -> HttpSession:
        policy = BudgetPolicy(name="rest", rate=config.calls_per_second, burst=config.burst)
        account = {"Stripe-Account": config.account} if config.account else {}
        return HttpSession(
            connector=self.name,
            access=access,
            headers={"Stripe-Version": config.api_version, **account},
            auth=self._auth,
            budget=access.budget and access.budget(policy),
        )

    def streams(self) -> tuple[Stream, ...]:
        listed = [one.stream() for one in self._resources.values()]
        return (*listed, INVOICE_LINES, *(report.stream for report in self._reports.values()))

    def authorizers(self) -> Collection[Authorizer]:
        return (self._auth,)

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        if stream.name in self._reporting:
            return self._reporting[stream.name].fetch(request)
        if stream.name == INVOICE_LINES.name:
            return self._lines.fetch(request)
        return self._listing.fetch(self._resources[stream.name], request)

    def close(self) -> None:
        self._http.close()
        self._files.close()
