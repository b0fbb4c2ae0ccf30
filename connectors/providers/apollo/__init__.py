"""
Apollo: a team's own contacts, accounts and deals, by the search endpoints of its REST API.

Quirks, as of 2026-11-23 (docs.apollo.io/reference; [M]: not confirmed):
- Pages are counted, hold 100 records at most, and end with the 500th: a list of more than 50,000 has to be
  read in parts (search-for-contacts, search-for-accounts).
- No list can be asked for changes. Contacts can be sorted by them, newest first, so reading stops at the last
  known one. Accounts and deals show no time of change, so they are read whole.
- Limits are per team and endpoint: so many calls a minute, an hour and a day. The larger limits for "search"
  are those of Apollo's own database of people; a team's records have the usual ones (rate-limits).
- A key is good for the endpoints ticked when it was made, or for all ("master key"); elsewhere it gets 403
  with API_INACCESSIBLE. A 401 is plain text (status-codes).
- An e-mail that was not paid for reads email_not_unlocked@domain.com [M].
- Nothing here spends credits: those are for enrichment and for searches of Apollo's database (api-pricing).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from pydantic import Field, SecretStr

from connectors.auth.schemes import ApiKey, Authorizer
from connectors.base import Access, AuthMode, Config, Connector, FetchRequest, Page, SourceRecord, Stream
from connectors.budgets import BudgetPolicy, Quota, said_number
from connectors.errors import MissingScope, SchemaError
from connectors.http import Answer, HttpSession, RefusedRequest
from connectors.pages import RecordList, split_records
from connectors.paging import CountedPaging, PageSeen
from connectors.providers.apollo.refining import refine_account, refine_contact, refine_deal

MAX_PAGE_SIZE, MAX_PAGES = 100, 500
#: What is left of an hour's calls comes back evenly; both make up its limit, whenever the hour begins.
BURST_SHARE, RATE_SHARE = 0.1, 0.9
_HOUR = 3600
_WINDOWS = ("minute", "hourly", "24-hour")
_ENDPOINT = re.compile(rb"not authorized to access ([\w/.]*\w)")
_PAGING = CountedPaging(position_param="page", limit_param="per_page", start=1, is_offset=False)


class ApolloConfig(Config):
    contact_stages: tuple[str, ...] = ()
    """Read only contacts in these stages, by their ids; for teams with more than 50,000 contacts."""
    account_stages: tuple[str, ...] = ()
    """Read only accounts in these stages, by their ids; for teams with more than 50,000 accounts."""
    calls_per_hour: int = Field(default=400, ge=20)
    """What the plan allows per endpoint; the headers of each answer correct it."""
    calls_per_day: int = Field(default=2_000, ge=20)
    """What the plan allows per endpoint; the headers of each answer correct it."""
    base_url: str = "https://api.apollo.io/api/v1"
    """Where the API answers; elsewhere for a stand-in such as the sandbox."""


class Key(AuthMode):
    mode = "api_key"
    title = "API key"

    api_key: SecretStr
    """From Settings, Integrations, API; sent as `x-api-key`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How one stream is asked for."""

    method: Literal["GET", "POST"]
    path: str
    #: Where the records are in the answer.
    records: str
    #: New records come last in this order, so that they shift nothing; "" where none is documented.
    sort: str = ""
    #: The last changed record comes first in this one.
    changed_sort: str = ""
    #: The filter by stage, and our setting for it.
    stages: str = ""


LISTINGS = {
    "contacts": Listing(
        method="POST",
        path="/contacts/search",
        records="contacts",
        sort="contact_created_at",
        changed_sort="contact_updated_at",
        stages="contact_stage",
    ),
    "accounts": Listing(
        method="POST",
        path="/accounts/search",
        records="accounts",
        sort="account_created_at",
        stages="account_stage",
    ),
    "deals": Listing(method="GET", path="/opportunities/search", records="opportunities"),
}


STREAMS = (
    Stream(
        name="contacts",
        kind="customer",
        refine=refine_contact,
        page_size=MAX_PAGE_SIZE,
        is_incremental=True,
        is_safely_resumable=False,
        cursor_field="updated_at",
        scopes=("api/v1/contacts/search",),
    ),
    Stream(
        name="accounts",
        kind="company",
        refine=refine_account,
        page_size=MAX_PAGE_SIZE,
        is_safely_resumable=False,
        default_schedule="every 6h",
        scopes=("api/v1/accounts/search",),
    ),
    Stream(
        name="deals",
        kind="deal",
        refine=refine_deal,
        page_size=MAX_PAGE_SIZE,
        is_safely_resumable=False,
        default_schedule="every 6h",
        scopes=("deals/api/v1/opportunities/search",),
    ),
)


class Apollo(Connector):
    name = "apollo"
    title = "Apollo"
    config_model = ApolloConfig
    auth_modes = (Key,)

    def __init__(self, *, config: ApolloConfig, credentials: Key, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._url = config.base_url.rstrip("/")
        self._stages = {"contact_stage": config.contact_stages, "account_stage": config.account_stages}
        self._auth = ApiKey(name="x-api-key", value=credentials.api_key.get_secret_value())
        self._sessions = {name: self._session(name, config) for name in LISTINGS}

    def _session(self, name: str, config: ApolloConfig) -> HttpSession:
        open_budget = self.access.budget
        budget = open_budget(self._policy(name, config)) if open_budget else None
        return HttpSession(
            connector=self.name, access=self.access, auth=self._auth, budget=budget, quota=quota_said
        )

    def _policy(self, name: str, config: ApolloConfig) -> BudgetPolicy:
        key = self.credentials.api_key.get_secret_value()
        return BudgetPolicy(
            name=name,
            rate=RATE_SHARE * config.calls_per_hour / _HOUR,
            burst=BURST_SHARE * config.calls_per_hour,
            daily=config.calls_per_day,
            # A team read in parts, by several sources, still has one limit.
            account=f"apollo/{hashlib.sha256(key.encode()).hexdigest()[:16]}",
        )

    def streams(self) -> tuple[Stream, ...]:
        return STREAMS

    def authorizers(self) -> Collection[Authorizer]:
        return (self._auth,)

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        listing = LISTINGS[stream.name]
        since = request.window_start if stream.is_incremental else None
        page_size = min(request.page_size, MAX_PAGE_SIZE)
        call = _PAGING.call(request.cursor, page_size)
        answer = self._asked(stream, listing, {**self._wanted(listing, since), **call.params})
        listed = split_records(
            answer.body,
            path=listing.records,
            id_path="id",
            updated_path="updated_at",
            connector=self.name,
            content_type=answer.headers.get("Content-Type", ""),
        )
        counted = _counted(listed)
        has_more = counted.page < counted.total_pages and not _is_known(listed.records, since)
        is_cut = has_more and counted.page >= MAX_PAGES
        seen = PageSeen(
            cursor=request.cursor,
            count=len(listed.records),
            url=answer.url,
            page_size=page_size,
            has_more=has_more and not is_cut,
        )
        return Page(
            records=listed.records,
            next_cursor=_PAGING.next_cursor(seen),
            expected_total=counted.total_entries if since is None else None,
            cut_short=_cut_told(stream.name, counted.total_entries) if is_cut else "",
        )

    def _wanted(self, listing: Listing, since: datetime | None) -> dict[str, Any]:
        sort = listing.changed_sort if since else listing.sort
        wanted: dict[str, Any] = {"sort_by_field": sort, "sort_ascending": since is None} if sort else {}
        stages = self._stages.get(listing.stages)
        return {**wanted, f"{listing.stages}_ids": list(stages)} if stages else wanted

    def _asked(self, stream: Stream, listing: Listing, wanted: Mapping[str, Any]) -> Answer:
        """:raises MissingScope: if the key is not good for this endpoint"""
        session, url = self._sessions[stream.name], self._url + listing.path
        try:
            if listing.method == "POST":
                return session.request("POST", url, json_body=wanted)
            return session.request("GET", url, params=wanted)
        except RefusedRequest as error:
            if error.status != 403:
                raise
            named = _ENDPOINT.search(error.body)
            raise MissingScope(
                f"{error}. Tick this endpoint for the key under Settings, Integrations, API, or use a master "
                "key; free plans do not have it.",
                needed=(named[1].decode(),) if named else stream.scopes,
                body=error.body,
            ) from None

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()


class _Counted(msgspec.Struct, frozen=True):
    page: int
    total_entries: int
    total_pages: int


def _counted(listed: RecordList) -> _Counted:
    """:raises SchemaError: if the answer does not say how many pages there are"""
    said = listed.envelope.get("pagination")
    try:
        return msgspec.convert(said, _Counted)
    except msgspec.ValidationError:
        raise SchemaError("apollo: the answer does not count its pages") from None


def _is_known(records: Sequence[SourceRecord], since: datetime | None) -> bool:
    """Tell whether all of a page, the last changed first, was there before: so is what follows."""
    times = [record.updated_at for record in records if record.updated_at] if since else []
    return since is not None and bool(times) and max(times) < since


def _cut_told(name: str, total: int) -> str:
    most = MAX_PAGES * MAX_PAGE_SIZE
    return f"Apollo shows {most:,} of {total:,} {name}; read them by stage, in several sources"


def quota_said(headers: Mapping[str, str]) -> Quota | None:
    """Return what the headers say of the minute, the hour and the day; what is not limited is empty."""
    minute, hour, day = (said_number(headers.get(f"x-{one}-requests-left")) for one in _WINDOWS)
    hourly = said_number(headers.get("x-rate-limit-hourly"))
    left = [one for one in (minute, hour) if one is not None]
    if not left and day is None:
        return None
    return Quota(
        available=min(left, default=None),
        daily_left=None if day is None else int(day),
        rate=RATE_SHARE * hourly / _HOUR if hourly else None,
    )
