"""Upserts: sorted, guarded, and the same SQL for each kind."""

from __future__ import annotations

import itertools
import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DataError, transaction

from connectors.kinds import KINDS
from ingest import tables
from ingest.models import REFINED_MODELS, GenericRecord, Order, OrderLine, Source
from tests.scripted import START

DAY = date(2026, 3, 1)


def row(external_id: str, raw_id: int = 1, *, kind: str = "record", **values: Any) -> tables.Row:
    own = tables.columns_of(kind, [KINDS[kind](external_id=external_id)])
    common = {"id": next(tables.uuid7s(0)), "raw_id": raw_id, "day": DAY}
    return {name: value for name, (value,) in own.items()} | common | values


def columns(*rows: tables.Row) -> tables.Columns:
    return {name: [one[name] for one in rows] for name in rows[0]}


def write(source: Source, *rows: tables.Row) -> dict[str, bool]:
    written = tables.upsert("record", columns(*rows), source_id=source.pk)
    return {one.external_id: one.is_new for one in written}


def test_every_kind_has_a_table_with_its_columns() -> None:
    assert set(REFINED_MODELS) == set(KINDS)
    for name, cls in KINDS.items():
        there = {field.column for field in REFINED_MODELS[name]._meta.concrete_fields}
        assert set(tables.columns_of(name, [cls(external_id="1")])) <= there


@pytest.mark.django_db
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_can_be_written_and_written_again(source: Source, name: str) -> None:
    (first,) = tables.upsert(name, columns(row("1", kind=name)), source_id=source.pk)
    (again,) = tables.upsert(name, columns(row("1", 2, kind=name)), source_id=source.pk)

    assert (first.is_new, again.is_new, again.id) == (True, False, first.id)


def test_relations_are_found_by_the_column_that_names_them() -> None:
    named = {
        (kind, relation.column, relation.target_kind) for kind in KINDS for relation in tables.relations(kind)
    }

    assert named >= {
        ("product_variant", "product_id", "product"),
        ("product_variant", "inventory_item_id", "inventory_item"),
        ("order", "customer_id", "customer"),
        ("order_line", "order_id", "order"),
        ("order_line", "product_id", "product"),
        ("order_line", "variant_id", "product_variant"),
        ("payment", "parent_id", "payment"),
        ("deal", "owner_id", "employee"),
        ("reservation", "class_session_id", "class_session"),
    }
    assert len(named) == 50


@pytest.mark.parametrize("name", [name for name, cls in KINDS.items() if cls.children])
def test_every_child_names_its_parent(name: str) -> None:
    for child in KINDS[name].children.values():
        assert tables.relation_to(name, of=child).target_kind == name


def test_uuids_are_version_7_unique_and_in_the_order_of_time() -> None:
    moments = (tables.uuid7s(1_700_000_000_000 + n) for n in range(500))
    made = [uuid.UUID(text) for ids in moments for text in itertools.islice(ids, 3)]

    assert made == sorted(made)
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert made[9].int >> 80 == 1_700_000_000_003
    at_once = [text for _ in range(500) for text in itertools.islice(tables.uuid7s(5), 3)]
    assert len(set(at_once)) == 1500


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("held", "new", "is_written"),
    [
        ((START, 5), (START + timedelta(microseconds=1), 4), True),
        ((START, 5), (START - timedelta(microseconds=1), 6), False),
        ((START, 5), (START, 6), True),
        ((START, 5), (START, 5), True),
        ((START, 5), (START, 4), False),
        ((None, 5), (START, 6), True),
        ((None, 5), (START, 4), False),
        ((START, 5), (None, 6), True),
        ((None, 5), (None, 4), False),
        ((None, None), (None, 1), True),
    ],
)
def test_a_row_gives_way_to_a_newer_version_only(
    source: Source, held: tuple[Any, Any], new: tuple[Any, Any], is_written: bool
) -> None:
    write(source, row("1", raw_id=held[1], source_updated_at=held[0], title="held"))

    written = write(source, row("1", raw_id=new[1], source_updated_at=new[0], title="new"))

    assert written == ({"1": False} if is_written else {})
    assert GenericRecord.objects.get().title == ("new" if is_written else "held")


@pytest.mark.django_db
def test_a_day_stays_where_the_new_version_does_not_say_when(source: Source) -> None:
    write(source, row("1", occurred_at=START, day=DAY))
    write(source, row("1", raw_id=2, day=DAY + timedelta(days=9)))
    assert GenericRecord.objects.get().day == DAY

    later = START + timedelta(days=3)
    write(source, row("1", raw_id=3, occurred_at=later, day=later.date()))
    assert GenericRecord.objects.get().day == later.date()


@pytest.mark.django_db
def test_sources_keep_their_records_apart(source: Source) -> None:
    other = Source.objects.create(name="other", connector="scripted")

    assert write(source, row("1")) == write(other, row("1")) == {"1": True}
    tables.mark_deleted("record", [{"external_id": "1", "deleted_at": None, "raw_id": 9}], source_id=other.pk)

    assert GenericRecord.objects.get(deleted_at__isnull=False).source == other
    assert GenericRecord.objects.get(deleted_at__isnull=True).source == source


@pytest.mark.django_db
def test_a_value_out_of_range_is_refused_and_never_rounded(source: Source) -> None:
    for values in ({"email": "x" * 321}, {"external_id": "x" * 256}):
        with pytest.raises(DataError), transaction.atomic():
            write(source, row("1") | values)


@pytest.mark.django_db
def test_deleting_twice_and_deleting_what_is_newer_changes_nothing(source: Source) -> None:
    write(source, row("1", raw_id=5), row("2", raw_id=9))
    gone = [{"external_id": one, "deleted_at": START, "raw_id": 6} for one in ("1", "2", "3")]

    (deleted,) = tables.mark_deleted("record", gone, source_id=source.pk)
    assert (deleted.external_id, deleted.day) == ("1", DAY.isoformat())
    assert tables.mark_deleted("record", gone, source_id=source.pk) == []
    assert GenericRecord.objects.get(external_id="1").deleted_at == START


@pytest.mark.django_db
def test_orphans_leave_with_the_days_they_counted_for(source: Source) -> None:
    relation = tables.relation_to("order", of="order_line")
    orders = [Order.objects.create(source=source, external_id=one, day=DAY) for one in ("a", "b")]
    for number in range(4):
        day = DAY + timedelta(days=number)
        OrderLine.objects.create(source=source, external_id=str(number), order=orders[number % 2], day=day)

    left = tables.delete_orphans(relation, [str(orders[0].pk)], ["2"])

    assert left == {"2026-03-01"}
    assert set(OrderLine.objects.values_list("external_id", flat=True)) == {"1", "2", "3"}
    assert tables.delete_orphans(relation, [], ["2"]) == set()
