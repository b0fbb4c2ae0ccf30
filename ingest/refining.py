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
from itertools import islice
from typing import Any

from connectors import exact_json
from connectors.base import Json
from connectors.errors import RecordError
from connectors.kinds import KINDS, Kind
from ingest import deadletters, drift, isolating, tables
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
    look = drift.Look(job)
    for raw in _newest(raws, outcome):
        if raw.is_deleted:
            continue
        try:
            units.append(Unit(raw, _kind(job, refine, raw, look)))
        except RecordError as error:
            _fail(job, outcome, raw, error.error_type, str(error))
        except Exception as error:
            # A mistake in a room must cost the record it trips over, not the run; the log has the trace.
            log.exception("refining failed", extra={"job": job.pk, "raw": raw.id})
            message = f"{type(error).__name__} in the {job.source.connector} connector: {error}"
            _fail(job, outcome, raw, "bug", message)

    look.close()

    def write(batch: Sequence[Unit]) -> None:
        _write(job, batch, outcome, now=now)

    for unit, refusal in isolating.write_all(units, write):
        _fail(job, outcome, unit.raw, RecordError.error_type, isolating.reason(refusal))
    if gone := [raw for raw in raws if raw.is_deleted and raw.id not in outcome.words]:
        _delete(job, job.stream.kind, gone, outcome)


def _kind(job: CollectionJob, refine: Refine, raw: Raw, look: drift.Look) -> Kind:
    """:raises TypeError: if the connector made something else of the record than the stream's kind"""
    payload = exact_json.loads(raw.body)
    look.see(raw.external_id, payload)
    kind = refine(payload)
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


@dataclass(frozen=True, slots=True)
class _Batch:
    """One write: for which job, when, with ids for new rows, and what came of it."""

    job: CollectionJob
    now: datetime
    ids: Iterator[str]
    outcome: Outcome = field(default_factory=Outcome)


def _write(job: CollectionJob, units: Sequence[Unit], outcome: Outcome, *, now: datetime) -> None:
    """Upsert the batch's records, then their children; note the outcome once all of it is written."""
    kind = type(units[0].kind)
    batch = _Batch(job, now, tables.uuid7s(int(now.timestamp() * 1000)))
    rows = _columns(kind.kind, [(unit.kind, unit) for unit in units], batch)
    # The key under which it is kept raw, whatever the room made of it.
    rows["external_id"] = [unit.raw.external_id for unit in units]
    written = _upsert(batch, kind.kind, rows)
    kept = [unit for unit in units if unit.raw.external_id in written]
    for name in kind.children:
        # Where the source does not say, those that are there stay.
        if told := [unit for unit in kept if getattr(unit.kind, name) is not None]:
            _replace_children(batch, name, told, written)
    _merge(outcome, batch.outcome)
    outcome.understood.update(unit.raw.id for unit in units)
    for unit in units:
        parent = written.get(unit.raw.external_id)
        outcome.words[unit.raw.id] = (
            "skipped" if parent is None else "inserted" if parent.is_new else "updated"
        )


def _upsert(batch: _Batch, kind: str, rows: tables.Columns) -> dict[str, tables.Upserted]:
    written = tables.upsert(kind, rows, source_id=batch.job.source_id)
    days = {one.day for one in written} | {one.day_left for one in written if one.day_left}
    is_new = sum(one.is_new for one in written)
    batch.outcome.note(kind, new=is_new, changed=len(written) - is_new, days=days)
    return {one.external_id: one for one in written}


def _replace_children(
    batch: _Batch, name: str, units: Sequence[Unit], parents: Mapping[str, tables.Upserted]
) -> None:
    """Write the children that the field of that name holds, and delete those that are there no more."""
    kind = type(units[0].kind)
    relation = tables.relation_to(kind.kind, of=kind.children[name])
    children = {child.external_id: (child, unit) for unit in units for child in getattr(unit.kind, name)}
    written = [parents[unit.raw.external_id] for unit in units]
    orphaned = tables.delete_orphans(relation, [one.id for one in written if not one.is_new], list(children))
    batch.outcome.note(relation.kind, days=orphaned)
    if children:
        _write_children(batch, relation, list(children.values()), parents)


def _write_children(
    batch: _Batch,
    relation: tables.Relation,
    children: Sequence[tuple[Kind, Unit]],
    parents: Mapping[str, tables.Upserted],
) -> None:
    rows = _columns(relation.kind, children, batch)
    rows[relation.external_id_column] = [unit.raw.external_id for _, unit in children]
    rows[relation.column] = [parents[unit.raw.external_id].id for _, unit in children]
    summary = tables.upsert_children(relation, rows, source_id=batch.job.source_id)
    batch.outcome.note(relation.kind, new=summary.new, changed=summary.changed, days=summary.days)


def _merge(outcome: Outcome, batch: Outcome) -> None:
    outcome.new += batch.new
    outcome.changed += batch.changed
    for kind, days in batch.days.items():
        outcome.days.setdefault(kind, set()).update(days)


def _columns(kind: str, records: Sequence[tuple[Kind, Unit]], batch: _Batch) -> tables.Columns:
    """Return the rows of records, or of children, which fall back to their record's times."""
    rows = tables.columns_of(kind, [record for record, _ in records])
    moments = [record.occurred_at or unit.kind.occurred_at for record, unit in records]
    rows["id"] = list(islice(batch.ids, len(records)))
    rows["raw_id"] = [unit.raw.id for _, unit in records]
    rows["source_updated_at"] = [
        record.updated_at or unit.kind.updated_at or unit.raw.updated_at for record, unit in records
    ]
    rows["occurred_at"] = moments
    rows["day"] = [(moment or batch.now).astimezone(UTC).date() for moment in moments]
    if "email" in rows:
        # One spelling, so that an index finds it; raw keeps theirs.
        rows["email"] = [email and email.strip().lower() for email in rows["email"]]
    return rows


def _delete(job: CollectionJob, kind: str, raws: Sequence[Raw], outcome: Outcome) -> None:
    rows = [{"external_id": raw.external_id, "deleted_at": raw.updated_at, "raw_id": raw.id} for raw in raws]
    gone = tables.mark_deleted(kind, rows, source_id=job.source_id)
    outcome.note(kind, changed=len(gone), days={one.day for one in gone})
    for child_kind in KINDS[kind].children.values():
        relation = tables.relation_to(kind, of=child_kind)
        if days := tables.mark_children_deleted(relation, [one.id for one in gone]):
            outcome.note(child_kind, days=days)
    outcome.understood.update(raw.id for raw in raws)
    found = {one.external_id for one in gone}
    outcome.words.update((raw.id, "updated" if raw.external_id in found else "skipped") for raw in raws)
