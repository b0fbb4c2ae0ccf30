"""
What changed since: searches, oldest change first, each beginning where the last page's changes ended.

A search counts its pages, ends at 10,000 results and sorts by one property only. Following its pages would
leave out what moves to the end while we read. So each page is a search of its own, from the time of change
at which the last one ended. Those of the last time of a page are left for the next, as more may share it;
where a page holds one time only, that millisecond is read by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from connectors import normal
from connectors.base import FetchRequest, SourceRecord
from connectors.errors import RecordError, SchemaError
from connectors.providers.hubspot.offering import MOST_SEARCHED
from connectors.providers.hubspot.places import Place
from connectors.windows import window_end

_ID = "hs_object_id"
_FIRST = "0"
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)


class _Head(msgspec.Struct, frozen=True):
    properties: dict[str, msgspec.Raw]


_heads = msgspec.json.Decoder(_Head)
_text = msgspec.json.Decoder(str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What of a page is taken, and where the next search starts; None after the last."""

    records: Sequence[SourceRecord]
    following: Place | None


def search_body(
    place: Place, request: FetchRequest, *, modified_by: str, properties: Sequence[str]
) -> dict[str, Any]:
    """Return what to search for."""
    filters = [_filter(modified_by, "GTE", str(place.since))]
    sort_by = modified_by
    if place.beyond:
        # Not EQ: for times it is not documented.
        filters += [_filter(modified_by, "LTE", str(place.since)), _filter(_ID, "GT", place.beyond)]
        sort_by = _ID
    elif request.window_end is not None:
        filters.append(_filter(modified_by, "LTE", window_end(request.window_end, "epoch_ms")))
    body: dict[str, Any] = {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": sort_by, "direction": "ASCENDING"}],
        "properties": list(properties),
        "limit": min(request.page_size, MOST_SEARCHED),
    }
    return {**body, "after": place.after} if place.after else body


def _filter(name: str, operator: str, value: str) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": value}


def cut(records: Sequence[SourceRecord], place: Place, *, more: str | None, modified_by: str) -> Cut:
    """
    Return what to take of a page; `more` is what the provider says the next one starts after.

    :raises SchemaError: if the page is not in the order asked for
    """
    if more is None:
        is_tied = bool(place.beyond)
        return Cut(records=records, following=_later(place) if is_tied else None)
    values = [_id_of(one) if place.beyond else _changed(one, modified_by) for one in records]
    known = [value for value in values if value is not None]
    if not known:
        # Nothing to go by: the provider's own way is the only one.
        return Cut(records=records, following=replace(place, after=more))
    if known != sorted(known) or (not place.beyond and known[0] < place.since):
        raise SchemaError("hubspot: the results of a search are not in the order that was asked for")
    if place.beyond:
        taken = len(values) - values[::-1].index(known[-1])
        return Cut(records=records[:taken], following=replace(place, beyond=str(known[-1]), after=""))
    # Records whose time cannot be told stand before that place, or come again.
    taken = values.index(known[-1])
    is_tied = taken == 0 or known[-1] == place.since
    following = Place(phase="changed", since=known[-1], beyond=_FIRST if is_tied else "")
    return Cut(records=records[:taken], following=following)


def _later(place: Place) -> Place:
    return Place(phase="changed", since=place.since + 1)


def _changed(record: SourceRecord, modified_by: str) -> int | None:
    """Return when it changed, in epoch milliseconds; None where that cannot be told."""
    try:
        moment = normal.moment(_text.decode(_heads.decode(record.body).properties[modified_by]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, RecordError, KeyError):
        return None
    return None if moment is None else (moment - _EPOCH) // _MILLISECOND


def _id_of(record: SourceRecord) -> int | None:
    return int(record.external_id) if record.external_id.isdecimal() else None
