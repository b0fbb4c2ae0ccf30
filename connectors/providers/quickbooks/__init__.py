"""
QuickBooks Online: names, items, accounts, and the papers of bookkeeping, by the Accounting API v3.

A full refresh queries, each page from the last second of the one before; later runs ask for what changed,
which tells deletions, too. The quirks stand where they matter: calls in calling.py, refusals in faults.py,
queries in queries.py, changes in changes.py, fields in names.py and papers.py.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors import exact_json, normal
from connectors.auth.grants import AuthorizationCode
from connectors.auth.schemes import Authorizer
from connectors.base import (
    Access,
    Connector,
    Deletes,
    FetchRequest,
    Page,
    SourceRecord,
    Stream,
)
from connectors.errors import BadResponse, RecordError, SchemaError
from connectors.http import Answer
from connectors.pages import split_records
from connectors.paths import walk
from connectors.providers.quickbooks import changes, names, papers, queries
from connectors.providers.quickbooks.calling import Calls
from connectors.providers.quickbooks.settings import SCOPE, ConnectedApp, QuickBooksConfig, RefreshToken

#: Between two runs clocks may differ so much.
OVERLAP = timedelta(minutes=10)
#: Lists of names leave inactive ones out unless asked for them.
INACTIVE_TOO = "Active in (true, false)"
#: By stream: the entity, the kind, how it is understood, whether rows are made inactive.
ENTITIES = {
    "customers": ("Customer", "customer", names.refine_customer, True),
    "vendors": ("Vendor", "vendor", names.refine_vendor, True),
    "employees": ("Employee", "employee", names.refine_employee, True),
    "departments": ("Department", "location", names.refine_department, True),
    "accounts": ("Account", "account", names.refine_account, True),
    "items": ("Item", "product", names.refine_item, True),
    "invoices": ("Invoice", "invoice", papers.refine_invoice, False),
    "payments": ("Payment", "payment", papers.refine_payment, False),
    "sales_receipts": ("SalesReceipt", "order", papers.refine_sales_receipt, False),
    "refund_receipts": ("RefundReceipt", "refund", papers.refine_refund_receipt, False),
    "bills": ("Bill", "bill", papers.refine_bill, False),
}
STREAMS = tuple(
    Stream(
        name=name,
        kind=kind,
        refine=refine,
        page_size=queries.MOST_RESULTS,
        is_incremental=True,
        # Changes tell it at once, and a whole pass what they had no room for.
        deletes=Deletes.FULL_PASS,
        scopes=(SCOPE,),
        key=("Id",),
        cursor_field=queries.CHANGED,
    )
    for name, (_, kind, refine, _) in ENTITIES.items()
)


class QuickBooks(Connector):
    name = "quickbooks"
    title = "QuickBooks Online"
    config_model = QuickBooksConfig
    example = {"realm_id": "9130357992222222"}
    auth_modes = (ConnectedApp, RefreshToken)

    def __init__(self, *, config: QuickBooksConfig, credentials: ConnectedApp, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._calls = Calls(config=config, credentials=credentials, access=access)

    def streams(self) -> tuple[Stream, ...]:
        return STREAMS

    def authorizers(self) -> Collection[Authorizer]:
        return (self._calls.auth,)

    def authorization(self) -> AuthorizationCode | None:
        return self._calls.authorization() if self.credentials.connects else None

    def close(self) -> None:
        self._calls.close()

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        if request.cursor is not None:
            place = queries.place_from(request.cursor)
            if place.deleted_since:
                return self._deletions(stream, place)
            return self._queried(stream, request, place)
        since = self._changed_since(request)
        if since is not None:
            return self._changed(stream, request, since)
        start = request.window_start
        return self._queried(stream, request, queries.Place(since=queries.written(start) if start else ""))

    # Changes

    def _changed_since(self, request: FetchRequest) -> datetime | None:
        """Return the moment to ask for changes from; None where they must be queried for."""
        if not self.config.change_data_capture or request.window_start is None or request.window_end:
            return None
        # A stream where nothing happens has an old window, but not everything before the last run is news.
        last_run = normal.moment(request.stream_state.get("read_at"))
        moments = [request.window_start] + ([last_run - OVERLAP] if last_run else [])
        now = self.access.clock()
        return next((moment for moment in moments if changes.can_look_back(moment, now)), None)

    def _changed(self, stream: Stream, request: FetchRequest, since: datetime) -> Page:
        answer = self._ask_changes(stream, since)
        found = changes.changes_in(answer.body, entity=_entity(stream), connector=self.name)
        state = _state(answer, self.access.clock())
        if not found.is_capped:
            return Page(records=found.records, tombstones=found.tombstones, stream_state=state)
        # What was left out is not said: everything is queried for, and deletions asked for over less time.
        start = request.window_start or since
        place = queries.Place(since=queries.written(start))
        middle = changes.halved(since, self.access.clock())
        if middle:
            place = queries.Place(since=place.since, deleted_since=queries.written(middle))
        return Page(tombstones=found.tombstones, next_cursor=place.as_cursor(), stream_state=state)

    def _deletions(self, stream: Stream, place: queries.Place) -> Page:
        since = datetime.fromisoformat(place.deleted_since)
        answer = self._ask_changes(stream, since)
        found = changes.changes_in(answer.body, entity=_entity(stream), connector=self.name)
        middle = changes.halved(since, self.access.clock()) if found.is_capped else None
        onwards = queries.Place(since=place.since, deleted_since=queries.written(middle) if middle else "")
        return Page(tombstones=found.tombstones, next_cursor=onwards.as_cursor())

    def _ask_changes(self, stream: Stream, since: datetime) -> Answer:
        return self._calls.ask("cdc", entities=_entity(stream), changedSince=queries.written(since))

    # Queries

    def _queried(self, stream: Stream, request: FetchRequest, place: queries.Place) -> Page:
        conditions = _conditions(stream, request)
        since = [f"{queries.CHANGED} >= '{place.since}'"] if place.since else []
        limit = queries.limit_of(place, request.page_size)
        answer = self._query(queries.select(_entity(stream), conditions + since, place=place, limit=limit))
        rows = self._rows(answer, _entity(stream))
        unread = queries.unread(place, rows)
        if unread:
            onwards: queries.Place | None = queries.after(place, rows)
        else:
            onwards = None if rows else queries.doubted(place)
        return Page(
            records=unread,
            next_cursor=onwards.as_cursor() if onwards else None,
            expected_total=self._total(stream, request) if onwards is None else None,
            stream_state=_state(answer, self.access.clock()) if request.cursor is None else None,
        )

    def _total(self, stream: Stream, request: FetchRequest) -> int | None:
        """Return how many rows there are after a pass over all; what came meanwhile came last."""
        if not self.config.check_totals or request.window_start or request.window_end:
            return None
        answer = self._query(queries.count(_entity(stream), _conditions(stream, request)))
        total = walk(_decoded(answer, self.name), ("QueryResponse", "totalCount"))
        return total if isinstance(total, int) and total >= 0 else None

    def _rows(self, answer: Answer, entity: str) -> list[SourceRecord]:
        try:
            listed = split_records(
                answer.body,
                path=f"QueryResponse.{entity}",
                id_path=changes.KEYS.id_path,
                updated_path=changes.KEYS.updated_path,
                connector=self.name,
                content_type=answer.headers.get("Content-Type", ""),
            )
        except SchemaError:
            if _is_empty(answer, self.name):
                return []
            raise
        return list(listed.records)

    def _query(self, text: str) -> Answer:
        return self._calls.ask("query", query=text)


def _entity(stream: Stream) -> str:
    return ENTITIES[stream.name][0]


def _conditions(stream: Stream, request: FetchRequest) -> list[str]:
    found = [INACTIVE_TOO] if ENTITIES[stream.name][3] else []
    if request.window_end:
        found.append(f"{queries.CHANGED} <= '{queries.written(request.window_end + timedelta(seconds=1))}'")
    return found


def _state(answer: Answer, now: datetime) -> dict[str, str]:
    """Return when this was read: not later than either clock says."""
    try:
        told = normal.moment(msgspec.json.decode(answer.body, type=_Envelope).time)
    except (*exact_json.DECODE_ERRORS, RecordError):
        told = None
    return {"read_at": min(told or now, now).isoformat()}


class _Envelope(msgspec.Struct):
    time: str | None = None


def _decoded(answer: Answer, connector: str) -> Any:
    try:
        return exact_json.loads(answer.body)
    except RecordError as error:
        raise BadResponse(f"{connector}: the answer is {error}") from None


def _is_empty(answer: Answer, connector: str) -> bool:
    """Tell whether the query found nothing: the entity is missing then, and nothing is in its place."""
    inside = walk(_decoded(answer, connector), ("QueryResponse",))
    return isinstance(inside, dict) and inside.keys() <= {"startPosition", "maxResults", "totalCount"}
