"""Text of foreign origin made safe for a terminal, and tables of it: rich for people, aligned in a pipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Protocol, cast

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Escape sequences move the cursor and rename windows; bidirectional marks make text read other than it is.
_SPACING = re.compile(r"[\t\n\r\v\f\x85\u2028\u2029]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
LONGEST_CELL = 60


class Output(Protocol):
    """Where tables go."""

    def write(self, text: str, /) -> object: ...

    def isatty(self) -> bool: ...


def one_line(text: str) -> str:
    """Return the text without line ends and control characters."""
    return _CONTROL.sub("", _SPACING.sub(" ", text)).strip()


def cell(value: Any) -> str:
    """Return what a person reads in a table for this value."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        case timedelta():
            return duration(value.total_seconds())
        case _:
            text = one_line(str(value))
            return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    return f"{whole // 3600} h" if whole < 172_800 else f"{whole // 86_400} days"


def write_table(out: Output, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write rows for people; numbers stand to the right."""
    numeric = [bool(rows) and all(_is_number(row[at]) for row in rows) for at in range(len(columns))]
    cells = [[cell(value) for value in row] for row in rows]
    if out.isatty():
        _write_rich(out, columns, cells, numeric)
    else:
        _write_plain(out, columns, cells, numeric)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _write_rich(out: Output, columns: Sequence[str], cells: list[list[str]], numeric: list[bool]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column, is_right in zip(columns, numeric, strict=True):
        table.add_column(column, justify="right" if is_right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(text) for text in row))  # as Text, brackets in data are no markup
    Console(file=cast(IO[str], out)).print(table)


def _write_plain(out: Output, columns: Sequence[str], cells: list[list[str]], numeric: list[bool]) -> None:
    lines = [list(columns), *cells]
    widths = [max(cell_len(line[at]) for line in lines) for at in range(len(columns))]
    for line in lines:
        aligned = [
            _aligned(text, width, is_right=is_right)
            for text, width, is_right in zip(line, widths, numeric, strict=True)
        ]
        out.write("  ".join(aligned).rstrip() + "\n")


def _aligned(text: str, width: int, *, is_right: bool) -> str:
    gap = " " * (width - cell_len(text))
    return gap + text if is_right else text + gap
