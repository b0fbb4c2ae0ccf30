"""Finding the bad apple: every good item is written, whatever the bad ones raise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import exact_json
from connectors.errors import RecordError
from ingest import isolating

pytestmark = pytest.mark.django_db


@pytest.fixture
def table(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE apples"
            " (name varchar(10) NOT NULL, size int4 CHECK (size < 1000), note jsonb) ON COMMIT DROP"
        )


def write(items: Sequence[tuple[Any, Any, Any]]) -> None:
    with connection.cursor() as cursor:
        for name, size, note in items:
            cursor.execute("INSERT INTO apples VALUES (%s, %s, %s)", [name, size, note])


def stored() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM apples ORDER BY name")
        return [row[0] for row in cursor.fetchall()]


BAD = {
    "NUL": ("a\x00", 1, "1"),
    "lone surrogate": ("\ud800", 1, "1"),
    "too long": ("x" * 11, 1, "1"),
    "overflow": ("a", 2**40, "1"),
    "check": ("a", 1001, "1"),
    "null": (None, 1, "1"),
    "NaN in JSON": ("a", 1, "NaN"),
    "NUL in JSON": ("a", 1, '"\\u0000"'),
    "half a surrogate in JSON": ("a", 1, '"\\ud800"'),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("place", [0, 3, 6])
def test_one_bad_item_costs_itself_alone(table: None, bad: tuple[Any, Any, Any], place: int) -> None:
    good = [(f"good{n}", n, "1") for n in range(6)]
    items = [*good[:place], bad, *good[place:]]

    refused = isolating.write_all(items, write)

    assert [item for item, _ in refused] == [bad]
    assert isolating.reason(refused[0][1]).startswith("PostgreSQL cannot store it: ")
    assert "\n" not in isolating.reason(refused[0][1])
    assert stored() == [name for name, _, _ in good]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.booleans(), max_size=40))
def test_any_mix_of_good_and_bad_is_told_apart(table: None, pattern: list[bool]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE apples")
    items = [(f"{n:04}", 1 if is_good else 2**40, "1") for n, is_good in enumerate(pattern)]

    refused = isolating.write_all(items, write)

    assert [item for item, _ in refused] == [item for item in items if item[1] != 1]
    assert stored() == [name for name, size, _ in items if size == 1]


def unwritable() -> None:
    exact_json.dumps(object())


def silent() -> None:
    raise ValueError


@pytest.mark.parametrize("mishap", [unwritable, silent, lambda: sorted([1, "a"]), lambda: None.lower()])  # type: ignore[attr-defined,type-var]
def test_what_python_says_of_a_value_counts_too(table: None, mishap: Callable[[], Any]) -> None:
    def write_or_stumble(items: Sequence[tuple[Any, Any, Any]]) -> None:
        if any(size is None for _, size, _ in items):
            mishap()
        write(items)

    refused = isolating.write_all([("a", 1, "1"), ("b", None, "1"), ("c", 1, "1")], write_or_stumble)

    assert [name for (name, _, _), _ in refused] == ["b"]
    assert len(isolating.reason(refused[0][1])) > len("PostgreSQL cannot store it: ")
    assert stored() == ["a", "c"]


def test_an_error_of_the_database_itself_is_nobodys_fault(table: None) -> None:
    def gone(items: Sequence[str]) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with pytest.raises(OperationalError):
        isolating.write_all(["a", "b"], gone)


def test_nothing_to_write_calls_nobody() -> None:
    assert isolating.write_all([], write) == []
    assert issubclass(RecordError, isolating.BAD_VALUE)
