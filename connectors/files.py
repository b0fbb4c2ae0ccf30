"""Local files: only regular ones, only below the allowed roots, read in chunks from any byte."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.errors import ConfigError, CursorExpired, TransientError

MAX_FILE_BYTES = 10 * 1024**3
CHUNK_BYTES = 256 * 1024
FINGERPRINT_BYTES = 64 * 1024
# Regular files by their mode, yet made of the kernel's or other processes' memory.
PSEUDO_FOLDERS = (Path("/proc"), Path("/sys"), Path("/dev"))
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class LocalFile:
    """An open file that knows which version of itself it is."""

    #: A file does not say what it is written in.
    charset: str | None = None
    #: Its size is known, so nothing can be cut off without being seen.
    is_length_known = True
    #: An equal fingerprint proves equal content.
    is_versioned = True

    def __init__(self, given: str, *, roots: Sequence[Path], start: int = 0) -> None:
        """
        Open the file `given`, absolute or relative to a root, to be read from the byte `start`.

        :raises ConfigError: if it may not or cannot be read
        """
        self._given = given
        self._start = start
        self._descriptor = _open(given, roots)
        try:
            self._status = self._checked()
            head = hashlib.sha256(self.read_at(0, FINGERPRINT_BYTES)).hexdigest()
        except BaseException:
            os.close(self._descriptor)
            raise
        self.fingerprint = f"file:{self._status.st_size}:{self._status.st_mtime_ns}:{head}"

    def close(self) -> None:
        os.close(self._descriptor)

    def chunks(self) -> Iterator[bytes]:
        """
        Yield the bytes from the start asked for to the end.

        :raises TransientError: if the disk cannot be read
        """
        position = self._start
        while chunk := self.read_at(position, CHUNK_BYTES):
            position += len(chunk)
            yield chunk

    @property
    def size(self) -> int | None:
        return self._status.st_size

    def read_at(self, position: int, length: int) -> bytes:
        """
        Return so many bytes from the position on, fewer at the end.

        :raises TransientError: if the disk cannot be read
        """
        try:
            return os.pread(self._descriptor, length, position)
        except OSError as error:
            raise TransientError(f"{self._given}: cannot be read ({error.strerror}).") from None

    def confirm(self) -> None:
        """:raises CursorExpired: if the file was written to while we read it"""
        now = os.fstat(self._descriptor)
        before = self._status
        if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise CursorExpired(f"{self._given}: changed while it was read; reading it again from the start.")

    def _checked(self) -> os.stat_result:
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(
                f"{self._given}: not a regular file; name a file, not a folder, pipe or device."
            )
        if status.st_size > MAX_FILE_BYTES:
            raise ConfigError(
                f"{self._given}: {status.st_size} bytes, over the limit of {MAX_FILE_BYTES}; split it."
            )
        return status


def _open(given: str, roots: Sequence[Path]) -> int:
    if not roots:
        raise ConfigError(
            f"{given}: no local file may be read here. Set SYNC_FILE_ROOTS to the folder it lies in."
        )
    if _SCHEME.match(given):
        raise ConfigError(f"{given.partition('?')[0]}: only files and http(s) addresses can be read.")
    if "\0" in given:
        raise ConfigError("sourceIdentifier holds a NUL character, which no path can have.")
    root, inside = _placed(given, roots)
    try:
        return _open_below(root, inside)
    except FileNotFoundError:
        raise ConfigError(f"{given}: no such file below {_named(roots)}.") from None
    except PermissionError:
        raise ConfigError(
            f"{given}: may not be read by the user this runs as; change its permissions."
        ) from None
    except OSError as error:
        raise ConfigError(f"{given}: cannot be opened ({error.strerror}).") from None


def _placed(given: str, roots: Sequence[Path]) -> tuple[Path, Path]:
    """Return the root and the path below it, symlinks followed, that `given` means."""
    candidates = []
    for root in roots:
        try:
            real_root, path = root.resolve(), (root / given).resolve()
        except (OSError, RuntimeError):  # a circle of symlinks
            continue
        is_pseudo = any(path.is_relative_to(pseudo) for pseudo in PSEUDO_FOLDERS)
        if path.is_relative_to(real_root) and not is_pseudo:
            candidates.append((real_root, path.relative_to(real_root)))
    if not candidates:
        raise ConfigError(
            f"{given}: not below {_named(roots)}. Move the file there or add its folder to SYNC_FILE_ROOTS."
        )
    return next((pair for pair in candidates if _is_there(pair[0] / pair[1])), candidates[0])


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # opening it will say what is wrong
        return False


def _open_below(root: Path, inside: Path) -> int:
    """Walk down without following any symlink: one may have been put there since the path was resolved."""
    parts = inside.parts
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            below = os.open(part, OPEN_FLAGS | os.O_DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.open(parts[-1] if parts else ".", OPEN_FLAGS, dir_fd=folder)
    finally:
        os.close(folder)


def _named(roots: Sequence[Path]) -> str:
    return f"the allowed folders (SYNC_FILE_ROOTS: {', '.join(map(str, roots))})"
