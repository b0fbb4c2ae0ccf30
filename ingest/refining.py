"""
Refining: turn landed pages into typed rows, all of a page in one transaction with its dead letters.

Whatever is wrong with one record costs that record a dead letter and nothing else.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors import exact_json
from connectors.base import Json
from connectors.errors import RecordError
from connectors.kinds import KINDS, Kind
from ingest import deadletters, isolating, tables
from ingest.models import CollectionJob

log = logging.getLogger(__name__)

Refine = Callable[[Json], Kind]


@dataclass(frozen=True, slots=True)
class Raw:
    """One raw row to refine."""

    id: int
    external_id: str
    version: int
    body: bytes
    updated_at: datetime | None
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """A record with its children: written together or not at all."""

    raw: Raw
    kind: Kind


@dataclass(slots=True)
class Outcome:
    """What became of a batch: a word per raw row, letters to write, effects for the metrics."""

    words: dict[int, str] = field(default_factory=dict)
    #: Raw ids that went through, kept back or not because something newer is there.
    understood: set[int] = field(default_factory=set)
    letters: list[deadletters.Letter] = field(default_factory=list)
    new: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    days: dict[str, set[str]] = field(default_factory=dict)

    def note(self, kind: str, *, new: int = 0, changed: int = 0, days: set[str]) -> None:
        """Count what was written of a kind, and the days touched."""
        self.new[kind] += new
        self.changed[kind] += changed
        self.days.setdefault(kind, set()).update(days)

    def effects(self, kind: str, failed: int) -> dict[str, dict[str, Any]]:
        kinds = {kind, *self.new, *self.changed, *self.days} if self.words or failed else set()
        return {
            name: {
                "new": self.new[name],
                "changed": self.changed[name],
                "failed": failed if name == kind else 0,
                "days": sorted(self.days.get(name, ())),
            }
            for name in sorted(kinds)
        }


def refine_batch(
    job: CollectionJob, refine: Refine, raws: Sequence[Raw], outcome: Outcome, *, now: datetime
) -> None:
    units = []
    for raw in _newest(raws, outcome):
        if raw.is_deleted:
            continue
        try:
            units.append(Unit(raw, _kind(job, refine, raw)))
        except RecordError as error:
            _fail(job, outcome, raw, error.error_type, str(error))
        except Exception as error:
            # A mistake in a room must cost the record it trips over, not the run; the log has the trace.
            log.exception("refining failed", extra={"job": job.pk, "raw": raw.id})
            message = f"{type(error).__name__} in the {job.source.connector} connector: {error}"
            _fail(job, outcome, raw, "bug", message)

    def write(batch: Sequence[Unit]) -> None:
        _write(job, batch, outcome, now=now)

    for unit, refusal in isolating.write_all(units, write):
        _fail(job, outcome, unit.raw, RecordError.error_type, isolating.reason(refusal))
    if gone := [raw for raw in raws if raw.is_deleted and raw.id not in outcome.words]:
        _delete(job, job.stream.kind, gone, outcome)


def _kind(job: CollectionJob, refine: Refine, raw: Raw) -> Kind:
    """:raises TypeError: if the connector made something else of the record than the stream's kind"""
    kind = refine(exact_json.loads(raw.body))
    if not isinstance(kind, KINDS[job.stream.kind]):
        raise TypeError(f"the stream holds {job.stream.kind} records, got {type(kind).__name__}")
    return kind


def _newest(raws: Sequence[Raw], outcome: Outcome) -> list[Raw]:
    """
    Keep one version per object; an upsert cannot touch a row twice, and only the newest would stay.

    Sorted by key, so that halves of a refused batch lock rows in the order in which others do.
    """
    newest: dict[str, Raw] = {}
    for raw in raws:
        held = newest.get(raw.external_id)
        if held is None or _supersedes(raw, held):
            newest[raw.external_id] = raw
    outcome.words.update((raw.id, "skipped") for raw in raws if newest[raw.external_id] is not raw)
    return [newest[external_id] for external_id in sorted(newest)]


def _supersedes(raw: Raw, held: Raw) -> bool:
    """Tell which is newer by the provider's clock; where that does not say, what arrived later is."""
    if raw.updated_at and held.updated_at and not (raw.is_deleted or held.is_deleted):
        return (held.updated_at, held.version) < (raw.updated_at, raw.version)
    return held.version < raw.version


def _fail(job: CollectionJob, outcome: Outcome, raw: Raw, error_type: str, error: str) -> None:
    outcome.words[raw.id] = "failed"
    outcome.letters.append(
        deadletters.Letter(
            external_id=raw.external_id,
            kind=job.stream.kind,
            raw_id=raw.id,
            raw_data=deadletters.storable_payload(raw.body),
            error_type=error_type,
            error=deadletters.storable_text(error),
            fingerprint=deadletters.fingerprint(raw.external_id, raw.body),
        )
    )


