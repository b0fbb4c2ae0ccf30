"""
Upserts into the refined tables: one COPY and one statement per table and batch, rows sorted by key.

The SQL of each kind is derived once from its model and its struct, so a new kind needs no SQL.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import connection
from msgspec.structs import astuple

from connectors import exact_json
from connectors.kinds import KINDS, Kind
from ingest import copying
from ingest.models import REFINED_MODELS, RefinedRecord

Row = dict[str, Any]
#: Rows by column, each as long as there are rows.
Columns = dict[str, Sequence[Any]]

# The struct calls it updated_at; among our own created_at and synced_at that would mislead.
_RENAMED = {"updated_at": "source_updated_at"}
_EXTERNAL_ID = "_external_id"
_DAY_LEFT = "NULLIF(previous_day, day)"


class Upserted(NamedTuple):
    """A row that was written; rows kept back because we hold a newer version are not among them."""

    external_id: str
    #: The row's UUID as text: it goes on as text, and a batch has thousands.
    id: str
    is_new: bool
    #: The day it counts for, and where that was another before, that one too (ISO).
    day: str
    day_left: str | None


class Summary(NamedTuple):
    """What an upsert of rows came to whose ids nobody asks for."""

    new: int
    changed: int
    days: set[str]


@dataclass(frozen=True, slots=True)
class Deleted:
    """A row that was marked as gone."""

    external_id: str
    id: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A foreign key named from outside by external id: `customer` through `customer_external_id`."""

    kind: str
    target_kind: str
    column: str
    external_id_column: str

    @property
    def table(self) -> str:
        return REFINED_MODELS[self.kind]._meta.db_table

    @property
    def target_table(self) -> str:
        return REFINED_MODELS[self.target_kind]._meta.db_table

    @property
    def has_dangling_index(self) -> bool:
        """Tell whether rows that wait for their target are found without reading the table."""
        waiting = ["source", self.external_id_column]
        return any(index.fields == waiting for index in REFINED_MODELS[self.kind]._meta.indexes)


def uuid7s(milliseconds: int) -> Iterator[str]:
    """
    Yield time-ordered UUIDs (RFC 9562) as 32 hex digits: new rows land side by side in the index.

    They count up from a random start, as the RFC allows; drawing each anew costs more than its row's text.
    """
    start = int.from_bytes(os.urandom(9))
    high = (milliseconds & (2**48 - 1)) << 80 | 7 << 76 | (start & 0xFFF) << 64 | 2 << 62
    return (f"{high | low:032x}" for low in itertools.count(start >> 12 & (2**60 - 1)))


def columns_of(kind: str, records: Sequence[Kind]) -> Columns:
    """Return the kind's own columns; children are left out."""
    # Whole rows, and turned: several times as fast as asking each record for each of its fields.
    columns = zip(*map(astuple, records), strict=True)
    values = dict(zip(KINDS[kind].__struct_fields__, columns, strict=True))
    return {column: values[name] for name, column in _columns(kind).items()}


@cache
def _columns(kind: str) -> dict[str, str]:
    cls = KINDS[kind]
    names = (name for name in cls.__struct_fields__ if name not in cls.children)
    return {name: _RENAMED.get(name, name) for name in names}


@cache
def relations(kind: str) -> tuple[Relation, ...]:
    """Return the relations a kind names by external id."""
    model = REFINED_MODELS[kind]
    by_model = {target: name for name, target in REFINED_MODELS.items()}
    names = [
        column.removesuffix(_EXTERNAL_ID)
        for column in _columns(kind).values()
        if column.endswith(_EXTERNAL_ID)
    ]
    return tuple(
        Relation(
            kind=kind,
            target_kind=by_model[_target(model, name)],
            column=f"{name}_id",
            external_id_column=f"{name}{_EXTERNAL_ID}",
        )
        for name in names
    )


def relation_to(parent_kind: str, *, of: str) -> Relation:
    """Return the relation through which a child kind names its parent."""
    return next(relation for relation in relations(of) if relation.target_kind == parent_kind)


