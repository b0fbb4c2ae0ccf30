"""Events: what happened to which object, and how that object was right then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from connectors import exact_json
from connectors.base import SourceRecord
from connectors.errors import RecordError, SchemaError
from connectors.pages import split_records
from connectors.records import Keys, checked_record

_KEYS = Keys(id_path="id", updated_path=None)


class Happened(NamedTuple):
    id: str
    type: str
    at: datetime


class Change(NamedTuple):
    """An event, and the object it shows, dated by it."""

    event: Happened
    record: SourceRecord


class _Shown(msgspec.Struct):
    object: msgspec.Raw


class _Event(msgspec.Struct):
    id: str
    type: str
    created: int
    data: _Shown


_decoder = msgspec.json.Decoder(_Event)


def changes_in(records: Sequence[SourceRecord]) -> list[Change]:
    """
    Return what the events of a page tell, in their order.

    :raises SchemaError: if one of them is no event
    """
    try:
        return _all_plain(records)
    except (*exact_json.DECODE_ERRORS, _Odd):
        return [_careful(record, number) for number, record in enumerate(records, 1)]


class _Odd(Exception):
    """One of the events needs a closer look."""


def _all_plain(records: Sequence[SourceRecord]) -> list[Change]:
    if any(record.problem for record in records):
        raise _Odd
    events = [_decoder.decode(record.body) for record in records]
    shown = split_records(
        b"[%b]" % b",".join(bytes(event.data.object) for event in events),
        path="",
        id_path="id",
        updated_path=None,
        connector="stripe",
    ).records
    told = [Happened(event.id, event.type, _moment(event.created)) for event in events]
    return [_dated(event, record) for event, record in zip(told, shown, strict=True)]


def _careful(record: SourceRecord, number: int) -> Change:
    """Look for the object in an event that cannot be read as it should, so that its letter has its id."""
    try:
        value = exact_json.loads_tolerant(record.body)
    except RecordError:
        value = None
    event = _told(value)
    shown = checked_record(value["data"]["object"], number, _KEYS)
    return _dated(event, msgspec.structs.replace(shown, problem=shown.problem or record.problem))


def _told(value: Any) -> Happened:
    names: tuple[Any, ...] = ()
    try:
        event = Happened(value["id"], value["type"], _moment(value["created"]))
        names = (event.id, event.type, value["data"]["object"])
    except (LookupError, TypeError, ValueError, OverflowError):
        pass  # said below
    if not names or not all(map(isinstance, names, (str, str, Mapping))):
        raise SchemaError("stripe: the list of events holds something that is no event")
    return event


def _dated(event: Happened, record: SourceRecord) -> Change:
    return Change(event, msgspec.structs.replace(record, updated_at=event.at))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
