"""Kinds from loose values: what fits is exact, what does not is named."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from connectors import kinds
from connectors.errors import RecordError
from connectors.kinds import KINDS, CatalogItem, Customer, Kind, Order, build

SOME = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes(timezones=st.none() | st.just(UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@SOME
@given(kind=st.sampled_from(sorted(KINDS)), data=st.data())
def test_any_values_make_a_kind_or_a_record_error(kind: str, data: Any) -> None:
    cls = KINDS[kind]
    names = sorted(kinds.mappable_fields(cls))
    given_values = data.draw(st.dictionaries(st.sampled_from(names), anything, max_size=4))
    made: Kind | None = None
    with suppress(RecordError):
        made = build(cls, {"external_id": "1", **given_values})
    for value in structs.astuple(made) if made else ():
        assert not isinstance(value, float)
        assert not isinstance(value, datetime) or value.tzinfo is not None
        assert not isinstance(value, Decimal) or value.is_finite()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_needs_an_id_and_nothing_else(name: str) -> None:
    assert build(KINDS[name], {"external_id": 7}).external_id == "7"
    for missing in ({}, {"external_id": None}):
        with pytest.raises(RecordError, match="external_id"):
            build(KINDS[name], missing)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_is_frozen_and_can_be_found_by_name(name: str) -> None:
    made = kinds.kind_named(name)(external_id="1")

    with pytest.raises(AttributeError, match="immutable"):
        made.external_id = "2"  # type: ignore[misc]
    assert made.kind == name


def test_aliases_name_the_same_kinds() -> None:
    assert kinds.kind_named("content_index") is KINDS["content_item"]
    assert kinds.kind_named("catalog_items") is CatalogItem
    with pytest.raises(KeyError):
        kinds.kind_named("spaceship")


def test_children_cannot_be_filled_from_outside() -> None:
    assert "lines" not in kinds.mappable_fields(Order)
    assert "total_amount" in kinds.mappable_fields(Order)


@SOME
@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_money_as_text_keeps_every_digit(amount: Decimal) -> None:
    made = build(CatalogItem, {"external_id": "1", "price": f"  {amount} "})

    assert isinstance(made, CatalogItem)
    assert made.price is not None
    assert made.price.as_tuple() == amount.as_tuple()


@pytest.mark.parametrize(
    "value", ["abc", "1,5", "NaN", "Infinity", "-inf", "sNaN", "1 000", "0x10", True, [], {}, 1.5]
)
def test_what_is_no_number_is_named(value: Any) -> None:
    with pytest.raises(RecordError, match="price"):
        build(CatalogItem, {"external_id": "1", "price": value})


@pytest.mark.parametrize(
    ("value", "count"),
    [("5", 5), (" 5.0 ", 5), (Decimal("5e3"), 5000), (9007199254740993, 9007199254740993), ("", None)],
)
def test_whole_numbers_are_read_exactly(value: Any, count: int | None) -> None:
    made = build(CatalogItem, {"external_id": "1", "content_count": value})

    assert isinstance(made, CatalogItem)
    assert made.content_count == count


@pytest.mark.parametrize("value", ["5.5", Decimal("0.1"), "five"])
def test_what_is_no_whole_number_is_named(value: Any) -> None:
    with pytest.raises(RecordError, match="content_count"):
        build(CatalogItem, {"external_id": "1", "content_count": value})


@pytest.mark.parametrize("value", ["1e100000", "-1e100000", Decimal("Infinity")])
def test_a_number_whose_digits_would_fill_the_memory_is_named(value: Any) -> None:
    with pytest.raises(RecordError, match="content_count"):
        build(CatalogItem, {"external_id": "1", "content_count": value})


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (True, True),
        ("Yes", True),
        ("1", True),
        (1, True),
        ("F", False),
        (" no ", False),
        (0, False),
        ("", True),
    ],
)
def test_words_for_yes_and_no(value: Any, truth: bool) -> None:
    made = build(CatalogItem, {"external_id": "1", "is_active": value})

    assert isinstance(made, CatalogItem)
    assert made.is_active is truth


@pytest.mark.parametrize("value", ["maybe", 2, "10"])
def test_what_is_neither_yes_nor_no_is_named(value: Any) -> None:
    with pytest.raises(RecordError, match="is_active"):
        build(CatalogItem, {"external_id": "1", "is_active": value})


@SOME
@given(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001 - zone follows
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_is_the_same_moment_in_any_zone(moment: datetime, offset: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))

    read = kinds.to_datetime("at", there.isoformat())

    assert read == there
    assert read is not None
    assert read.utcoffset() == timedelta(0)


NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01 14:00:00+02:00",
        "Sun, 01 Mar 2026 12:00:00 GMT",
        "Sun, 01 Mar 2026 07:00:00 -0500",
        1772366400,
        Decimal("1772366400.0"),
        NOON,
        NOON.replace(tzinfo=None),
    ],
)
def test_times_in_every_form_that_providers_write(value: Any) -> None:
    assert kinds.to_datetime("at", value) == NOON


@pytest.mark.parametrize(
    "value", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", 10**20, Decimal("1e30"), True, [], "12"]
)
def test_what_is_no_time_is_named(value: Any) -> None:
    with pytest.raises(RecordError, match="at: "):
        kinds.to_datetime("at", value)


def test_text_from_numbers_and_truths() -> None:
    made = build(Customer, {"external_id": 5, "name": Decimal("1.50"), "phone": True, "email": None})

    assert made == Customer(external_id="5", name="1.50", phone="true")
    with pytest.raises(RecordError, match="name"):
        build(Customer, {"external_id": "5", "name": ["a"]})


def test_an_error_shows_little_of_a_long_value() -> None:
    with pytest.raises(RecordError) as refusal:
        build(CatalogItem, {"external_id": "1", "price": "x" * 100_000})

    assert len(str(refusal.value)) < 200