def _target(model: type[RefinedRecord], name: str) -> type[RefinedRecord]:
    target = model._meta.get_field(name).related_model
    assert isinstance(target, type)  # noqa: S101 - for the type checker
    assert issubclass(target, RefinedRecord)  # noqa: S101
    return target


def upsert(kind: str, rows: Columns, *, source_id: int) -> list[Upserted]:
    """
    Write the rows, unless a newer version is there, and return those written.

    Rows carry the kind's columns and id, raw_id, day; keys must be unique within the batch.
    """
    statements = _upsert_of(kind, None)
    write = f"{statements.write} RETURNING external_id, id::text, xmax = 0, day::text, {_DAY_LEFT}::text"
    return [Upserted(*row) for row in _staged(statements, write, rows, source_id)]


def upsert_children(parent: Relation, rows: Columns, *, source_id: int) -> Summary:
    """Write rows that carry the id of their parent's row, too, as `upsert` does; return the sums."""
    statements = _upsert_of(parent.kind, parent)
    write = f"""
        WITH written AS ({statements.write} RETURNING xmax = 0 AS is_new, day, {_DAY_LEFT} AS day_left)
        SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new),
               (array_agg(DISTINCT day)
                || array_agg(DISTINCT day_left) FILTER (WHERE day_left IS NOT NULL))::text[]
          FROM written
        """  # noqa: S608
    ((new, changed, days),) = _staged(statements, write, rows, source_id)
    return Summary(new, changed, set(days or ()))


def _staged(statements: _Upsert, write: str, rows: Columns, source_id: int) -> list[tuple[Any, ...]]:
    """Copy the rows into a table of this connection's own, and upsert from there."""
    lines = copying.lines_of([rows[name] for name in statements.columns])
    with connection.cursor() as cursor:
        cursor.execute(statements.empty_stage)
        with connection.wrap_database_errors:  # Django does so for what it knows, which is not COPY
            cursor.copy_expert(statements.copy, io.BytesIO(lines))
        cursor.execute(write, {"source": source_id})
        return list(cursor.fetchall())


def delete_orphans(parent: Relation, parent_ids: list[str], kept: list[str]) -> set[str]:
    """Delete children that the given parents no longer have; return the days (ISO) they counted for."""
    if not parent_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            DELETE FROM {parent.table} child
             WHERE child.{parent.column} = ANY(%s::uuid[])
               AND NOT EXISTS (SELECT 1 FROM unnest(%s::text[]) kept (id) WHERE kept.id = child.external_id)
            RETURNING child.day::text
            """,  # noqa: S608
            [parent_ids, kept],
        )
        return {row[0] for row in cursor.fetchall()}


def mark_deleted(kind: str, rows: Sequence[Row], *, source_id: int) -> list[Deleted]:
    """Note on live rows that the provider says they are gone; return the rows found."""
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {REFINED_MODELS[kind]._meta.db_table} held
               SET deleted_at = COALESCE(gone.deleted_at, clock_timestamp()), raw_id = gone.raw_id,
                   synced_at = clock_timestamp()
              FROM jsonb_to_recordset(%s::jsonb)
                   AS gone (external_id text, deleted_at timestamptz, raw_id bigint)
             WHERE held.source_id = %s AND held.external_id = gone.external_id
               AND held.deleted_at IS NULL AND COALESCE(held.raw_id, 0) < gone.raw_id
            RETURNING held.external_id, held.id::text, held.day::text
            """,  # noqa: S608
            [exact_json.dumps(list(rows)).decode(), source_id],
        )
        return [Deleted(*row) for row in cursor.fetchall()]


def mark_children_deleted(parent: Relation, parent_ids: list[str]) -> set[str]:
    """Let children go with their parents; return the days (ISO) they counted for."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {parent.table} SET deleted_at = clock_timestamp(), synced_at = clock_timestamp()
             WHERE {parent.column} = ANY(%s::uuid[]) AND deleted_at IS NULL
            RETURNING day::text
            """,  # noqa: S608
            [parent_ids],
        )
        return {row[0] for row in cursor.fetchall()}


