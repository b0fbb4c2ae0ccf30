"""Every value arrives as it was sent, however it looks; what has no place in a column is refused."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import RecordError
from ingest import copying

MOMENT = datetime(2026, 3, 1, 12, 30, 1, 5, tzinfo=UTC)


def through_postgres(type_name: str, values: list[Any]) -> list[Any]:
    """Copy the values into a table and read them back."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS copied")
        cursor.execute(f"CREATE TEMPORARY TABLE copied (place serial, value {type_name})")
        cursor.copy_expert("COPY copied (value) FROM STDIN", io.BytesIO(copying.lines_of([values])))
        cursor.execute("SELECT value FROM copied ORDER BY place")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("type_name", "values"),
    [
        ("text", ["plain", "tab\there", "line\nend", "back\\slash", "\\N", "", "ümläut 漢字", "\r\n", "\\."]),
        ("text", ["plain", None, "", "\\N", "N"]),
        ("text", ["only", "plain", "words"]),
        ("text", [None, None]),
        ("numeric", [Decimal("0.1"), Decimal("-1E+3"), None, Decimal("12345678901234567890.123456789")]),
        ("numeric", [2**70, None, Decimal("1E-7"), Decimal("5E+20"), -1]),
        ("bigint", [1, -(2**63), 2**63 - 1, None]),
        ("boolean", [True, False, None]),
        ("timestamptz", [MOMENT, None, MOMENT.replace(year=1)]),
        ("date", [date(2026, 3, 1), date.max]),
    ],
)
def test_values_arrive_as_they_were_sent(type_name: str, values: list[Any]) -> None:
    assert through_postgres(type_name, values) == values


@pytest.mark.django_db
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1
    )
)
def test_any_text_arrives_as_it_was_sent(values: list[str | None]) -> None:
    assert through_postgres("text", values) == values


def test_columns_become_lines() -> None:
    assert copying.lines_of([["a", None], [1, 2]]) == b"a\t1\n\\N\t2\n"
    assert copying.lines_of([[], []]) == b""


@pytest.mark.parametrize("value", [object(), ["a"], {"a": 1}, b"bytes", 1.5])
@pytest.mark.parametrize("beside", [[], ["text"], [None]])
def test_what_has_no_place_in_a_column_is_refused(value: Any, beside: list[Any]) -> None:
    with pytest.raises(TypeError, match=type(value).__name__):
        copying.lines_of([[value, *beside]])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_no_number_is_refused(number: str) -> None:
    with pytest.raises(RecordError, match=number):
        copying.lines_of([[Decimal(number)]])
