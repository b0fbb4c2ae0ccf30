"""Reading an answer's body whole or not at all, within bounds."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from urllib3 import BaseHTTPResponse

from connectors.errors import BadResponse, TransientError

_CHUNK_BYTES = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
# Repetitive JSON shrinks to a fiftieth; a bomb to a thousandth.
MAX_RATIO = 200
_RATIO_COUNTS_FROM = 1024 * 1024
_PART_BYTES = 1024 * 1024


def read_body(
    raw: BaseHTTPResponse,
    *,
    max_bytes: int,
    unpacks: bool = True,
    on_progress: Callable[[], None] | None = None,
) -> bytes:
    """
    Return the whole body, unpacked unless told otherwise; `on_progress` is called while it comes in.

    :raises TransientError: if it was cut short
    :raises BadResponse: if it is too large, or packed in a way we did not ask for
    """
    encoding = raw.headers.get("Content-Encoding", "").strip().lower()
    is_packed = encoding in {"gzip", "x-gzip"}
    if encoding in {"", "identity"} or (is_packed and not unpacks):
        _refuse_large(raw.length_remaining or 0, max_bytes)
        return b"".join(_chunks(raw, max_bytes, on_progress))
    if is_packed:
        return _unpacked(_chunks(raw, max_bytes, on_progress), max_bytes)
    raise BadResponse(f"the body is packed as {encoding[:40]!r}, but only gzip was asked for")


def _chunks(raw: BaseHTTPResponse, max_bytes: int, on_progress: Callable[[], None] | None) -> Iterator[bytes]:
    total = 0
    while chunk := raw.read(_CHUNK_BYTES, decode_content=False):
        total += len(chunk)
        _refuse_large(total, max_bytes)
        if on_progress:
            on_progress()
        yield chunk


def _unpacked(chunks: Iterator[bytes], max_bytes: int) -> bytes:
    unpacker = _Unpacker(max_bytes)
    parts = [part for chunk in chunks for part in unpacker.unpack(chunk)]
    if not unpacker.is_complete:
        raise TransientError("the body ends in the middle of its gzip stream")
    return b"".join(parts)


def unzipped(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """
    Yield what gzip chunks hold, part by part.

    :raises TransientError: if they end too soon
    :raises BadResponse: if they are no gzip, or hold more than `max_bytes`
    """
    unpacker = _Unpacker(max_bytes)
    for chunk in chunks:
        yield from unpacker.unpack(chunk)
    if not unpacker.is_complete:
        raise TransientError("the file ends in the middle of its gzip stream")


class _Unpacker:
    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._member = zlib.decompressobj(_GZIP)
        self._packed = 0
        self._unpacked = 0

    @property
    def is_complete(self) -> bool:
        return self._member.eof or not self._packed

    def unpack(self, chunk: bytes) -> Iterator[bytes]:
        self._packed += len(chunk)
        part = b""
        # A full part may mean that more is waiting inside, with nothing left to put in.
        while chunk or len(part) == _PART_BYTES:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            try:
                part = self._member.decompress(chunk, _PART_BYTES)
            except zlib.error as error:
                raise BadResponse(f"the body cannot be unpacked as gzip: {error}") from None
            self._count(len(part))
            yield part
            chunk = self._member.unconsumed_tail or self._member.unused_data
            if self._member.eof and not chunk:
                return

    def _count(self, length: int) -> None:
        self._unpacked += length
        _refuse_large(self._unpacked, self._max_bytes)
        refuse_bomb(self._unpacked, self._packed)


def refuse_bomb(unpacked: int, packed: int) -> None:
    """:raises BadResponse: if so few bytes should never hold so many"""
    if unpacked > _RATIO_COUNTS_FROM and unpacked > packed * MAX_RATIO:
        raise BadResponse(
            f"the body unpacks to over {MAX_RATIO} times its size, as a gzip bomb or a zip bomb does"
        )


def _refuse_large(length: int, max_bytes: int) -> None:
    if length > max_bytes:
        raise BadResponse(f"the body is larger than {max_bytes} bytes; ask for smaller pages")