def link_waiting(relation: Relation, *, source_id: int) -> int:
    """Point rows at targets that arrived after them; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE {relation.table} waiting SET {relation.column} = target.id
              FROM {relation.target_table} target
             -- Asked once: where nothing of that kind is synced, no waiting row is looked at.
             WHERE (SELECT EXISTS (SELECT 1 FROM {relation.target_table} WHERE source_id = %(source)s))
               AND waiting.source_id = %(source)s AND waiting.{relation.column} IS NULL
               AND waiting.{relation.external_id_column} IS NOT NULL
               AND target.source_id = %(source)s
               AND target.external_id = waiting.{relation.external_id_column}
            """,  # noqa: S608
            {"source": source_id},
        )
        return int(cursor.rowcount)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upsert:
    """The statements that write rows of one kind."""

    columns: tuple[str, ...]
    empty_stage: str
    copy: str
    #: What it returns is for the caller to add.
    write: str


@cache
def _upsert_of(kind: str, parent: Relation | None) -> _Upsert:
    model = REFINED_MODELS[kind]
    given = ["id", "raw_id", "day", *_columns(kind).values()]
    if parent:
        given.append(parent.column)
    typed = _typed(model, given)
    # Named by its columns: a connection may outlive the code that made its stage.
    stage = f"stage_{model._meta.db_table}_{sha256(typed.encode()).hexdigest()[:8]}"
    linked = [relation for relation in relations(kind) if relation != parent]
    targets = [*given, *(relation.column for relation in linked)]
    looked_up = [_look_up(relation) for relation in linked]
    updated = [f"{name} = EXCLUDED.{name}" for name in targets if name not in ("id", "day", "external_id")]
    day = "CASE WHEN EXCLUDED.occurred_at IS NULL THEN held.day ELSE EXCLUDED.day END"
    return _Upsert(
        columns=tuple(given),
        # An earlier batch of the same transaction may have left its rows.
        empty_stage=f"""
        CREATE TEMPORARY TABLE IF NOT EXISTS {stage} ({typed}) ON COMMIT DELETE ROWS;
        DELETE FROM {stage}
        """,  # noqa: S608
        copy=f"COPY {stage} ({', '.join(given)}) FROM STDIN",
        # Sorted, so that all writers lock rows in one order.
        write=f"""
        INSERT INTO {model._meta.db_table} AS held (source_id, {", ".join(targets)})
        SELECT %(source)s, {", ".join([*(f"new.{name}" for name in given), *looked_up])}
          FROM {stage} new ORDER BY new.external_id COLLATE "C"
        ON CONFLICT (source_id, external_id) DO UPDATE
           SET {", ".join(updated)}, deleted_at = NULL, synced_at = clock_timestamp(),
               day = {day}, previous_day = held.day
         WHERE CASE WHEN held.source_updated_at <> EXCLUDED.source_updated_at
                    THEN held.source_updated_at < EXCLUDED.source_updated_at
                    ELSE COALESCE(held.raw_id, 0) <= EXCLUDED.raw_id END
        """,  # noqa: S608 - table and column names are our own
    )


def _look_up(relation: Relation) -> str:
    of_source = f"FROM {relation.target_table} target WHERE target.source_id = %(source)s"
    # Asked once per statement: of a kind that is not synced no row needs to be looked for.
    return (
        f"CASE WHEN (SELECT EXISTS (SELECT 1 {of_source}))"
        f" THEN (SELECT target.id {of_source} AND target.external_id = new.{relation.external_id_column}) END"
    )


def _typed(model: type[RefinedRecord], names: Sequence[str]) -> str:
    by_column = {field.column: field for field in model._meta.concrete_fields}
    return ", ".join(f"{name} {by_column[name].db_type(connection)}" for name in names)
