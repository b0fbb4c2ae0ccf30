"""Fields: fallbacks, absent and null and empty, and what is named when it does not fit."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import RecordError
from connectors.fields import Fields, Said

GETTERS: dict[str, tuple[Any, Any]] = {
    "identity": (7, "7"),
    "reference": ("x7", "x7"),
    "text": ("seven", "seven"),
    "decimal": ("7.50", Decimal("7.50")),
    "integer": (7, 7),
    "boolean": ("true", True),
    "moment": ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
}


@pytest.mark.parametrize("getter", GETTERS)
def test_the_first_name_that_is_there_and_not_null_counts(getter: str) -> None:
    told, meant = GETTERS[getter]
    for payload in ({"new": told, "old": "?"}, {"new": None, "old": told}, {"older": told}):
        assert getattr(Fields(payload), getter)("new", "old", "older") == meant


@pytest.mark.parametrize("getter", [name for name in GETTERS if name != "identity"])
def test_what_nobody_says_is_none(getter: str) -> None:
    assert getattr(Fields({"old": None}), getter)("new", "old") is None


def test_an_identity_nobody_gives_names_the_usual_field() -> None:
    with pytest.raises(RecordError, match=r"no value for customer\.id"):
        Fields({"customer": {}}).inside("customer").identity("id", "customer_id")


def test_an_empty_text_is_said_and_needs_no_fallback() -> None:
    raw = Fields({"note": "", "comment": "hello"})
    assert raw.text("note", "comment") == ""
    assert raw.reference("note") is None


@pytest.mark.parametrize(
    ("getter", "value"), [("decimal", "much"), ("integer", "1.5"), ("boolean", "maybe"), ("moment", "soon")]
)
def test_an_error_names_the_field_that_was_read(getter: str, value: str) -> None:
    with pytest.raises(RecordError, match=r"line\.total: "):
        getattr(Fields({"total": value}, "line"), getter)("total_price", "total")


def test_objects_and_lists_have_fallbacks_too() -> None:
    raw = Fields({"shipping_address": {"city": "Łódź"}, "lines": [{"id": 1}, {"id": 2}]})
    assert raw.inside("address", "shipping_address").text("city") == "Łódź"
    assert [line.identity() for line in raw.each("line_items", "lines")] == ["1", "2"]


@given(st.sampled_from(["absent", None, "", [], {}, 0, False, "x"]))
def test_absent_null_and_empty_are_told_apart(value: Any) -> None:
    raw = Fields({} if value == "absent" else {"it": value})
    empties: list[Any] = ["", [], {}]
    expected = (
        Said.ABSENT
        if value == "absent"
        else Said.NULL
        if value is None
        else Said.EMPTY
        if any(type(value) is type(empty) and value == empty for empty in empties)
        else Said.GIVEN
    )
    assert raw.said("it") is expected
