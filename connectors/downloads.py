"""A file behind a URL, read in chunks from any byte: by ranges where the server knows them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from email.message import Message

from connectors.errors import CursorExpired, SchemaError, TransientError
from connectors.http import Answer, HttpSession
from connectors.redaction import shown_url

MAX_BODY_BYTES = 256 * 1024 * 1024
MAX_KEPT_BYTES = 64 * 1024 * 1024
MIN_CHUNK_BYTES = 64 * 1024
MAX_CHUNK_BYTES = 8 * 1024 * 1024
OK, PARTIAL, NOT_MODIFIED, RANGE_NOT_SATISFIABLE = 200, 206, 304, 416
# Each of them tells a whole body from one cut short; without any, the closed connection is all there is.
PROOFS_OF_END = ("Content-Length", "Transfer-Encoding", "Content-Encoding")
_CONTENT_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")


@dataclass(frozen=True, slots=True)
class _Extent:
    """Which bytes an answer holds."""

    first: int
    body: bytes
    #: None when the server does not say.
    total: int | None
    #: False where the end of the connection was the only sign of the end of the body.
    is_length_known: bool = True

    @property
    def end(self) -> int:
        return self.first + len(self.body)


class Download:
    """A remote file that knows which version of itself the server serves."""

    def __init__(
        self,
        session: HttpSession,
        url: str,
        *,
        kept: MutableMapping[str, Answer],
        start: int = 0,
        chunk_bytes: int = 0,
        expected: str = "",
    ) -> None:
        """
        Ask for the bytes from `start`, `chunk_bytes` at a time.

        `expected` is the fingerprint seen before: a read that goes on (`start` > 0) is tied to that version,
        one that begins asks whether it is still the same, in which case nothing is sent.
        `kept` holds a whole body between reads: a server that knows no ranges sends it each time.
        """
        self._session = session
        self._url = url
        self._kept = kept
        self._chunk_bytes = min(max(chunk_bytes, MIN_CHUNK_BYTES), MAX_CHUNK_BYTES)
        conditions = _if_range(expected) if start else _if_changed(expected)
        answer = self._ask(start, conditions)
        self._first = _extent(answer, start, self._shown)
        self.fingerprint = (
            expected if answer.status == NOT_MODIFIED else _fingerprint(answer, self._first, expected)
        )
        self.charset = _charset(answer.headers)
        self.is_length_known = self._first.is_length_known

    def close(self) -> None:
        """Nothing to let go of: the session belongs to the connector."""

    @property
    def is_versioned(self) -> bool:
        """An equal fingerprint proves equal content; a mere length does not."""
        return not self.fingerprint.startswith("length:")

    def chunks(self) -> Iterator[bytes]:
        """
        Yield the bytes from the start asked for to the end.

        :raises CursorExpired: if the file changes in between
        :raises TransientError: if an answer is cut short
        """
        extent = self._first
        while extent.body:
            yield extent.body
            if extent.end == extent.total:
                return
            extent = self._next(extent.end)

    @property
    def size(self) -> int | None:
        """How many bytes there are in all; None where the server does not say."""
        return self._first.total

    def read_at(self, position: int, length: int) -> bytes:
        """
        Return bytes from the position on: so many at most, none at the end only.

        :raises CursorExpired: if the file has changed since it was opened
        :raises TransientError: if an answer is cut short
        """
        extent = self._first
        if not extent.first <= position < extent.end:
            if self.size is not None and position >= self.size:
                return b""
            self._chunk_bytes = min(length, MAX_CHUNK_BYTES)
            extent = self._at(position)
        skipped = position - extent.first
        return extent.body[skipped : skipped + length]

    def confirm(self) -> None:
        """Every chunk was tied to the first one's version, so nothing is left to check."""

    def _next(self, start: int) -> _Extent:
        self._chunk_bytes = min(self._chunk_bytes * 2, MAX_CHUNK_BYTES)
        return self._at(start)

    def _at(self, start: int) -> _Extent:
        answer = self._ask(start, _if_range(self.fingerprint))
        extent = _extent(answer, start, self._shown)
        # The 416 that ends a file of unknown length has no validators to compare.
        if (
            answer.status != RANGE_NOT_SATISFIABLE
            and _fingerprint(answer, extent, self.fingerprint) != self.fingerprint
        ):
            raise self._changed()
        if not extent.body and extent.total not in (None, start):
            raise TransientError(f"{self._shown}: no bytes from {start} although there are {extent.total}.")
        return extent

    def _ask(self, start: int, conditions: Mapping[str, str]) -> Answer:
        if start and self._url in self._kept:
            return self._kept[self._url]
        # Some stores send what they keep as gzip all the same: then a range is one of packed bytes, and the
        # file a packed one.
        wanted = {"Range": f"bytes={start}-{start + self._chunk_bytes - 1}", "Accept-Encoding": "identity"}
        unchanged = set() if start or not conditions else {NOT_MODIFIED}
        answer = self._session.request(
            "GET",
            self._url,
            headers={**wanted, **conditions},
            accept=frozenset({OK, PARTIAL, RANGE_NOT_SATISFIABLE} | unchanged),
            max_bytes=MAX_BODY_BYTES,
            unpacks=False,
        )
        self._kept.clear()
        if answer.status == OK and len(answer.body) <= MAX_KEPT_BYTES:
            self._kept[self._url] = answer
        return answer

    @property
    def _shown(self) -> str:
        return shown_url(self._url)

    def _changed(self) -> CursorExpired:
        return CursorExpired(
            f"{self._shown}: changed on the server while it was read; reading it again from the start."
        )


