"""Time windows as providers want them in a parameter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

TimeFormat = Literal["iso", "epoch_s", "epoch_ms"]

_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)


def window_start(moment: datetime, time_format: TimeFormat = "iso") -> str:
    """Return the lower bound, rounded down: what is read twice is harmless, what is missed is lost."""
    return _written(moment - _rest(moment, _unit(time_format)), time_format)


def window_end(moment: datetime, time_format: TimeFormat = "iso") -> str:
    """Return the upper bound, rounded up."""
    rest = _rest(moment, _unit(time_format))
    return _written(moment + _unit(time_format) - rest if rest else moment, time_format)


def _unit(time_format: TimeFormat) -> timedelta:
    return _MILLISECOND if time_format == "epoch_ms" else _SECOND


def _rest(moment: datetime, unit: timedelta) -> timedelta:
    return timedelta(microseconds=moment.microsecond) % unit


def _written(moment: datetime, time_format: TimeFormat) -> str:
    moment = moment.astimezone(UTC)
    if time_format == "iso":
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str((moment - datetime.fromtimestamp(0, UTC)) // _unit(time_format))
