"""What packed files hold: a gzip stream, or one member of a zip archive; within bounds, and never on disk."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Literal, Protocol

from connectors.bodies import refuse_bomb, unzipped
from connectors.errors import BadResponse, ConfigError, SchemaError

MAX_UNPACKED_BYTES = 4 * 1024 * 1024 * 1024
#: What an archive may say about itself: room for ten thousand names and more.
MAX_DIRECTORY_BYTES = 2 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
PART_BYTES = 256 * 1024
NAMES_SHOWN = 20
# Others are rare, and may ask for gigabytes of memory by a few bytes.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_IS_ENCRYPTED = 0x1

Packing = Literal["", "gzip", "zip"]
_MARKS: tuple[tuple[bytes, Packing], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # an archive without members
)


class File(Protocol):
    """A file that is read from anywhere."""

    @property
    def size(self) -> int | None: ...

    def chunks(self) -> Iterator[bytes]: ...

    def read_at(self, position: int, length: int) -> bytes: ...


def packing_of(head: bytes) -> Packing:
    """Return how a file that begins so is packed; no text in a usual encoding begins like that."""
    return next((packing for mark, packing in _MARKS if head.startswith(mark)), "")


def unpacked(file: File, packing: Packing, *, member: str = "", start: int = 0) -> Iterator[bytes]:
    """
    Yield what the file holds from the byte `start` on; of an archive, the one member that `member` names.

    :raises ConfigError: if no member, or more than one, is meant
    :raises TransientError: if the file ends too soon
    :raises SchemaError: if it cannot be unpacked, or to more than may be
    """
    match packing:
        case "gzip":
            parts = unzipped(file.chunks(), MAX_UNPACKED_BYTES)
        case "zip":
            parts = _member(file, member)
        case "":
            parts = file.chunks()
    return _from(start, filter(None, parts))


def _from(start: int, parts: Iterator[bytes]) -> Iterator[bytes]:
    for part in parts:
        if start < len(part):
            yield part[start:]
        start = max(start - len(part), 0)


def _member(file: File, wanted: str) -> Iterator[bytes]:
    with _unreadable_named():
        bounded = _Bytes(file)
        archive = zipfile.ZipFile(io.BufferedReader(bounded, BLOCK_BYTES))
        bounded.left = None
        chosen = _chosen(archive, wanted)
        _refuse(chosen)
        # Neither more nor fewer bytes than it says come out of a member, and their checksum is compared.
        with archive.open(chosen) as content:
            while part := content.read(PART_BYTES):
                yield part


def _chosen(archive: zipfile.ZipFile, wanted: str) -> zipfile.ZipInfo:
    """:raises ConfigError: if it is not one that is wanted"""
    found = [info for info in archive.infolist() if _is_content(info)]
    names = [info.filename for info in found]
    if wanted:
        # A name may hold what means something else in a pattern.
        is_name = wanted in names
        found = [
            info
            for info in found
            if info.filename == wanted or (not is_name and fnmatchcase(info.filename, wanted))
        ]
    if len(found) == 1:
        return found[0]
    shown = ", ".join(map(repr, names[:NAMES_SHOWN])) or "no file"
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    which = f"{len(found)} of these fit {wanted!r}" if wanted else "which one is meant is not said"
    raise ConfigError(
        f"the zip archive holds {shown}{more}; {which}: set zipMember to the name of one, or to a pattern "
        "that fits one."
    )


def _is_content(info: zipfile.ZipInfo) -> bool:
    """Tell whether it is a file as people pack them: no folder, link or by-product, no trick with paths."""
    parts = info.filename.replace("\\", "/").split("/")
    is_trick = {"", ".."} & set(parts) or parts[0].endswith(":") or stat.S_ISLNK(info.external_attr >> 16)
    is_by_product = parts[0] == "__MACOSX" or parts[-1].startswith(".")
    return not (is_trick or is_by_product)  # a folder's name ends with "/"


def _refuse(info: zipfile.ZipInfo) -> None:
    """:raises ConnectorError: if the member cannot or must not be unpacked"""
    shown = repr(info.filename)
    if info.flag_bits & _IS_ENCRYPTED:
        raise ConfigError(f"{shown} in the zip archive is encrypted: provide it without a password.")
    if info.compress_type not in _METHODS:
        raise SchemaError(
            f"{shown} in the zip archive is packed by method {info.compress_type}: pack it by deflate."
        )
    if info.file_size > MAX_UNPACKED_BYTES:
        raise SchemaError(f"{shown} unpacks to {info.file_size} bytes, over {MAX_UNPACKED_BYTES}; split it.")
    refuse_bomb(info.file_size, info.compress_size)


@contextmanager
def _unreadable_named() -> Iterator[None]:
    try:
        yield
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OverflowError,
    ) as error:
        raise BadResponse(f"the zip archive cannot be read ({error}): it may be damaged.") from None


class _Bytes(io.RawIOBase):
    """A file's bytes for whoever seeks in them; while `left` is a number, no more than that many."""

    def __init__(self, file: File) -> None:
        """:raises SchemaError: if nobody knows where its end is, which is where an archive begins"""
        if file.size is None:
            raise SchemaError(
                "the server does not say how long the zip archive is, so it cannot be read: have the file "
                "served with its length, or packed as gzip."
            )
        self._file = file
        self._size = file.size
        self._position = 0
        self._block = (0, b"")
        self.left: int | None = MAX_DIRECTORY_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        position = bases[whence] + offset
        if position < 0:
            raise OSError("a position before the beginning")
        self._position = position
        return position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # nobody hands in anything else
        part = self._read(len(buffer))
        buffer[: len(part)] = part
        self._position += len(part)
        if self.left is not None:
            self.left -= len(part)
            if self.left < 0:
                raise SchemaError(
                    f"the zip archive's list of files is over {MAX_DIRECTORY_BYTES} bytes: pack fewer files."
                )
        return len(part)

    def _read(self, length: int) -> bytes:
        """Return some of what is wanted, by blocks: the list of files is asked for in many bits."""
        if self._position >= self._size:
            return b""
        start, block = self._block
        if not start <= self._position < start + len(block):
            start = self._position - self._position % BLOCK_BYTES
            block = self._file.read_at(start, BLOCK_BYTES)
            if self._position - start >= len(block):  # fewer came than were asked for
                start, block = self._position, self._file.read_at(self._position, BLOCK_BYTES)
            self._block = (start, block)
        skipped = self._position - start
        return block[skipped : skipped + length]
