"""When a stream is due next: intervals and crontab lines, in UTC, spread out so that not all start at :00."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

from celery.schedules import ParseException, crontab

_INTERVAL = re.compile(r"every\s+(\d+)\s*(s|m|h|d)", re.IGNORECASE)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
SHORTEST = timedelta(seconds=10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadSchedule(ValueError):
    """The text is neither an interval nor a crontab line."""


def next_run(schedule: str, *, after: datetime, spread_by: str = "") -> datetime | None:
    """
    Return the first moment the schedule names after the given time; None for an empty schedule.

    `spread_by` names the stream: crontab runs are shifted by a fixed part of a minute drawn from it, and
    intervals end at a moment of the stream's own. The first may be shorter for that, none is longer.

    :raises BadSchedule: if the text is not understood
    """
    text = schedule.strip()
    if not text:
        return None
    after = after.astimezone(UTC)  # six hours on a zone's own clock are five or seven twice a year
    if match := _INTERVAL.fullmatch(text):
        return _after_interval(match, after, spread_by)
    shift = timedelta(seconds=_drawn(spread_by) % 60)
    return _next_crontab(text, after - shift) + shift


def check(schedule: str) -> None:
    """:raises BadSchedule: if the text is not understood"""
    next_run(schedule, after=datetime(2026, 1, 1, tzinfo=UTC))


def _drawn(spread_by: str) -> int:
    return int.from_bytes(hashlib.sha256(spread_by.encode()).digest()[:6]) if spread_by else 0


def _after_interval(match: re.Match[str], after: datetime, spread_by: str) -> datetime:
    try:
        interval = timedelta(**{_UNITS[match[2].lower()]: int(match[1])})
        moment = after + interval
    except OverflowError:
        raise BadSchedule(f"{match[0]!r} is beyond the calendar; write a shorter interval") from None
    if interval < SHORTEST:
        raise BadSchedule(f"{match[0]!r} is too often; the shortest interval is every 10s")
    # Streams that came due together, after an outage say, would come together for ever.
    shift = timedelta(milliseconds=_drawn(spread_by))
    return moment - (moment - EPOCH - shift) % interval if spread_by else moment


def _next_crontab(text: str, after: datetime) -> datetime:
    parts = text.split()
    if len(parts) != 5:
        raise BadSchedule(
            f'{text!r} is no schedule. Write "every 15m", "every 6h", '
            'or five crontab fields such as "0 3 * * *".'
        )
    minute, hour, day_of_month, month, day_of_week = parts
    try:
        line = crontab(
            minute=minute,
            hour=hour,
            day_of_month=day_of_month,
            month_of_year=month,
            day_of_week=day_of_week,
            nowfun=lambda: after,
        )
        line.tz = UTC
        start, delta, _ = line.remaining_delta(after)
    except (ParseException, ValueError, KeyError, OverflowError) as error:
        raise BadSchedule(f"{text!r} is no crontab line: {error}") from error
    following: datetime = start + delta
    return following
