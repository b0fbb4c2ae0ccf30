"""Batches with a bad apple: write all at once, and when the database refuses, find the one it means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import DataError, IntegrityError, transaction

from connectors.errors import RecordError

Item = TypeVar("Item")

# What one bad value raises: a NUL is a ValueError, a lone surrogate a UnicodeEncodeError (a ValueError
# too) or a RecordError, a number out of range a DataError, a child without an id an IntegrityError, and a
# value of a type nobody expected whatever Python says of it. Anything else is not the record's fault.
BAD_VALUE = (DataError, IntegrityError, RecordError, ValueError, TypeError, AttributeError, ArithmeticError)


def write_all(items: Sequence[Item], write: Callable[[Sequence[Item]], None]) -> list[tuple[Item, Exception]]:
    """
    Write the items in as few batches as possible; return those that cannot be written, with the reason.

    Each batch runs in a savepoint; a refused batch is halved until the bad item stands alone.
    """
    if not items:
        return []
    try:
        with transaction.atomic():
            write(items)
    except BAD_VALUE as error:
        if len(items) == 1:
            return [(items[0], error)]
        middle = len(items) // 2
        return write_all(items[:middle], write) + write_all(items[middle:], write)
    return []


def reason(error: Exception) -> str:
    """Return the error in one line for people."""
    text = str(error).strip() or type(error).__name__
    return f"PostgreSQL cannot store it: {text.splitlines()[0]}"
