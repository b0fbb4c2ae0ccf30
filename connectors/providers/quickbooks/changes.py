"""
Change data capture: what changed since a moment, the deleted with it, in one answer of at most 1000 objects.

Quirks, as of 2026-11-22:
- It looks back 30 days, and holds at most 1000 objects for all entities together; which ones are left out
  beyond that is not said (developer.intuit.com, change data capture).
- Objects come whole; deleted ones have `"status": "Deleted"`, an Id and MetaData only. List entities are
  made inactive rather than deleted.
- An entity without changes is an empty object (ruckus/quickbooks-ruby change_data_capture_response.xml).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import msgspec

from connectors import exact_json
from connectors.base import SourceRecord, Tombstone
from connectors.errors import BadResponse, RecordError, SchemaError
from connectors.pages import split_records
from connectors.paths import walk
from connectors.providers.quickbooks import faults
from connectors.records import Keys, checked_record

LOOK_BACK = timedelta(days=30)
#: Kept from the edge, as clocks differ.
MARGIN = timedelta(hours=1)
MOST_OBJECTS = 1_000
#: No use asking for a shorter time.
SHORTEST = timedelta(minutes=1)
DELETED = "Deleted"
KEYS = Keys(id_path="Id", updated_path="MetaData.LastUpdatedTime")


class _Entities(msgspec.Struct):
    QueryResponse: list[dict[str, msgspec.Raw]] = msgspec.field(default_factory=list)
    Fault: Any = None


class _Answer(msgspec.Struct):
    CDCResponse: list[_Entities]


_decoder = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed of one entity."""

    records: Sequence[SourceRecord]
    tombstones: Sequence[Tombstone]

    @property
    def is_capped(self) -> bool:
        """Tell whether there may be more than the answer had room for."""
        return len(self.records) + len(self.tombstones) >= MOST_OBJECTS


def can_look_back(since: datetime, now: datetime) -> bool:
    """Tell whether changes since then can be had."""
    return now - LOOK_BACK + MARGIN <= since <= now


def halved(since: datetime, now: datetime) -> datetime | None:
    """Return the middle of the time until now; None where that is not worth asking for."""
    middle = since + (now - since) / 2
    return middle.replace(microsecond=0) if now - since > SHORTEST else None


def changes_in(body: bytes, *, entity: str, connector: str) -> Changes:
    """
    Return what the answer says of the entity.

    :raises BadResponse: if it is not JSON
    :raises SchemaError: if it is no such answer
    """
    listed = _listed(body, entity, connector)
    gone = [record for record in listed if _is_deleted(record)]
    ids = {record.external_id for record in gone}
    return Changes(
        records=[record for record in listed if record.external_id not in ids or record.problem],
        tombstones=[Tombstone(external_id=one.external_id, deleted_at=one.updated_at) for one in gone],
    )


def _listed(body: bytes, entity: str, connector: str) -> list[SourceRecord]:
    try:
        answer = _decoder.decode(body)
        _refuse(answer, connector, body)
        lists = [
            bytes(one[entity]) for each in answer.CDCResponse for one in each.QueryResponse if entity in one
        ]
        return [
            record
            for text in lists
            for record in split_records(
                text, path="", id_path=KEYS.id_path, updated_path=KEYS.updated_path, connector=connector
            ).records
        ]
    except exact_json.DECODE_ERRORS:
        return _listed_tolerantly(body, entity, connector)


def _refuse(answer: _Answer, connector: str, body: bytes) -> None:
    """:raises ConnectorError: if a fault stands in the place of an entity"""
    found = [fault for one in answer.CDCResponse if (fault := faults.fault_of({"Fault": one.Fault}))]
    if found:
        error = faults.named(found[0], status=HTTPStatus.OK, body=body)
        error.args = (f"{connector}: {error}",)
        raise error


def _listed_tolerantly(body: bytes, entity: str, connector: str) -> list[SourceRecord]:
    """Read everything, so that one broken record is lost to the answer and not the answer to it."""
    try:
        answer = exact_json.loads_tolerant(body)
    except RecordError as error:
        raise BadResponse(f"{connector}: the answer is {error}") from None
    values = _values(answer, entity)
    if values is None:
        raise SchemaError(f"{connector}: no lists of {entity} in CDCResponse")
    return [checked_record(value, number, KEYS) for number, value in enumerate(values, 1)]


def _values(answer: Any, entity: str) -> list[Any] | None:
    outer = walk(answer, ("CDCResponse",))
    if not isinstance(outer, list):
        return None
    found: list[Any] = []
    for inner in (walk(each, ("QueryResponse",)) or [] for each in outer):
        if not isinstance(inner, list):
            return None
        for one in inner:
            values = walk(one, (entity,))
            if not isinstance(values, list | None):
                return None
            found += values or []
    return found


def _is_deleted(record: SourceRecord) -> bool:
    # A look at the text spares nearly every record the reading.
    if record.problem or b'"Deleted"' not in record.body:
        return False
    payload = exact_json.loads(record.body)
    return isinstance(payload, Mapping) and payload.get("status") == DELETED
