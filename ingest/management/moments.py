"""Dates and times as people type them."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, date, datetime, time


def moment(text: str) -> datetime:
    """
    Return the beginning of a day, or a time; UTC unless it says otherwise.

    :raises ArgumentTypeError: if the text is neither
    """
    return _read(text, time.min)


def end_moment(text: str) -> datetime:
    """
    Return the end of a day, or a time; UTC unless it says otherwise.

    :raises ArgumentTypeError: if the text is neither
    """
    return _read(text, time.max)


def _read(text: str, time_of_day: time) -> datetime:
    try:
        found = datetime.combine(date.fromisoformat(text), time_of_day)
    except ValueError:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise ArgumentTypeError(
                f"{text!r} is no date. Write 2026-01-31, or 2026-01-31T18:00:00Z for a time."
            ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
