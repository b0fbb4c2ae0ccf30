"""
JSON without loss: numbers stay exact, equal records have equal hashes, bad text is named.

No float is ever made: fractions become Decimal, integers stay integers of any size.
"""

import hashlib
import json
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import msgspec

from connectors.errors import RecordError

# PostgreSQL's numeric goes far beyond, but a number this long is garbage or an attack, and turning
# 1e999999999 into digits would fill the memory.
MAX_EXPONENT = 1_000
MAX_DIGITS = 4_000
# Python's own context rounds to 28 digits; a change behind them would go unseen.
_WIDE = Context(prec=MAX_DIGITS + MAX_EXPONENT)


def _exact(text: str) -> Decimal:
    number = Decimal(text)
    if len(text) > MAX_DIGITS or abs(number.adjusted()) > MAX_EXPONENT:
        raise ValueError(f"number out of range: {text[:40]}")
    return number


def _canonical(text: str) -> int | Decimal:
    """Give 1, 1.0 and 10e-1 one spelling, so that a re-formatted number is not a change."""
    number = _exact(text)
    whole = int(number)
    return whole if whole == number else number.normalize(_WIDE)


_decoder = msgspec.json.Decoder(float_hook=_exact)
_canonical_decoder = msgspec.json.Decoder(float_hook=_canonical)
_canonical_encoder = msgspec.json.Encoder(order="sorted", decimal_format="number")
_skipper = msgspec.json.Decoder(msgspec.Raw)
_encoder = msgspec.json.Encoder(decimal_format="number")

# What decoding untrusted text raises: msgspec's own, UTF-8, our number guard, nesting too deep.
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, ValueError, InvalidOperation, RecursionError)


def loads(body: bytes) -> Any:
    """
    Return the JSON value in UTF-8 bytes.

    :raises RecordError: if the text is not JSON, holds NaN, a lone surrogate, an absurd number or a NUL
    """
    value = _decode(_decoder.decode, body)
    _refuse_nul(body, value)
    return value


def dumps(value: Any) -> bytes:
    """
    Return compact UTF-8 JSON; Decimals become plain numbers.

    :raises RecordError: if the value has no JSON form
    """
    try:
        return _encoder.encode(value)
    except (
        msgspec.EncodeError,
        UnicodeEncodeError,
        TypeError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise RecordError(f"value cannot be written as JSON: {error}") from error


def canonical_hash(body: bytes) -> bytes:
    """
    Return 32 bytes (sha256) that do not see key order, white space, escapes or number spelling.

    :raises RecordError: as for loads
    """
    value = _decode(_canonical_decoder.decode, body)
    _refuse_nul(body, value)
    return hashlib.sha256(_canonical_encoder.encode(value)).digest()


def refuse_unreadable(body: bytes) -> None:
    """
    Check the text as `loads` does, at a sixth of the price: nothing but numbers out of range gets by.

    :raises RecordError: if the text is not JSON, holds NaN, a lone surrogate or a NUL
    """
    _decode(_skipper.decode, body)
    if not body.isascii():
        _decode(bytes.decode, body)
    if may_hold_nul(body):
        loads(body)


def _decode(decode: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return decode(body)
    except DECODE_ERRORS as error:
        raise RecordError(f"not readable as JSON: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if "truncated" in str(error):
        return "text cut short, or a lone surrogate (\\ud800 to \\udfff without its pair)"
    return str(error)


def may_hold_nul(body: bytes) -> bool:
    """Return whether JSON text has what may be an escaped NUL; an unescaped one is not JSON."""
    # Looking for one byte is many times as fast as looking for six, and most bodies have no backslash.
    return b"\\" in body and b"\\u0000" in body


def _refuse_nul(body: bytes, value: Any) -> None:
    # PostgreSQL stores no NUL in text or jsonb. The cheap search decides nearly always; an escaped
    # backslash before "u0000" is innocent, so the decoded value has the last word.
    if may_hold_nul(body) and b"\\u0000" in dumps(value).replace(b"\\\\", b""):
        raise RecordError("holds a NUL character, which PostgreSQL cannot store")


class Unreadable:
    """Stands where a number was that no exact type can hold (NaN, Infinity, thousands of digits)."""

    def __init__(self, text: str) -> None:
        self.text = text


def loads_tolerant(body: bytes) -> Any:
    """
    Return the JSON value with `Unreadable` in the place of each number that cannot be held.

    Slow; for a page on which one record is broken, so that only that record is lost to the page.

    :raises RecordError: if the text is not JSON at all
    """
    try:
        return json.loads(
            body.decode(),
            parse_float=_exact_or_unreadable,
            parse_int=_int_or_unreadable,
            parse_constant=Unreadable,
        )
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not readable as JSON: {_reason(error)}") from error


def describe_unreadable(value: Any) -> str:
    """Return JSON text of a value that holds what JSON cannot, for people to read."""

    def shown(odd: object) -> str:
        return odd.text if isinstance(odd, Unreadable) else str(odd)

    return json.dumps(value, default=shown, ensure_ascii=True)


def _exact_or_unreadable(text: str) -> Decimal | Unreadable:
    try:
        return _exact(text)
    except (ValueError, InvalidOperation):
        return Unreadable(text)


def _int_or_unreadable(text: str) -> int | Unreadable:
    try:
        return int(text)
    except ValueError:
        return Unreadable(text)
