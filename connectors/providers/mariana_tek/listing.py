"""Lists of the Admin API: newest id first, by numbered pages, and no filter believed that was not tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from msgspec.structs import replace

from connectors import exact_json
from connectors.base import FetchRequest, Page, SourceRecord
from connectors.errors import CursorExpired, RecordError, RefusedRequest, SchemaError, TransientError
from connectors.fields import Fields
from connectors.http import Answer
from connectors.pages import RecordList, split_records
from connectors.windows import window_start

MAX_PAGE_SIZE = 500
#: What changed while the last pass began may have been seen in its old state.
OVERLAP = timedelta(minutes=10)
#: Nothing has changed after such a time: whatever is listed all the same proves that the filter is ignored.
FAR_AHEAD = timedelta(days=365)
UPDATED_SINCE = "min_updated_datetime"
_DAY = 10  # characters of YYYY-MM-DD
_UNUSED = frozenset({400, 404, 422})

Ask = Callable[[str, Mapping[str, Any]], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list of the API."""

    path: str
    #: It is long enough for it to be worth while to ask whether the filter by time of change works.
    is_long: bool = True
    #: What changes is near the newest ids, nearly always.
    is_newest_first: bool = False
    #: A filter by day, and the attribute that shows whether it was honoured.
    day_param: str = ""
    day_attribute: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cursor: the page, and what the pass began with, so that any worker goes on."""

    page: int = 1
    #: Pages are numbered by their size, so it stays what it was.
    size: int
    began: datetime
    #: Only what changed since; None: everything.
    since: datetime | None = None
    #: Ids up to here were read before; None: read to the end.
    floor: int | None = None
    #: The newest id when the pass began.
    top: int | None = None
    #: The last id of the page before; None where ids do not go down.
    lowest: int | None = None
    #: How many there were when the pass began; those that came since shift the others to later pages.
    total: int | None = None


_decoder = msgspec.json.Decoder(Place)


def place_of(cursor: str) -> Place:
    """:raises CursorExpired: if it is none of ours"""
    try:
        return _decoder.decode(cursor)
    except msgspec.DecodeError:
        raise CursorExpired(f"{cursor[:80]!r} is no page of a list: the connector was changed") from None


def cursor_of(place: Place) -> str:
    return msgspec.json.encode(place).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """How one source reads lists; `ask` gets a path and parameters."""

    connector: str
    ask: Ask
    clock: Callable[[], datetime]
    uses_updated_filter: bool
    recent_ids: int
    history_from: date | None

    def fetch(self, listing: Listing, request: FetchRequest) -> Page:
        """
        Return the page the cursor asks for.

        :raises SchemaError: if the answer does not say how many pages there are
        """
        place = self.first(listing, request) if request.cursor is None else place_of(request.cursor)
        answer = self._asked(listing, place)
        if answer is None:
            return _end(place, ())
        listed = split_records(
            answer.body,
            path="data",
            id_path="id",
            updated_path=None,
            connector=self.connector,
            content_type=answer.headers.get("Content-Type", ""),
        )
        return self._page(listing, place, listed)

    def first(self, listing: Listing, request: FetchRequest) -> Place:
        """Return where a pass begins: what it may leave out depends on the run before, and on the tenant."""
        began = self.clock().astimezone(UTC).replace(microsecond=0)
        place = Place(size=min(max(request.page_size, 1), MAX_PAGE_SIZE), began=began)
        read_until = _moment(request.stream_state.get("began"))
        if read_until is None or not listing.is_long:
            return place
        if self.uses_updated_filter and self.honours_updates(listing):
            return replace(place, since=read_until - OVERLAP)
        top = request.stream_state.get("top")
        if listing.is_newest_first and isinstance(top, int):
            return replace(place, floor=top - self.recent_ids)
        return place

    def honours_updates(self, listing: Listing) -> bool:
        """Tell whether the tenant filters this list by time of change: it lists nothing from next year."""
        params = {UPDATED_SINCE: window_start(self.clock() + FAR_AHEAD), "page": 1, "page_size": 1}
        try:
            answer = self.ask(listing.path, params)
        except RefusedRequest as error:
            if error.status not in _UNUSED:
                raise
            return False
        listed = split_records(
            answer.body, path="data", id_path="id", updated_path=None, connector=self.connector
        )
        return not listed.records

    def _asked(self, listing: Listing, place: Place) -> Answer | None:
        """Return the page; None where the list has become shorter than that."""
        params: dict[str, Any] = {"page": place.page, "page_size": place.size, "ordering": "-id"}
        if place.since is not None:
            params[UPDATED_SINCE] = window_start(place.since)
        if self.history_from is not None and listing.day_param:
            params[listing.day_param] = self.history_from.isoformat()
        try:
            return self.ask(listing.path, params)
        except RefusedRequest as error:
            if error.status == 404 and place.page > 1:
                return None
            raise

    def _page(self, listing: Listing, place: Place, listed: RecordList) -> Page:
        pages, count = _counted(listed, self.connector)
        if not listed.records and place.page < pages:
            raise TransientError(f"page {place.page} of {pages} is empty, though more are to follow")
        records = listed.records
        if listing.is_newest_first:
            place = _measured(place, records)
        if place.page == 1:
            place = replace(place, total=count)
        if self.history_from is not None and listing.day_attribute:
            # What the tenant lists in spite of the filter is left out here.
            records = [one for one in records if _is_since(one, listing.day_attribute, self.history_from)]
            place = replace(place, total=None)
        if _is_read(place):
            return _end(replace(place, total=None), records)
        if place.page >= pages:
            return _end(place, records)
        following = replace(place, page=place.page + 1)
        return Page(records=records, next_cursor=cursor_of(following), expected_total=place.total)


def _counted(listed: RecordList, connector: str) -> tuple[int, int]:
    """:raises SchemaError: if the answer does not say how many pages there are"""
    try:
        pagination = Fields(listed.envelope).inside("meta").inside("pagination")
        pages, count = pagination.integer("pages"), pagination.integer("count")
    except RecordError as error:
        raise SchemaError(f"{connector}: {error}") from None
    if pages is None or count is None:
        shown = ", ".join(listed.envelope) or "nothing"
        raise SchemaError(f"{connector}: no meta.pagination beside the records: found {shown}")
    return pages, count


def _measured(place: Place, records: Sequence[SourceRecord]) -> Place:
    """Note how far down the ids have come; where they do not go down, the pass reads to the end."""
    ids = [int(one.external_id) for one in records if one.external_id.isdecimal()]
    if not ids:
        return place
    top = max(ids) if place.page == 1 else place.top
    above = [] if place.lowest is None else [place.lowest]
    # Rows that came meanwhile push some of the last page to this one.
    is_ordered = all(one > other for one, other in pairwise(ids)) and all(ids[-1] <= one for one in above)
    return replace(
        place, top=top, lowest=ids[-1] if is_ordered else None, floor=place.floor if is_ordered else None
    )


def _is_read(place: Place) -> bool:
    return place.floor is not None and place.lowest is not None and place.lowest <= place.floor


def _end(place: Place, records: Sequence[SourceRecord]) -> Page:
    state = {"began": place.began.isoformat(), **({} if place.top is None else {"top": place.top})}
    return Page(records=records, expected_total=place.total, stream_state=state)


def _is_since(record: SourceRecord, attribute: str, first: date) -> bool:
    """Tell whether a record is of that day or later; one that does not say is kept."""
    try:
        raw = Fields(exact_json.loads(record.body)).inside("attributes")
        told = raw.text(attribute)
    except RecordError:
        return True
    return told is None or len(told) < _DAY or told[:_DAY] >= first.isoformat()


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