def fail_all(
    job: CollectionJob, raws: Sequence[Raw], outcome: Outcome, *, error_type: str, reason: str
) -> None:
    """Make a dead letter of each record."""
    for raw in raws:
        _fail(job, outcome, raw, error_type, reason)


def _write(job: CollectionJob, units: Sequence[Unit], outcome: Outcome, *, now: datetime) -> None:
    """Upsert the batch's records, then their children; note the outcome once all of it is written."""
    kind = type(units[0].kind)
    batch = Outcome()
    ids = tables.uuid7s(int(now.timestamp() * 1000))
    rows = [_row(unit, ids, now=now) for unit in units]
    written = _upsert(job, kind.kind, rows, batch)
    kept = [unit for unit in units if unit.raw.external_id in written]
    for name, child_kind in kind.children.items():
        relation = tables.relation_to(kind.kind, of=child_kind)
        child_rows = _child_rows(kept, name, relation, written, ids, now=now)
        changed = [one.id for one in written.values() if not one.is_new]
        left = tables.delete_orphans(relation, changed, [row["external_id"] for row in child_rows])
        children = tables.upsert_children(relation, child_rows, source_id=job.source_id)
        batch.note(child_kind, new=children.new, changed=children.changed, days=children.days | left)
    _merge(outcome, batch)
    outcome.understood.update(unit.raw.id for unit in units)
    for unit in units:
        parent = written.get(unit.raw.external_id)
        outcome.words[unit.raw.id] = (
            "skipped" if parent is None else "inserted" if parent.is_new else "updated"
        )


def _upsert(
    job: CollectionJob, kind: str, rows: list[tables.Row], outcome: Outcome
) -> dict[str, tables.Upserted]:
    written = tables.upsert(kind, rows, source_id=job.source_id)
    days = {one.day for one in written} | {one.day_left for one in written if one.day_left}
    is_new = sum(one.is_new for one in written)
    outcome.note(kind, new=is_new, changed=len(written) - is_new, days=days)
    return {one.external_id: one for one in written}


def _merge(outcome: Outcome, batch: Outcome) -> None:
    outcome.new += batch.new
    outcome.changed += batch.changed
    for kind, days in batch.days.items():
        outcome.days.setdefault(kind, set()).update(days)


def _row(unit: Unit, ids: Iterator[str], *, now: datetime) -> tables.Row:
    # The key under which it is kept raw, whatever the room made of it.
    return _common(unit.kind, unit, ids, now=now) | {"external_id": unit.raw.external_id}


def _common(kind: Kind, unit: Unit, ids: Iterator[str], *, now: datetime) -> tables.Row:
    """Return the row of a record or of a child, which falls back to its record's times."""
    row = tables.row_of(kind)
    row["id"] = next(ids)
    row["raw_id"] = unit.raw.id
    row["source_updated_at"] = kind.updated_at or unit.kind.updated_at or unit.raw.updated_at
    row["occurred_at"] = occurred_at = kind.occurred_at or unit.kind.occurred_at
    row["day"] = (occurred_at or now).astimezone(UTC).date()
    if row.get("email"):
        # One spelling, so that an index finds it; raw keeps theirs.
        row["email"] = row["email"].strip().lower()
    return row


def _child_rows(
    units: Sequence[Unit],
    name: str,
    relation: tables.Relation,
    parents: Mapping[str, tables.Upserted],
    ids: Iterator[str],
    *,
    now: datetime,
) -> list[tables.Row]:
    rows: dict[str, tables.Row] = {}
    for unit in units:
        external_id = unit.raw.external_id
        parent_id = parents[external_id].id
        for child in getattr(unit.kind, name):
            row = _common(child, unit, ids, now=now)
            row[relation.column] = parent_id
            row[relation.external_id_column] = external_id
            rows[child.external_id] = row
    return list(rows.values())


def _delete(job: CollectionJob, kind: str, raws: Sequence[Raw], outcome: Outcome) -> None:
    rows = [{"external_id": raw.external_id, "deleted_at": raw.updated_at, "raw_id": raw.id} for raw in raws]
    gone = tables.mark_deleted(kind, rows, source_id=job.source_id)
    outcome.note(kind, changed=len(gone), days={one.day for one in gone})
    for child_kind in KINDS[kind].children.values():
        relation = tables.relation_to(kind, of=child_kind)
        outcome.note(child_kind, days=tables.mark_children_deleted(relation, [one.id for one in gone]))
    outcome.understood.update(raw.id for raw in raws)
    found = {one.external_id for one in gone}
    outcome.words.update((raw.id, "updated" if raw.external_id in found else "skipped") for raw in raws)
