"""Loose values, such as text from CSV and JSON scalars, made into exact ones; what does not fit is named."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.errors import RecordError

MAX_EXPONENT = 1_000
_NUMBERS = (int, Decimal)
_NUMBERS_OR_TEXT = (str, *_NUMBERS)
_NO_NUMBER = Decimal("NaN")


def to_text(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _NUMBERS):
        return str(value)
    raise RecordError(f"{name}: expected text, got {type(value).__name__}")


def to_decimal(name: str, value: Any) -> Decimal | None:
    try:
        is_one = isinstance(value, _NUMBERS_OR_TEXT) and value is not True and value is not False
        number = Decimal(value) if is_one else _NO_NUMBER
    except InvalidOperation:
        number = _NO_NUMBER
    # Beyond that no column holds it, and making an integer of 1e1000000 takes half a minute.
    if -MAX_EXPONENT <= number.adjusted() <= MAX_EXPONENT and number.is_finite():
        return number
    if isinstance(value, str) and not value.strip():
        return None
    raise RecordError(f"{name}: {_shown(value)} is not a number")


def to_integer(name: str, value: Any) -> int | None:
    number = to_decimal(name, value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise RecordError(f"{name}: {_shown(value)} is not a whole number")
    return int(number)


def to_boolean(name: str, value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if not word:
        return None
    if word in {"true", "t", "yes", "y", "1"}:
        return True
    if word in {"false", "f", "no", "n", "0"}:
        return False
    raise RecordError(f"{name}: {_shown(value)} is neither true nor false")


def to_datetime(name: str, value: Any) -> datetime | None:
    """
    Read ISO 8601, RFC 822 or epoch seconds or milliseconds; a time without a zone is taken as UTC.

    :raises RecordError: if it is none of these
    """
    if isinstance(value, str):
        return _from_text(name, value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        return _from_epoch(name, value)
    raise RecordError(f"{name}: {_shown(value)} is not a date")


def _from_text(name: str, value: str) -> datetime | None:
    text = value.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _from_rfc822(name, text)
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise RecordError(f"{name}: {_shown(value)} is out of range") from None


def _from_epoch(name: str, value: int | Decimal) -> datetime:
    # As seconds such a number would lie beyond the year 5000.
    try:
        seconds = float(value)
        return datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise RecordError(f"{name}: {_shown(value)} is not a time in epoch seconds") from None


def _from_rfc822(name: str, text: str) -> datetime:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError):
        raise RecordError(f"{name}: {_shown(text)} is not a date") from None


def _shown(value: Any) -> str:
    return repr(value)[:80]
