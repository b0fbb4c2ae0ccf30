"""
Fields that come, go, or change their type: noted once per stream, with a sample, while the sync goes on.

Looked at where payloads are decoded anyway, for about half a microsecond each: a record is compared as a
whole with the shapes this worker knows, and taken apart only if its shape is new.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import NoneType
from typing import Any

from django.db import transaction

from connectors import exact_json
from connectors.errors import RecordError
from ingest import deadletters
from ingest.models import CollectionJob, FieldChange

log = logging.getLogger(__name__)

Change = FieldChange.Change

# Of a large batch of wide records every so many are looked at; a change that matters is in many of them.
LOOKED_AT_ALL = 32
FIELDS_PER_LOOK = 4
#: Records per batch whose objects are looked into.
LOOKED_INTO = 4
#: A field that every record had is missed after so many without it, a rare one after this many times its gap.
MISSED_AFTER = 500
GAPS = 20
# Objects whose keys are ids have no fields; without a bound each id would be news.
FIELDS_PER_OBJECT = 100
FIELDS_PER_STREAM = 1_000
SHAPES_KEPT = 10_000
SAMPLE_CHARACTERS = 200
MAX_PATH = 255

_NAMES: dict[type, str] = {
    str: "text",
    int: "number",
    Decimal: "number",
    bool: "boolean",
    dict: "object",
    list: "list",
    NoneType: "null",
}


@dataclass(slots=True)
class _Field:
    """What this worker knows of a field."""

    types: set[str] = field(default_factory=set)
    #: Of the records, how many have it.
    share: float = 1.0
    #: Records in a row without it.
    missed: int = 0
    is_gone: bool = False


@dataclass(slots=True)
class _Watch:
    """What this worker knows of a stream's payloads."""

    fields: dict[str, _Field] = field(default_factory=dict)
    #: Which names records have. Nulls make many shapes of the same names.
    names: dict[tuple[str, ...], int] = field(default_factory=dict)
    #: By shape (a hash of names and types) the number of its names.
    shapes: dict[int, int] = field(default_factory=dict)
    #: Fields by the object they are in, to bound them; "" is the record itself.
    sizes: Counter[str] = field(default_factory=Counter)

    def add(self, path: str) -> _Field:
        self.sizes[path.rpartition(".")[0]] += 1
        return self.fields.setdefault(path, _Field())


_watches: dict[int, _Watch] = {}


def _watch(stream_id: int) -> _Watch:
    """Return what is known of the stream, at first from what was noted before."""
    if stream_id not in _watches:
        watch = _Watch()
        noted = FieldChange.objects.filter(stream=stream_id).order_by("pk")
        for path, change, name, share in noted.values_list("path", "change", "type", "share"):
            known = watch.fields.get(path) or watch.add(path)
            if change == Change.VANISHED:
                known.is_gone = True
            else:
                known.types.add(name)
            if change == Change.FIRST_SEEN:
                known.share = share
        _watches[stream_id] = watch
    return _watches[stream_id]


