"""Cutting a JSON document apart gives what reading it whole gives, wherever its chunks end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors import json_rows
from connectors.errors import BadResponse, SchemaError
from connectors.json_rows import cut

ANY_JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)


def chunked(text: bytes, size: int) -> list[bytes]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def pieces(text: bytes, *wanted: str, size: int = 7) -> list[tuple[str, Any]]:
    return [(piece.place, json.loads(piece.text)) for piece in cut(chunked(text, size), wanted=wanted)]


@given(
    before=ANY_JSON,
    rows=some.lists(ANY_JSON, max_size=6),
    after=ANY_JSON,
    size=some.integers(1, 40),
    indent=some.sampled_from([None, 1]),
)
def test_what_is_cut_out_is_what_stands_there(
    before: Any, rows: list[Any], after: Any, size: int, indent: int | None
) -> None:
    told = {"before": before, "data": {"rows": rows, "other": before}, "after": after}
    text = json.dumps(told, indent=indent).encode()
    found = pieces(text, "data.rows.*", "after", size=size)
    assert found == [*[("data.rows.*", row) for row in rows], ("after", after)]


def test_a_list_may_be_the_document() -> None:
    assert pieces(b' [1, {"a": [2]}] ', "*") == [("*", 1), ("*", {"a": [2]})]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"7",
        b'{"rows": [1, 2',
        b'{"rows": ["',
        b'{"rows": [1}}',
        b"]",
        b"{}{}",
        b'{"rows": []} x',
        b"1, 2",
    ],
)
def test_what_is_no_whole_document_is_refused(text: bytes) -> None:
    with pytest.raises(BadResponse):
        pieces(text, "rows.*")


def test_what_is_passed_over_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "MAX_BYTES", 200)
    text = json.dumps({"junk": list(range(1000)), "rows": [1]}).encode()
    assert pieces(text, "rows.*") == [("rows.*", 1)]


@pytest.mark.parametrize("row", ["x" * 300, [0] * 300])
def test_one_value_without_end_is_refused(row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "MAX_BYTES", 200)
    with pytest.raises(SchemaError, match="over 200 bytes"):
        pieces(json.dumps({"rows": [row]}).encode(), "rows.*")


def test_brackets_without_end_cost_no_memory() -> None:
    with pytest.raises(BadResponse):
        pieces(b"[" * 1_000_000, "rows.*", size=65_536)
