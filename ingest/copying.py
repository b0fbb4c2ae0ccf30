"""
Rows in the text format of PostgreSQL's COPY, by far the cheapest way in.

Written column by column: one look tells whether a column of thousands of texts needs any escaping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any

import msgspec

from connectors.errors import RecordError

_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_json = msgspec.json.Encoder().encode


def lines_of(columns: Iterable[Sequence[Any]]) -> bytes:
    """
    Return the lines of the rows whose values the columns hold, in the columns' order.

    :raises RecordError: if a number is none
    :raises TypeError: if a value is neither text nor a number, a truth or a time
    :raises UnicodeEncodeError: if a text holds half a surrogate pair
    """
    written = [_written(values) for values in columns]
    return "\n".join([*map("\t".join, zip(*written, strict=True)), ""]).encode()


def _written(values: Sequence[Any]) -> Sequence[str]:
    types = set(map(type, values))
    has_gaps = NoneType in types
    types.discard(NoneType)
    if not types:
        return [_NULL] * len(values)
    if types == {str}:
        return _texts(values, has_gaps=has_gaps)
    if types <= _WRITTEN_AT_ONCE:
        # Their texts hold neither commas nor quotes.
        text = _json(values)[1:-1].decode().replace('"', "")
        if "N" not in text and "I" not in text:  # NaN and Infinity are for _decimal to name
            return text.replace("null", _NULL).split(",")
    return [_NULL if value is None else _WRITERS.get(type(value), _refuse)(value) for value in values]


def _texts(values: Sequence[Any], *, has_gaps: bool) -> Sequence[str]:
    glued = "".join([value for value in values if value]) if has_gaps else "".join(values)
    # Line ends and tabs are not printable.
    if not glued.isprintable() or "\\" in glued:
        return [_NULL if value is None else value.translate(_ESCAPES) for value in values]
    return [_NULL if value is None else value for value in values] if has_gaps else values


def _decimal(value: Decimal) -> str:
    if value.is_finite():
        return str(value)
    raise RecordError(f"{value} is not a number")  # PostgreSQL would take NaN for one


def _moment(value: date) -> str:
    return _json(value)[1:-1].decode()  # as columns of times are written


def _text(value: str) -> str:
    return value.translate(_ESCAPES)


def _refuse(value: Any) -> str:
    raise TypeError(f"a {type(value).__name__} has no place in a column")


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _text,
    Decimal: _decimal,
    int: str,
    bool: str,
    datetime: _moment,
    date: _moment,
}
_WRITTEN_AT_ONCE = {int, Decimal, datetime, date}


def escaped(text: bytes) -> bytes:
    """Return UTF-8 bytes, such as a payload, as they stand within a line."""
    text = text.replace(b"\\", b"\\\\")
    return text.replace(b"\n", b"\\n").replace(b"\r", b"\\r").replace(b"\t", b"\\t")
