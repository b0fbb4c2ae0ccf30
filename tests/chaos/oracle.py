"""
What must hold in the end, asked of PostgreSQL in one read per question; the ledger says what was served.

Nothing here trusts a counter or a state of the product: everything is computed again from rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from connectors.kinds import KINDS
from ingest.models import REFINED_MODELS, SourceStream
from tests.chaos import recounting

#: What is wrong with records that cannot be told by their id.
ID_DEFECTS = frozenset({"missing_id", "long_id"})
#: Streams of parts of others' records: what goes bad lists its parts no more, and nobody says they are gone.
PARTS = frozenset({"transactions", "inventory_items"})
#: A dataset's newest versions by external id, as the sandbox's ledger lists them.
Newest = Mapping[str, Mapping[str, Any]]


class Difference(NamedTuple):
    """Something that is not as it must be."""

    #: lost, doubled, stale, letters, counters, metrics or jobs.
    what: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.what}: {self.where}: {self.detail}"


def differences(ledgers: Mapping[SourceStream, Newest]) -> list[Difference]:
    """Return all that is wrong; an empty list is the proof."""
    found = [Difference(*row) for question in recounting.QUESTIONS for row in _rows(question)]
    for stream, newest in ledgers.items():
        found.extend(_unlike(stream, newest))
    return found


def _unlike(stream: SourceStream, newest: Newest) -> Iterator[Difference]:
    good = {name: said["sha256"] for name, said in newest.items() if not said["bad"]}
    bad = {name: said for name, said in newest.items() if said["bad"]}
    table = REFINED_MODELS[stream.kind]._meta.db_table
    for layer, held in (
        ("raw", _pairs(_RAW, stream=stream.pk)),
        ("refined", _pairs(_REFINED.format(table=table), stream=stream.pk, source=stream.source_id)),
    ):
        where = f"{stream.source}/{stream.name} {layer}"
        yield from _named("lost", where, good.keys() - held.keys())
        if stream.name not in PARTS:
            yield from _named("doubled", where, held.keys() - newest.keys(), "not in the ledger")
        yield from _named(
            "stale", where, {name for name in good.keys() & held.keys() if good[name] != held[name]}
        )
    yield from _unlike_children(stream)
    yield from _unlike_letters(stream, bad)


def _named(what: str, where: str, names: Iterable[str], why: str = "") -> Iterator[Difference]:
    for name in sorted(names):
        yield Difference(what, where, f"{name} {why}".strip())


_RAW = """
    SELECT DISTINCT ON (external_id) external_id, encode(body_hash, 'hex')
      FROM ingest_rawrecord WHERE stream_id = %(stream)s
     ORDER BY external_id, version DESC
"""
#: By the raw version a row was built from: streams of one source may share a table.
_REFINED = """
    SELECT held.external_id, encode(raw.body_hash, 'hex')
      FROM {table} held JOIN ingest_rawrecord raw ON raw.id = held.raw_id
     WHERE raw.stream_id = %(stream)s AND held.source_id = %(source)s AND held.deleted_at IS NULL
       AND raw.external_id = held.external_id
"""
#: Children as the parent's raw version lists them, against the rows that name the parent.
_CHILDREN = """
    WITH served AS (
        SELECT parent.id AS parent_id, parent.raw_id, child ->> 'id' AS external_id
          FROM {parent} parent JOIN ingest_rawrecord raw ON raw.id = parent.raw_id,
               json_array_elements(raw.payload -> '{path}') child
         WHERE raw.stream_id = %(stream)s
    ), held AS (
        SELECT child.external_id, child.{column} AS parent_id, child.raw_id
          FROM {child} child JOIN {parent} parent ON parent.id = child.{column}
          JOIN ingest_rawrecord raw ON raw.id = parent.raw_id
         WHERE raw.stream_id = %(stream)s AND child.deleted_at IS NULL
    )
    SELECT CASE WHEN held.external_id IS NULL THEN 'lost'
                WHEN served.external_id IS NULL THEN 'doubled' ELSE 'stale' END,
           '{child}', COALESCE(held.external_id, served.external_id)
      FROM served FULL JOIN held USING (parent_id, external_id)
     WHERE held.raw_id IS DISTINCT FROM served.raw_id
"""
#: Where a payload lists its children, by the child's kind; others come by calls of their own.
_PATHS = {
    "order_line": "line_items",
    "refund": "refunds",
    "fulfillment": "fulfillments",
    "product_variant": "variants",
    "product_image": "images",
}


def _unlike_children(stream: SourceStream) -> Iterator[Difference]:
    for child_kind in _PATHS.keys() & set(KINDS[stream.kind].children.values()):
        sql = _CHILDREN.format(
            parent=REFINED_MODELS[stream.kind]._meta.db_table,
            child=REFINED_MODELS[child_kind]._meta.db_table,
            column=f"{stream.kind}_id",
            path=_PATHS[child_kind],
        )
        for what, table, name in _rows(sql, stream=stream.pk):
            yield Difference(what, f"{stream.source}/{stream.name} {table}", name)


_LETTERS = """
    SELECT fingerprint, raw_data::text FROM ingest_failedsync
     WHERE stream_id = %(stream)s AND resolved_at IS NULL
"""


def _unlike_letters(stream: SourceStream, bad: Newest) -> Iterator[Difference]:
    """Each bad record has an open letter of its own, and the letter holds what was served."""
    letters = _pairs(_LETTERS, stream=stream.pk)
    where = f"{stream.source}/{stream.name} letters"
    for name, said in sorted(bad.items()):
        digest = _fingerprint(name, said)
        if digest not in letters:
            yield Difference("lost", where, f"{name} is bad ({said['bad']}) and has no open letter")
        elif _changed_at(letters[digest]) not in (None, _moment(said["updated_at"])):
            yield Difference("stale", where, f"the letter of {name} ({said['bad']}) holds another payload")


def _changed_at(raw_data: str) -> datetime | None:
    """
    Return which version of its object a letter holds; None where objects do not say.

    What cannot be read is written down as text.
    """
    payload = json.loads(raw_data)
    if payload.keys() == {"unreadable"}:
        payload = json.loads(payload["unreadable"])
    return _moment(payload["updated_at"]) if "updated_at" in payload else None


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _fingerprint(name: str, said: Mapping[str, Any]) -> str:
    """Return by what a letter tells its object again: the id where there is a usable one, else the body."""
    if said["bad"] in ID_DEFECTS:
        return str(said["sha256"])
    return hashlib.sha256(f"id {name}".encode()).hexdigest()


def _pairs(sql: str, **parameters: Any) -> dict[str, Any]:
    return dict(_rows(sql, **parameters))


def _rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
