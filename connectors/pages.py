"""Splitting one JSON answer into its records, each kept as the bytes that were received."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

import msgspec

from connectors import exact_json
from connectors.base import MAX_ID_LENGTH, SourceRecord
from connectors.errors import BadResponse, RecordError, SchemaError
from connectors.kinds import to_datetime
from connectors.paths import steps_of, walk

_EVIDENCE_BYTES = 500
_BOM = b"\xef\xbb\xbf"
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})

# Splitting skips over values without reading them, so it lets pass what Python cannot hold: numbers of
# thousands of digits. Every 256th byte of such a number is a digit, nine times in a row and more; that
# also happens by chance, once in a dozen pages full of ids, so the bytes between have the last word.
_STRIDE = 256
_DIGITS_IN_STRIDE = re.compile(rb"[0-9]{9,}")
_MANY_DIGITS = re.compile(rb"[0-9]{1000}")


@dataclass(frozen=True, slots=True)
class RecordList:
    """The records of one answer, and what came around them."""

    records: list[SourceRecord]
    #: The body without the record list; {} for a bare list.
    envelope: Mapping[str, Any]


def split_records(
    body: bytes,
    *,
    path: str,
    id_path: str,
    updated_path: str | None,
    connector: str,
    content_type: str = "",
) -> RecordList:
    """
    Return the records listed at `path` (dotted; "" where the body itself is the list).

    A record that cannot be read or keyed has a `problem`; the others are not touched by it.

    :raises BadResponse: if the body is not JSON
    :raises SchemaError: if there is no list at `path`
    """
    steps = steps_of(path)
    keys = _Keys(id_path=id_path, updated_path=updated_path)
    text = b""
    try:
        text = _as_utf8(body, content_type)
        try:
            return _split_fast(text, steps, keys)
        except (*exact_json.DECODE_ERRORS, RecordError, KeyError):
            return _split_tolerantly(text, steps, keys)
    except SchemaError as error:
        error.args = (f"{connector}: {error}",)
        error.evidence = (text or body)[:_EVIDENCE_BYTES].decode("utf-8", "backslashreplace")
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """Where a record says who it is and how old."""

    id_path: str
    updated_path: str | None


# The fast way: cut the list at its record borders, read nothing but id and time of each record.

_object_of_raws = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_of_raws = msgspec.json.Decoder(list[msgspec.Raw])
# What needs no closer look: an id that is nearly any number or text, a time with its zone.
_PlainId = (
    Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
)
_PlainTime = Annotated[datetime, msgspec.Meta(tz=True)]


def _split_fast(text: bytes, steps: Sequence[str], keys: _Keys) -> RecordList:
    raws, envelope = _cut(text, steps)
    is_odd = exact_json.may_hold_nul(text) or _has_long_number(text)
    heads = None if is_odd else _head_decoder(keys.id_path, keys.updated_path)
    records = [
        (heads and _plain_record(heads, bytes(raw), number)) or _careful_record(bytes(raw), number, keys)
        for number, raw in enumerate(raws, 1)
    ]
    return RecordList(records=records, envelope=envelope)


def _cut(text: bytes | msgspec.Raw, steps: Sequence[str]) -> tuple[list[msgspec.Raw], dict[str, Any]]:
    if not steps:
        return _list_of_raws.decode(text), {}
    members = _object_of_raws.decode(text)
    raws, inside = _cut(members.pop(steps[0]), steps[1:])
    envelope = {name: exact_json.loads(bytes(raw)) for name, raw in members.items()}
    if len(steps) > 1:
        envelope[steps[0]] = inside
    return raws, envelope


def _has_long_number(text: bytes) -> bool:
    suspects = _DIGITS_IN_STRIDE.finditer(text[::_STRIDE])
    return any(_MANY_DIGITS.search(text, one.start() * _STRIDE, one.end() * _STRIDE) for one in suspects)


@cache
def _head_decoder(id_path: str, updated_path: str | None) -> msgspec.json.Decoder[Any] | None:
    """Return a reader of nothing but id and time; None where they are nested and must be walked to."""
    if "." in f"{id_path}{updated_path or ''}" or id_path == updated_path:
        return None
    members: list[Any] = [("id", _PlainId), ("updated", _PlainTime | None, None)]
    names = {"id": id_path, "updated": updated_path or ""}
    return msgspec.json.Decoder(msgspec.defstruct("Head", members, rename=names, gc=False))


def _plain_record(heads: msgspec.json.Decoder[Any], body: bytes, number: int) -> SourceRecord | None:
    """Return the record if there is nothing odd about it."""
    try:
        if not body.isascii():
            body.decode()
        head = heads.decode(body)
        updated_at = head.updated and head.updated.astimezone(UTC)
    except (*exact_json.DECODE_ERRORS, OverflowError):
        return None
    return SourceRecord(
        body=body, external_id=str(head.id), updated_at=updated_at, position=_position(number)
    )


@cache
def _position(number: int) -> str:
    return f"record {number} of the page"


def _careful_record(raw: bytes, number: int, keys: _Keys) -> SourceRecord:
    position = _position(number)
    try:
        payload = exact_json.loads(raw)
        external_id = _id_text(payload, keys.id_path)
    except RecordError as error:
        return _broken_record(raw, position, keys, str(error))
    updated_at = _moment(payload, keys.updated_path)
    return SourceRecord(body=raw, external_id=external_id, updated_at=updated_at, position=position)


def _broken_record(raw: bytes, position: str, keys: _Keys, problem: str) -> SourceRecord:
    try:
        value = exact_json.loads_tolerant(raw)
    except RecordError:
        body = exact_json.dumps(raw.decode("utf-8", "backslashreplace"))
        return SourceRecord(body=body, position=position, problem=problem)
    external_id = _id_if_any(value, keys.id_path)
    return SourceRecord(
        body=_readable(raw, value), external_id=external_id, position=position, problem=problem
    )


def _readable(raw: bytes, value: Any) -> bytes:
    """Return the bytes as received, unless nobody could read them back."""
    try:
        exact_json.dumps(value)
    except RecordError:
        return exact_json.describe_unreadable(value).encode()
    return raw


def _id_text(payload: Any, path: str) -> str:
    if not isinstance(payload, Mapping):
        raise RecordError(f"found {_named(payload)} where an object was due")
    value = walk(payload, steps_of(path))
    if value is None or value == "":
        raise RecordError(f"no id at {path!r}")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RecordError(f"the id at {path!r} is neither text nor a whole number")
    text = str(value)
    if len(text) > MAX_ID_LENGTH:
        raise RecordError(f"the id at {path!r} has {len(text)} characters, more than {MAX_ID_LENGTH}")
    return text


def _id_if_any(payload: Any, path: str) -> str:
    try:
        external_id = _id_text(payload, path)
    except RecordError:
        return ""
    return external_id if external_id.isprintable() else ""


def _moment(payload: Any, path: str | None) -> datetime | None:
    value = walk(payload, steps_of(path)) if path else None
    try:
        return None if value is None else to_datetime("updated_at", value)
    except RecordError:
        return None


# The slow way: read everything, so that one broken record is lost to the page and not the page to it.


def _split_tolerantly(text: bytes, steps: Sequence[str], keys: _Keys) -> RecordList:
    try:
        value = exact_json.loads_tolerant(text)
    except RecordError as error:
        raise BadResponse(_why_not_json(text, error)) from None
    values, envelope = _take_list(value, steps)
    records = [_checked_record(value, number, keys) for number, value in enumerate(values, 1)]
    return RecordList(records=records, envelope=envelope)


def _why_not_json(text: bytes, error: RecordError) -> str:
    start = text[:64].lstrip()
    if not start:
        return "the answer is empty where JSON was due"
    if start.startswith(b"<"):
        return "HTML or XML where JSON was due: a login page, or the error page of a proxy?"
    return f"the answer is {error}"


def _take_list(value: Any, steps: Sequence[str], walked: str = "") -> tuple[list[Any], dict[str, Any]]:
    place = f"at {walked!r}" if walked else "as the whole answer"
    if not steps:
        if not isinstance(value, list):
            raise SchemaError(f"no list of records {place}: found {_named(value)}")
        return value, {}
    if not isinstance(value, dict):
        raise SchemaError(f"no object {place}: found {_named(value)} on the way to {'.'.join(steps)!r}")
    step, *further = steps
    if step not in value:
        known = ", ".join(repr(name) for name in list(value)[:20]) or "nothing"
        raise SchemaError(f"no {step!r} {place}: found {known}")
    values, inside = _take_list(value[step], further, f"{walked}.{step}".strip("."))
    envelope = {name: member for name, member in value.items() if name != step}
    return values, {**envelope, step: inside} if further else envelope


def _named(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _checked_record(value: Any, number: int, keys: _Keys) -> SourceRecord:
    try:
        body = exact_json.dumps(value)
    except RecordError:
        return SourceRecord(
            body=exact_json.describe_unreadable(value).encode(),
            external_id=_id_if_any(value, keys.id_path),
            position=_position(number),
            problem="holds NaN, Infinity, a number of thousands of digits, or half a surrogate pair",
        )
    return _careful_record(body, number, keys)


def _as_utf8(body: bytes, content_type: str) -> bytes:
    charset = _CHARSET.search(content_type)
    if charset is None or charset[1].lower() in _UTF8_NAMES:
        return body.removeprefix(_BOM)
    try:
        return body.decode(charset[1]).encode()
    except (LookupError, UnicodeError) as error:
        raise BadResponse(
            f"the answer cannot be read in its declared charset {charset[1]}: {error}"
        ) from None
