"""Reading the records of a page: who each is and how old, or why that cannot be told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from itertools import count
from typing import Annotated, Any, overload

import msgspec

from connectors import exact_json
from connectors.base import MAX_ID_LENGTH, SourceRecord
from connectors.errors import RecordError
from connectors.kinds import to_datetime
from connectors.paths import steps_of, walk

# Splitting skips over values without reading them, so it lets pass what Python cannot hold: numbers of
# thousands of digits. Every 256th byte of such a number is a digit, nine times in a row and more; that
# also happens by chance, once in a dozen pages full of ids, so the bytes between have the last word.
_STRIDE = 256
_DIGITS_IN_STRIDE = re.compile(rb"[0-9]{9,}")
_MANY_DIGITS = re.compile(rb"[0-9]{1000}")
# Twice as fast as `in`, where the first backslash is an innocent one.
_ESCAPED_NUL = re.compile(rb"\\u0000")
# What needs no closer look: an id that is nearly any number or text, a time with its zone.
_PlainId = (
    Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
)
_PlainTime = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Where a record says who it is and how old."""

    id_path: str
    updated_path: str | None


class CutRecords(Sequence[SourceRecord]):
    """Records cut out of their page, read at the first look at one of them."""

    def __init__(self, text: bytes, raws: Sequence[msgspec.Raw], keys: Keys) -> None:
        self._text = text
        self._raws = raws
        self._keys = keys

    def __len__(self) -> int:
        return len(self._raws)

    def __iter__(self) -> Iterator[SourceRecord]:
        return iter(self._read)

    @overload
    def __getitem__(self, index: int) -> SourceRecord: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[SourceRecord]: ...

    def __getitem__(self, index: int | slice) -> SourceRecord | Sequence[SourceRecord]:
        return self._read[index]

    @cached_property
    def _read(self) -> list[SourceRecord]:
        return _read_records(self._text, [bytes(raw) for raw in self._raws], self._keys)


def _read_records(text: bytes, bodies: Sequence[bytes], keys: Keys) -> list[SourceRecord]:
    is_odd = (b"\\" in text and _ESCAPED_NUL.search(text)) or _has_long_number(text)
    heads = None if is_odd else _head_decoder(keys.id_path, keys.updated_path)
    if heads is None:
        return [_careful_record(body, number, keys) for number, body in enumerate(bodies, 1)]
    try:
        return _plain_records(heads, bodies)
    except (*exact_json.DECODE_ERRORS, OverflowError):
        # One by one, so that the others keep their fast way.
        return [
            _plain_record(heads, body, number) or _careful_record(body, number, keys)
            for number, body in enumerate(bodies, 1)
        ]


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


def _plain_records(
    heads: msgspec.json.Decoder[Any], bodies: Sequence[bytes], *, first: int = 1
) -> list[SourceRecord]:
    """Return the records; whatever is raised, one of them has something odd about it."""
    if not all(map(bytes.isascii, bodies)):
        for body in bodies:  # not the page at once: memory for so long a text is slow to come by
            body.decode()
    return [
        SourceRecord(
            body=body,
            external_id=str(head.id),
            updated_at=head.updated and head.updated.astimezone(UTC),
            position=_position(number),
        )
        for number, body, head in zip(count(first), bodies, map(heads.decode, bodies), strict=False)
    ]


def _plain_record(heads: msgspec.json.Decoder[Any], body: bytes, number: int) -> SourceRecord | None:
    """Return the record if there is nothing odd about it."""
    try:
        [record] = _plain_records(heads, [body], first=number)
    except (*exact_json.DECODE_ERRORS, OverflowError):
        return None
    return record


@cache
def _position(number: int) -> str:
    return f"record {number} of the page"


def _careful_record(raw: bytes, number: int, keys: Keys) -> SourceRecord:
    position = _position(number)
    try:
        payload = exact_json.loads(raw)
        external_id = _id_text(payload, keys.id_path)
    except RecordError as error:
        return _broken_record(raw, position, keys, str(error))
    updated_at = _moment(payload, keys.updated_path)
    return SourceRecord(body=raw, external_id=external_id, updated_at=updated_at, position=position)


def _broken_record(raw: bytes, position: str, keys: Keys, problem: str) -> SourceRecord:
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
        raise RecordError(f"found {named(payload)} where an object was due")
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


def named(value: Any) -> str:
    """Return what kind of JSON value it is, as people say it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def checked_record(value: Any, number: int, keys: Keys) -> SourceRecord:
    """Return the record of a page that had to be decoded whole; its body is written anew."""
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
