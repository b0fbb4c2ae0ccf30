"""Cutting a JSON document apart without holding it: the elements of a list in it, members beside them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from connectors import exact_json
from connectors.errors import BadResponse, RecordError, SchemaError

#: Of one element or member, in memory.
MAX_BYTES = 64 * 1024 * 1024
#: A string, a mark of structure, or the beginning of a string whose end has not come yet.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[][{},:]|"', re.DOTALL)
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")
_COLON, _QUOTE = b':"'


class Piece(NamedTuple):
    """The text of an element or a member, and where it stands: "rows.*", "data.total"."""

    place: str
    text: bytes


class _Open(NamedTuple):
    """An object or list on the way to something wanted."""

    place: str
    is_list: bool

    def inside(self, name: str) -> str:
        step = "*" if self.is_list else name
        return f"{self.place}.{step}" if self.place else step


def cut(chunks: Iterable[bytes], *, wanted: Collection[str]) -> Iterator[Piece]:
    """
    Yield what stands at the wanted places, as it comes; only its brackets and strings are looked at.

    A place names the members on the way, with `*` for the elements of a list.

    :raises BadResponse: if the document ends before its end, or its brackets do not match
    :raises SchemaError: if one piece is over MAX_BYTES
    """
    cutter = _Cutter(wanted)
    for chunk in chunks:
        yield from cutter.feed(chunk)
    cutter.finish()


class _Cutter:
    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = frozenset(wanted)
        self._leading: set[str] = set()
        for place in wanted:
            steps = place.split(".")
            self._leading |= {".".join(steps[:count]) for count in range(len(steps))}
        self._text = b""
        #: Where to look on, and where the value at hand begins.
        self._at = self._value = 0
        self._open: list[_Open] = []
        self._name = ""
        #: How deep we are in a value that is passed over or cut out whole.
        self._depth = 0
        self._is_kept = False
        self._is_begun = False

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        if self._depth and not self._is_kept:
            self._value = self._at
        self._text = self._text[self._value :] + chunk
        self._at, self._value = self._at - self._value, 0
        if len(self._text) > MAX_BYTES:
            raise SchemaError(f"one value of the document is over {MAX_BYTES} bytes")
        for token in _TOKEN.finditer(self._text, self._at):
            if token.group() == b'"':
                return  # the rest of this string comes with the next chunk
            self._at = token.end()
            yield from self._marked(token.start(), token.end())
        self._at = len(self._text)

    def _marked(self, start: int, end: int) -> Iterator[Piece]:
        mark = self._text[start]
        if mark in _OPENING:
            self._begin(start, is_list=mark == ord("["))
        elif mark in _CLOSING:
            yield from self._end(start, end)
        elif mark != _QUOTE and not self._depth:
            yield from self._next(start, end, mark)

    def finish(self) -> None:
        if self._open or self._depth or not self._is_begun or self._text[self._value :].strip():
            raise BadResponse("the document ends before its end, or is none")

    def _place(self) -> str:
        return self._open[-1].inside(self._name) if self._open else ""

    def _begin(self, start: int, *, is_list: bool) -> None:
        if self._depth:
            self._depth += 1
            return
        place = self._place()
        if not self._open and self._is_begun:
            raise BadResponse("more follows behind the end of the document")
        self._is_begun = True
        if place in self._leading:
            self._open.append(_Open(place, is_list))
            self._value = start + 1
        else:
            self._depth, self._is_kept, self._value = 1, place in self._wanted, start

    def _end(self, start: int, end: int) -> Iterator[Piece]:
        if self._depth:
            self._depth -= 1
            if self._depth:
                return
            yield from self._piece(end)
        elif not self._open or self._open[-1].is_list != (self._text[start] == ord("]")):
            raise BadResponse("the brackets of the document do not match")
        else:
            yield from self._piece(start)
            self._open.pop()
        self._value = end

    def _next(self, start: int, end: int, mark: int) -> Iterator[Piece]:
        if not self._open:
            raise BadResponse("the document is not one object or list")
        if mark == _COLON:
            self._name = _name(self._text[self._value : start])
        else:
            yield from self._piece(start)
            self._name = ""
        self._value = end

    def _piece(self, end: int) -> Iterator[Piece]:
        place = self._place()
        text = self._text[self._value : end].strip()
        if text and place in self._wanted:
            yield Piece(place, text)


def _name(text: bytes) -> str:
    try:
        name = exact_json.loads(text)
    except RecordError as error:
        raise BadResponse(f"a name in the document cannot be read: {error}") from None
    return name if isinstance(name, str) else ""
