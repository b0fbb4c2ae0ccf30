"""Splitting one JSON answer into its records, each kept as the bytes that were received."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors import exact_json
from connectors.base import SourceRecord
from connectors.errors import BadResponse, RecordError, SchemaError
from connectors.paths import steps_of
from connectors.records import CutRecords, Keys, checked_record, named

_BOM = b"\xef\xbb\xbf"
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)
_UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


@dataclass(frozen=True, slots=True)
class RecordList:
    """The records of one answer, and what came around them."""

    records: Sequence[SourceRecord]
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

    The records are counted now, and read when the first of them is looked at: the next page can be asked
    for meanwhile. One that cannot be read or keyed has a `problem`; the others are not touched by it.

    :raises BadResponse: if the body is not JSON
    :raises SchemaError: if there is no list at `path`
    """
    steps = steps_of(path)
    keys = Keys(id_path=id_path, updated_path=updated_path)
    try:
        text = _as_utf8(body, content_type)
        try:
            return _split_fast(text, steps, keys)
        except (*exact_json.DECODE_ERRORS, RecordError, KeyError):
            return _split_tolerantly(text, steps, keys)
    except SchemaError as error:
        error.args = (f"{connector}: {error}",)
        raise


# The fast way: cut the list at its record borders, read nothing but id and time of each record.

_object_of_raws = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_of_raws = msgspec.json.Decoder(list[msgspec.Raw])
_object_of_lists = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])


def _split_fast(text: bytes, steps: Sequence[str], keys: Keys) -> RecordList:
    lone = _cut_lone_list(text, steps)
    raws, envelope = _cut(text, steps) if lone is None else (lone, {})
    return RecordList(records=CutRecords(text, raws, keys), envelope=envelope)


def _cut_lone_list(text: bytes, steps: Sequence[str]) -> list[msgspec.Raw] | None:
    """
    Return the list if nothing stands around it: that takes one look at the text and not two.

    :raises KeyError: if there is another list in its place
    """
    if len(steps) != 1 or not text[-4:].rstrip().endswith(b"]}"):
        return None
    with suppress(msgspec.ValidationError):
        lists = _object_of_lists.decode(text)
        return lists[steps[0]] if len(lists) == 1 else None
    return None


def _cut(text: bytes | msgspec.Raw, steps: Sequence[str]) -> tuple[list[msgspec.Raw], dict[str, Any]]:
    if not steps:
        return _list_of_raws.decode(text), {}
    members = _object_of_raws.decode(text)
    raws, inside = _cut(members.pop(steps[0]), steps[1:])
    envelope = {name: exact_json.loads(bytes(raw)) for name, raw in members.items()}
    if len(steps) > 1:
        envelope[steps[0]] = inside
    return raws, envelope


# The slow way: read everything, so that one broken record is lost to the page and not the page to it.


def _split_tolerantly(text: bytes, steps: Sequence[str], keys: Keys) -> RecordList:
    try:
        value = exact_json.loads_tolerant(text)
    except RecordError as error:
        raise BadResponse(_why_not_json(text, error)) from None
    values, envelope = _take_list(value, steps)
    records = [checked_record(value, number, keys) for number, value in enumerate(values, 1)]
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
            raise SchemaError(f"no list of records {place}: found {named(value)}")
        return value, {}
    if not isinstance(value, dict):
        raise SchemaError(f"no object {place}: found {named(value)} on the way to {'.'.join(steps)!r}")
    step, *further = steps
    if step not in value:
        known = ", ".join(repr(name) for name in list(value)[:20]) or "nothing"
        raise SchemaError(f"no {step!r} {place}: found {known}")
    values, inside = _take_list(value[step], further, f"{walked}.{step}".strip("."))
    envelope = {name: member for name, member in value.items() if name != step}
    return values, {**envelope, step: inside} if further else envelope


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
