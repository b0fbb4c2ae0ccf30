"""What can be wrong with a record: badness no reader can store, and drift a reader may not expect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from sandbox.data import Record

Path = tuple[str | int, ...]
Change = Callable[[Record], None]

HUGE_NUMBER = b"9" * 5_000
LONG_ID = "9" * 300
#: One digit more than numeric(20,6) has room for.
TOO_LARGE = "123456789012345.67"


def json_defects(*, text: Path, typed: Path, is_money: bool) -> Mapping[str, Change]:
    """
    Return the ways to spoil a JSON record.

    `text` holds text; `typed` is a field every reader gives a type, money where `is_money`.
    """
    defects: dict[str, Change] = {
        "nul": _putter(text, "before\x00after"),
        # Raw is written as it stands: neither value can be encoded from a Python object.
        "lone_surrogate": _putter(text, msgspec.Raw(b'"broken \\ud800 pair"')),
        "nan": _putter(typed, msgspec.Raw(b"NaN")),
        "huge_number": _putter(typed, msgspec.Raw(HUGE_NUMBER)),
        "missing_id": remove_id,
        "long_id": lengthen_id,
        "wrong_type": _putter(typed, {"value": ["free"]}),
    }
    if is_money:
        defects["overflow"] = _putter(typed, TOO_LARGE)
    return defects


def json_drifts(*, retyped: Path, vanishing: str) -> Mapping[str, Change]:
    """Return the ways a JSON record may drift: another type, a field less, a field more."""
    return {
        "type": lambda record: _retype(record, retyped),
        "vanish": lambda record: record.pop(vanishing),
        "appear": lambda record: record.update(added_without_notice={"since": "today", "values": [1, 2]}),
    }


def remove_id(record: Record) -> None:
    del record["id"]


def lengthen_id(record: Record) -> None:
    record["id"] = LONG_ID


def _putter(path: Path, value: Any) -> Change:
    def put(record: Record) -> None:
        holder = _holder(record, path)
        holder[path[-1]] = value

    return put


def _retype(record: Record, path: Path) -> None:
    holder = _holder(record, path)
    value = holder[path[-1]]
    holder[path[-1]] = Decimal(value) if isinstance(value, str) else str(value)


def _holder(record: Record, path: Path) -> Any:
    holder: Any = record
    for step in path[:-1]:
        holder = holder[step]
    return holder
