"""
Mariana Tek: classes, reservations, memberships, users and orders, by the Admin API and by table reports.

Quirks, as of 2026-11-22:
- The Admin API answers 406 to `Accept: application/json` and wants `application/vnd.api+json` (public
  clients, seen live 2026-07-06; github.com/bigkraig/marianatek).
- Filters may be ignored without a word: a client found all but `filter[id]` ignored (2026-07-07), others
  use `min_updated_datetime` and `min_datetime` with success. So each is tried first, or checked on the rows
  that come back. Rows carry no time of change.
- Lists are numbered pages, newest id first by `ordering=-id`; ids only grow. A tenant may give smaller
  pages than asked for: `meta.pagination` counts (github.com/mack-nolan/marianatek-node; public clients).
- A refresh token is good once. Access tokens live seven days; the token endpoint wants its trailing slash.
  An API key acts for a service user and can do what that user may
  (marianatek.com/developers/guides/credentials). The password grant is in no vendor document [M].
- 429 comes with Retry-After; the limit is not published. 403 means that the user lacks a permission
  (docs.marianatek.com).
- A list of orders has no lines. `purchased_items` of one order has an item for each piece, with
  `order_line_id`, `price` without and `price_incl_tax` with tax (public client). Attributes of
  `order_lines` are not published: several names are tried [M].
- A finished report lies at `s3_link`, which is good for minutes and must be fetched without our token.
  Answers nest what they say in `data`, as an object or a list, or not at all (public clients).
  `table_report_data` answers at once, with 500 rows at most, and says `max_results_exceeded`.
- Report ids differ by tenant (orders-utc is 353 here and 383 there). Rows of sales have no id: a refund
  repeats order, product and variant, and even with day, status and quantity they are not unique (public
  clients).
- Deferred revenue in reports is booked month by month and is no sale price: prices come from lines of
  orders.
- Nothing is listed as deleted: see `archived_at`, `cancellation_datetime`, `cancel_date` and `status`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

from connectors.auth.endpoint import TokenEndpoint
from connectors.auth.grants import AuthorizationCode, PasswordGrant, RefreshTokenGrant
from connectors.auth.schemes import Authorizer, BearerToken, Grant, OAuthToken
from connectors.auth.tokens import MemoryTokens
from connectors.base import Access, AuthMode, Connector, FetchRequest, Page, Stream
from connectors.budgets import BudgetPolicy
from connectors.checks import Check, checked
from connectors.errors import MissingScope, RefusedRequest
from connectors.http import Answer, HttpSession, token_session
from connectors.providers.mariana_tek.listing import Lists
from connectors.providers.mariana_tek.nested_lines import NestedLines
from connectors.providers.mariana_tek.offered import LISTS, offered
from connectors.providers.mariana_tek.settings import (
    ApiKeyMode,
    ConnectMode,
    MarianaTekConfig,
    PasswordMode,
    RefreshMode,
)
from connectors.providers.mariana_tek.table_reports import ReportDays

JSON_API = "application/vnd.api+json"
#: All that the documentation of the consent page names.
SCOPES = ("read:account",)
FORBIDDEN = 403


class MarianaTek(Connector):
    name = "mariana_tek"
    title = "Mariana Tek"
    config_model = MarianaTekConfig
    example = {
        "brand": "my-studio",
        "reports": {
            "first_timers": {
                "id": "317",
                "slug": "first-timers",
                "key": ["customer_id"],
                "first_day_param": "min_first_class_date_day",
                "last_day_param": "max_first_class_date_day",
            }
        },
    }
    auth_modes = (ApiKeyMode, PasswordMode, RefreshMode, ConnectMode)

    def __init__(self, *, config: MarianaTekConfig, credentials: AuthMode, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        base = (config.base_url or f"https://{config.brand}.marianatek.com").rstrip("/")
        self._base = base
        self._api = f"{base}/api"
        self._tokens = token_session(connector=self.name, access=access, secrets=_secrets(credentials))
        self._auth = self._authorizer()
        policy = BudgetPolicy(name="api", rate=config.calls_per_second, burst=config.burst)
        self._http = HttpSession(
            connector=self.name,
            access=access,
            auth=self._auth,
            headers={"Accept": JSON_API},
            budget=access.budget and access.budget(policy),
        )
        # Links to reports are signed; our token must not go there.
        self._files = HttpSession(connector=self.name, access=access)
        self._streams = offered(config)
        self._lists = Lists(
            connector=self.name,
            ask=self._ask,
            clock=access.clock,
            uses_updated_filter=config.uses_updated_filter,
            recent_ids=config.recent_ids,
            history_from=config.history_from,
        )
        self._lines = NestedLines(self._lists, LISTS["orders"], self._ask)
        self._reports = {name: self._report(name) for name in config.reports}

    def streams(self) -> tuple[Stream, ...]:
        return self._streams

    def authorizers(self) -> Collection[Authorizer]:
        return (self._auth,)

    def authorization(self) -> AuthorizationCode | None:
        if not isinstance(self.credentials, ConnectMode):
            return None
        return AuthorizationCode(
            endpoint=self._endpoint(), authorize_url=f"{self._base}/o/authorize", scopes=SCOPES
        )

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        if stream.name in self._reports:
            return self._reports[stream.name].fetch(request)
        if stream.name == "order_lines" and self.config.order_lines == "orders":
            return self._lines.fetch(request)
        return self._lists.fetch(LISTS[stream.name], request)

    def probe(self, streams: Collection[str] | None = None) -> Iterator[Check]:
        """Test the way in, then tell which of its filters this tenant honours."""
        stopped = False
        for check in super().probe(streams):
            stopped = stopped or check.is_final
            yield check
        if stopped or not self.config.uses_updated_filter:
            return
        for name in [one.name for one in self._streams if streams is None or one.name in streams]:
            if name in LISTS and LISTS[name].is_long:
                yield checked(f"filter: {name}", partial(self._filter_shown, name))

    def close(self) -> None:
        for session in (self._http, self._files, self._tokens):
            session.close()

    def _filter_shown(self, name: str) -> str:
        if self._lists.honours_updates(LISTS[name]):
            return "what changed can be asked for: runs read that only"
        if LISTS[name].is_newest_first:
            return (
                "what changed cannot be asked for: runs read from the newest id back, refresh it now and then"
            )
        return "what changed cannot be asked for: each run reads all of it"

    def _ask(self, path: str, params: Mapping[str, Any]) -> Answer:
        """:raises MissingScope: if the user may not see this; other streams may go on"""
        try:
            return self._http.request("GET", f"{self._api}/{path}", params=params)
        except RefusedRequest as error:
            if error.status != FORBIDDEN:
                raise
            raise MissingScope(
                f"{error}. Give the user we act for the permission to see {path.split('/')[0]}.",
                needed=(path.split("/")[0],),
                body=error.body,
            ) from None

    def _report(self, name: str) -> ReportDays:
        return ReportDays(
            self.config.reports[name],
            ask=self._ask,
            files=self._files,
            clock=self.access.clock,
            poll_seconds=self.config.poll_seconds,
        )

    # Who asks

    def _authorizer(self) -> Authorizer:
        if isinstance(self.credentials, ApiKeyMode):
            return BearerToken(self.credentials.api_key.get_secret_value())
        return OAuthToken(
            store=self.access.tokens or MemoryTokens(), grant=self._grant(), now=self.access.clock
        )

    def _grant(self) -> Grant:
        if isinstance(self.credentials, PasswordMode):
            password = self.credentials.password.get_secret_value()
            return PasswordGrant(
                endpoint=self._endpoint(), username=self.credentials.username, password=password
            )
        given = self.credentials.refresh_token if isinstance(self.credentials, RefreshMode) else None
        return RefreshTokenGrant(
            endpoint=self._endpoint(), refresh_token=given.get_secret_value() if given else ""
        )

    def _endpoint(self) -> TokenEndpoint:
        secret = self.credentials.client_secret
        return TokenEndpoint(
            connector=self.name,
            http=self._tokens,
            url=f"{self._base}/o/token/",
            now=self.access.clock,
            client_id=self.credentials.client_id,
            client_secret=secret.get_secret_value() if secret else "",
        )


def _secrets(credentials: AuthMode) -> list[str]:
    named = ("api_key", "password", "refresh_token", "client_secret")
    found = [getattr(credentials, name, None) for name in named]
    return [secret.get_secret_value() for secret in found if secret and secret.get_secret_value()]
