"""
Queries: what is asked in QuickBooks' own query language, and where the next page of an answer starts.

Pages go by time of change and not by STARTPOSITION, as rows that change meanwhile shift counted pages: each
page begins at the last second of the one before and leaves out what that one held of it. Only a second in
which more than MOST_TIED rows changed is counted through.

Quirks, as of 2026-11-22:
- MAXRESULTS is 100 unless said and 1000 at most, STARTPOSITION begins at 1 (developer.intuit.com, query
  operations and syntax). "value 0 is too small. Min allowed value is 1" is fault 4001 (ruckus/quickbooks-ruby
  spec/fixtures/query_validation_error.xml).
- There is no OR and no JOIN; lists of names leave inactive ones out unless `Active in (true, false)`.
- Times are whole seconds, written with the company's offset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from connectors.base import SourceRecord
from connectors.errors import BadResponse, CursorExpired

MOST_RESULTS = 1_000
#: Rows of one second that a cursor names one by one.
MOST_TIED = 500
CHANGED = "MetaData.LastUpdatedTime"


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cursor: from which second on is asked, and what of it was read already."""

    #: UTC, whole seconds; "" means from the beginning.
    since: str = ""
    start: int = 1
    #: What was read of that second.
    seen: tuple[str, ...] = ()
    #: How often in a row nothing at all came back where something stood a moment ago.
    doubt: int = 0
    #: Deletions are asked for from here on, as an earlier answer held too many changes.
    deleted_since: str = ""

    def as_cursor(self) -> str:
        return msgspec.json.encode(self).decode()


_decoder = msgspec.json.Decoder(Place)


def place_from(cursor: str) -> Place:
    """:raises CursorExpired: if it is none of ours"""
    try:
        return _decoder.decode(cursor)
    except msgspec.DecodeError:
        raise CursorExpired(f"{cursor[:80]!r} is no place in a query") from None


def written(moment: datetime) -> str:
    """Return the time as queries want it, rounded down."""
    # Zulu would do by ISO 8601; this is how Intuit's own examples write it, and it needs no escaping.
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S-00:00")


def select(entity: str, conditions: Sequence[str], *, place: Place, limit: int) -> str:
    """Return the query for a page."""
    rows = f"from {entity}{_where(conditions)} orderby {CHANGED}"
    return f"select * {rows} startposition {place.start} maxresults {limit}"


def count(entity: str, conditions: Sequence[str]) -> str:
    """Return the query for how many rows there are."""
    rows = f"from {entity}{_where(conditions)}"
    return f"select count(*) {rows}"


def _where(conditions: Sequence[str]) -> str:
    return f" where {' and '.join(conditions)}" if conditions else ""


def limit_of(place: Place, page_size: int) -> int:
    """Return how many rows to ask for, so that those read already do not take the places of new ones."""
    return min(max(page_size, 1) + len(place.seen), MOST_RESULTS)


def unread(place: Place, rows: Sequence[SourceRecord]) -> list[SourceRecord]:
    """
    Return the rows that were not on the page before.

    :raises BadResponse: if they are not what was asked for
    """
    first: dict[str, SourceRecord] = {}
    for row in rows:
        first.setdefault(_mark(row), row)
    times = [written(row.updated_at) for row in first.values() if row.updated_at]
    if times != sorted(times) or (times and times[0] < place.since):
        raise BadResponse(
            f"the rows are not in the order asked for, from {place.since or 'the beginning'} on by {CHANGED}"
            ": the next page would leave some out"
        )
    seen = set(place.seen)
    return [row for row in rows if _mark(row) not in seen] if seen else list(rows)


def after(place: Place, rows: Sequence[SourceRecord]) -> Place:
    """Return where the page after these rows starts."""
    newest = max((written(row.updated_at) for row in rows if row.updated_at), default=place.since)
    if newest == place.since and (place.start > 1 or len(rows) > MOST_TIED):
        return Place(since=newest, start=place.start + len(rows))
    # One whose time cannot be read may be of that second, too.
    tied = [row for row in rows if row.updated_at is None or written(row.updated_at) == newest]
    if len(tied) > MOST_TIED:
        return Place(since=newest, start=1 + len(tied))
    return Place(since=newest, seen=tuple(dict.fromkeys(map(_mark, tied))))


def doubted(place: Place) -> Place | None:
    """
    Return the place to ask at once more, where an answer without any row cannot be right; None at the end.

    Rows seen a moment ago are still there unless they were deleted: if they changed, they stand further on.
    """
    return replace(place, doubt=place.doubt + 1) if place.seen and not place.doubt else None


def _mark(row: SourceRecord) -> str:
    """Return what tells a row from others; one without an id is told by its body."""
    return row.external_id or f"#{hashlib.sha256(row.body).hexdigest()[:16]}"