class Look:
    """One batch of a job's payloads, looked at on the way."""

    def __init__(self, job: CollectionJob) -> None:
        self._job = job
        self._watch = _watch(job.stream_id)
        self._passed = 0
        self._stride = 0
        self._tally: dict[int, int] = {}
        self._shapes: dict[int, int] = {}
        #: How many records had a field, and how many could have: one level down, those with the object.
        self._with: Counter[str] = Counter()
        self._inside: Counter[str] = Counter()
        #: By path, and by change and type.
        self._news: dict[str, dict[tuple[str, str], FieldChange]] = {}
        self._room = FIELDS_PER_STREAM - len(self._watch.fields)
        self._sizes = self._watch.sizes.copy()

    def see(self, external_id: str, payload: Any) -> None:
        """Look at one payload."""
        passed = self._passed
        self._passed = passed + 1
        if type(payload) is not dict or (passed >= LOOKED_AT_ALL and passed % self._stride):
            return
        shape = hash((*payload, *map(type, payload.values())))
        seen = self._tally.get(shape)
        self._tally[shape] = 1 if seen is None else seen + 1
        if seen is None:
            self._learn(shape, external_id, payload)
        if passed < LOOKED_INTO:
            self._look_into(external_id, payload)

    def _learn(self, shape: int, external_id: str, payload: Mapping[str, Any]) -> None:
        self._stride = max(self._stride, 1 + len(payload) // FIELDS_PER_LOOK)
        number = self._watch.shapes.get(shape)
        if number is None:
            number = self._watch.names.setdefault(tuple(payload), len(self._watch.names))
            self._compare("", external_id, payload)
        self._shapes[shape] = number

    def _look_into(self, external_id: str, payload: Mapping[str, Any]) -> None:
        for name, value in payload.items():
            if type(value) is dict:
                self._inside[name] += 1
                self._compare(name, external_id, value)
                self._with.update(f"{name}.{inner}" for inner in value)

    def _compare(self, owner: str, external_id: str, values: Mapping[str, Any]) -> None:
        """Note what is not known yet of these fields."""
        for name, value in values.items():
            path = f"{owner}.{name}" if owner else name
            if len(path) > MAX_PATH:
                continue
            kind = _NAMES.get(type(value), "text")
            known = self._watch.fields.get(path)
            if known is None:
                if path in self._news or self._has_room(owner):
                    self._note(path, Change.FIRST_SEEN, kind, external_id, value)
            elif kind not in known.types and kind != "null":
                # A field that was always null had no type to change.
                is_change = bool(known.types - {"null"})
                self._note(path, Change.RETYPED if is_change else Change.FIRST_SEEN, kind, external_id, value)

    def _has_room(self, owner: str) -> bool:
        """Tell whether one more field may be noted, and count it."""
        if self._room <= 0 or (owner and self._sizes[owner] >= FIELDS_PER_OBJECT):
            return False
        self._room -= 1
        self._sizes[owner] += 1
        return True

    def _note(self, path: str, change: str, kind: str, external_id: str, value: Any) -> None:
        others = self._news.setdefault(path, {})
        if any(noted == kind for _, noted in others) or (kind == "null" and others):
            return
        others.pop((change, "null"), None)  # now that it says what it is
        if others and change == Change.FIRST_SEEN:
            change = Change.RETYPED
        others[change, kind] = FieldChange(
            stream_id=self._job.stream_id,
            path=path,
            change=change,
            type=kind,
            is_initial=self._job.stream.last_success_at is None,
            sample=_sample(value),
            external_id=external_id,
            job_id=self._job.pk,
        )

    def close(self) -> None:
        """Note what is new once the batch is committed, and what has been missing for long."""
        looked_at = sum(self._tally.values())
        if not looked_at:
            return
        self._count_names()
        for path, known in self._watch.fields.items():
            self._miss(path, known, looked_at)
        for change in self._changes():
            change.share = self._with[change.path] / max(self._chances(change.path, looked_at), 1)
        if self._news:
            transaction.on_commit(self._publish, robust=True)
        else:
            self._remember_shapes()

    def _count_names(self) -> None:
        numbers: Counter[int] = Counter()
        for shape, count in self._tally.items():
            numbers[self._shapes[shape]] += count
        listings = list(self._watch.names)
        for number, count in numbers.items():
            for name in listings[number]:
                self._with[name] += count

    def _chances(self, path: str, looked_at: int) -> int:
        owner = path.rpartition(".")[0]
        return self._inside[owner] if owner else looked_at

    def _miss(self, path: str, known: _Field, looked_at: int) -> None:
        if self._with[path]:
            known.missed, known.is_gone = 0, False
            return
        known.missed += self._chances(path, looked_at)
        if not known.is_gone and known.missed >= max(MISSED_AFTER, GAPS / max(known.share, 0.001)):
            kinds = sorted(known.types - {"null"}) or ["null"]
            self._note(path, Change.VANISHED, kinds[-1], "", None)

    def _changes(self) -> list[FieldChange]:
        return [change for noted in self._news.values() for change in noted.values()]

    def _publish(self) -> None:
        changes = self._changes()
        FieldChange.objects.bulk_create(changes, ignore_conflicts=True)
        for change in changes:
            known = self._watch.fields.get(change.path) or self._watch.add(change.path)
            known.is_gone = change.change == Change.VANISHED
            if not known.is_gone:
                known.types.add(change.type)
            if change.change == Change.FIRST_SEEN:
                known.share = change.share
        self._remember_shapes()
        self._log(changes)

    def _remember_shapes(self) -> None:
        if len(self._watch.shapes) > SHAPES_KEPT or len(self._watch.names) > SHAPES_KEPT:
            self._watch.shapes.clear()
            self._watch.names.clear()
            return
        self._watch.shapes.update(self._shapes)

    def _log(self, changes: list[FieldChange]) -> None:
        if told := [f"{one.path} {one.change.lower()}" for one in changes if not one.is_initial]:
            log.warning("fields changed", extra={"stream": self._job.stream_id, "fields": ", ".join(told)})


def _sample(value: Any) -> str:
    try:
        text = exact_json.dumps(value).decode()
    except RecordError:
        return ""
    return deadletters.storable_text(text[:SAMPLE_CHARACTERS])
