"""Payloads for people: exact numbers, indented, cut where a browser would suffer, compared line by line."""

from __future__ import annotations

import difflib
from typing import Any

from django.db import DataError, transaction
from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.functions import Cast, Length, Substr

SHOWN_CHARACTERS = 200_000
COMPARED_CHARACTERS = 100_000
DIFF_LINES = 500


class _Pretty(Func):
    # PostgreSQL writes the text, so that no decoder makes floats of money on the way.
    template = "jsonb_pretty((%(expressions)s)::jsonb)"
    output_field = TextField()


def pretty(rows: QuerySet[Any], column: str, *, limit: int = SHOWN_CHARACTERS) -> str:
    """Return the JSON of the first row, indented; longer text is cut and says so. "" without a row."""
    try:
        with transaction.atomic():
            found = _first(rows, _Pretty(F(column)), limit)
    except DataError:
        # It keeps as text what it cannot read, such as a number of a million digits: shown as it came.
        found = _first(rows, Cast(column, TextField()), limit)
    if found is None or found[0] is None:
        return ""
    shown, length = found
    return str(shown) if length <= limit else f"{shown}\n... cut here: {length:,} characters in all"


def _first(rows: QuerySet[Any], text: Func, limit: int) -> Any:
    return rows.values_list(Substr(text, Value(1), Value(limit)), Length(text)).first()


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """Return (what it is, line) for the lines that differ and three around each."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    shown = [(_what(line), line) for line in lines if not line.startswith(("---", "+++"))]
    if len(shown) > DIFF_LINES:
        return [*shown[:DIFF_LINES], ("place", f"... {len(shown) - DIFF_LINES:,} more lines")]
    return shown


def _what(line: str) -> str:
    return {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "same")