def _extent(answer: Answer, start: int, shown: str) -> _Extent:
    if answer.status == OK:
        return _Extent(
            first=start,
            body=answer.body[start:],
            total=len(answer.body),
            is_length_known=any(name in answer.headers for name in PROOFS_OF_END),
        )
    if answer.status == NOT_MODIFIED:
        return _Extent(first=start, body=b"", total=start)
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    total = int(match["total"]) if match and match["total"] != "*" else None
    if answer.status == RANGE_NOT_SATISFIABLE:
        return _Extent(first=start, body=b"", total=total)
    if match is None or match["first"] is None:
        raise SchemaError(f"{shown}: a partial answer (206) without a readable Content-Range.")
    return _partial(answer.body, match, total, start, shown)


def _partial(body: bytes, match: re.Match[str], total: int | None, start: int, shown: str) -> _Extent:
    if int(match["first"]) != start:
        raise SchemaError(f"{shown}: asked for the bytes from {start}, got {match[0]}.")
    if len(body) != int(match["last"]) - start + 1:
        raise TransientError(f"{shown}: {len(body)} bytes came where {match[0]} was announced.")
    return _Extent(first=start, body=body, total=total)


def _fingerprint(answer: Answer, extent: _Extent, expected: str) -> str:
    etag, modified = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
    total = extent.total if extent.total is not None else "?"
    if etag:
        return f"etag:{etag}"
    if modified:
        return f"modified:{total}:{modified}"
    if answer.status == PARTIAL and _if_range(expected):
        return expected  # to If-Range a 206 may leave out the validators: it says "unchanged" by itself
    if answer.status == OK:
        return f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
    return f"length:{total}"


def _if_range(fingerprint: str) -> dict[str, str]:
    kind, _, value = fingerprint.partition(":")
    if kind == "etag" and not value.startswith("W/"):
        return {"If-Range": value}
    if kind == "modified":
        return {"If-Range": value.partition(":")[2]}
    return {}


def _if_changed(fingerprint: str) -> dict[str, str]:
    kind, _, value = fingerprint.partition(":")
    if kind == "etag":
        return {"If-None-Match": value}
    if kind == "modified":
        return {"If-Modified-Since": value.partition(":")[2]}
    return {}


def _charset(headers: Mapping[str, str]) -> str | None:
    message = Message()
    message["Content-Type"] = headers.get("Content-Type", "")
    return message.get_content_charset()
