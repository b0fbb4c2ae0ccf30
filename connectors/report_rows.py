"""The rows of a finished report: JSON, JSON lines or CSV, plain, as gzip or in a zip, from any row on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from tempfile import TemporaryFile
from typing import IO, NamedTuple, Protocol, TypeVar

from msgspec.structs import replace

from connectors import exact_json
from connectors.base import Json, SourceRecord
from connectors.delimited import Dialect, Row, RowReader, encoding_of, physical_lines
from connectors.downloads import Download
from connectors.errors import CursorExpired, RecordError, SchemaError, TransientError
from connectors.http import HttpSession
from connectors.kinds import to_datetime
from connectors.packed import Packing, packing_of, unpacked
from connectors.pages import split_records

GIGABYTE = 10**9
#: On disk, unpacked.
MAX_DOCUMENT_BYTES = 4 * GIGABYTE
#: Of an object with its children, in memory.
MAX_FAMILY_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
LINES_AT_ONCE = 100
COLUMNS_SHOWN = 60
_NOWHERE = 0
Item = TypeVar("Item")


class Spot(NamedTuple):
    """Where a row starts: its number, and the byte of the file where reading can begin there."""

    row: int = 0
    byte: int = _NOWHERE
    #: Which version of the file it belongs to.
    version: str = ""


class Placed(NamedTuple):
    """A record, and where the next one starts."""

    record: SourceRecord
    following: Spot


@dataclass(frozen=True, slots=True)
class OpenReport:
    """The rows that are left, and how many there are in all where the file says so."""

    rows: Iterator[Placed]
    total: int | None = None


class Layout(Protocol):
    """How a report is written."""

    def open(self, files: HttpSession, url: str, spot: Spot) -> OpenReport:
        """
        Return the rows from the spot on.

        :raises TransientError: if the file is cut short
        :raises SchemaError: if it is not what is expected
        :raises CursorExpired: if it is not the file the spot belongs to
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """
    One JSON document with all rows; `read` finds them one by one, and how many there should be if it says so.

    It lies on disk meanwhile: what tells whether it is whole stands behind the rows, so it is read twice.
    """

    connector: str
    read: Callable[[IO[bytes]], tuple[Iterator[SourceRecord], int | None]]

    def open(self, files: HttpSession, url: str, spot: Spot) -> OpenReport:
        kept = TemporaryFile()  # noqa: SIM115 - closed when its last row was read
        try:
            self._keep(_File(files, url, Spot()), kept)
            records, total = self.read(kept)
        except BaseException:
            kept.close()
            raise
        return OpenReport(islice(_placed_in(kept, records), spot.row, None), total)

    def _keep(self, file: _File, kept: IO[bytes]) -> None:
        for chunk in file.chunks():
            kept.write(chunk)
            if kept.tell() > MAX_DOCUMENT_BYTES:
                most = f"{MAX_DOCUMENT_BYTES / GIGABYTE:g} GB"
                raise SchemaError(
                    f"{self.connector}: the report is over {most}: ask for fewer days at a time"
                )
        kept.seek(0)


def _placed_in(kept: IO[bytes], records: Iterator[SourceRecord]) -> Iterator[Placed]:
    with kept:
        for number, record in enumerate(records, 1):
            yield Placed(record, Spot(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLines:
    """One object per line."""

    connector: str
    id_path: str = "id"
    updated_path: str | None = None
    #: Tells whether a line is a child of the object in the lines before it, as exports have them;
    #: `assemble` then makes one object of an object and its children.
    is_child: Callable[[Json], bool] | None = None
    assemble: Callable[[Sequence[Json]], Json] | None = None

    def open(self, files: HttpSession, url: str, spot: Spot) -> OpenReport:
        file = _File(files, url, spot)
        return OpenReport(self._placed(file.left_of(self._objects(file), spot), file, spot))

    def _placed(self, objects: Iterator[tuple[bytes, int]], file: _File, spot: Spot) -> Iterator[Placed]:
        number = spot.row
        while some := list(islice(objects, LINES_AT_ONCE)):
            for record, (_, end) in zip(self._records([text for text, _ in some]), some, strict=True):
                number += 1
                yield Placed(replace(record, position=f"row {number}"), file.spot(number, end))

    def _objects(self, file: _File) -> Iterator[tuple[bytes, int]]:
        """Yield the text of each object, and the byte after it."""
        if self.is_child is None:
            yield from file.lines()
            return
        family: list[bytes] = []
        size, end = 0, _NOWHERE
        for line, after in file.lines():
            if family and not self._is_child(line):
                yield self._assembled(family), end
                family, size = [], 0
            family.append(line)
            size, end = size + len(line), after
            if size > MAX_FAMILY_BYTES:
                raise SchemaError(
                    f"{self.connector}: one object with its children is over {MAX_FAMILY_BYTES} bytes"
                )
        if family:
            yield self._assembled(family), end

    def _is_child(self, line: bytes) -> bool:
        with suppress(RecordError):
            return bool(self.is_child and self.is_child(exact_json.loads(line)))
        try:
            # A value that cannot be kept does not hide whose line it is in.
            return bool(self.is_child and self.is_child(exact_json.loads_tolerant(line)))
        except RecordError:
            return True  # who knows: it may be

    def _assembled(self, family: Sequence[bytes]) -> bytes:
        """Return the object as one; all its lines if a child cannot be read, so that they cannot either."""
        if self.assemble is None or len(family) == 1:
            return family[0]
        try:
            parent = exact_json.loads(family[0])
        except RecordError:
            return family[0]  # so that its letter has its id
        try:
            return exact_json.dumps(self.assemble([parent, *map(exact_json.loads, family[1:])]))
        except RecordError:
            # Without the children that may have stood there it would land as if they were gone.
            return b"\n".join(family)

    def _records(self, texts: Sequence[bytes]) -> Sequence[SourceRecord]:
        try:
            return self._split(texts)
        except SchemaError:
            return [self._one(text) for text in texts]

    def _one(self, text: bytes) -> SourceRecord:
        try:
            return self._split([text])[0]
        except SchemaError as error:
            body = exact_json.dumps(text.decode("utf-8", "backslashreplace"))
            return SourceRecord(body=body, problem=str(error))

    def _split(self, texts: Sequence[bytes]) -> Sequence[SourceRecord]:
        found = split_records(
            b"[%b]" % b",".join(texts),
            path="",
            id_path=self.id_path,
            updated_path=self.updated_path,
            connector=self.connector,
        ).records
        if len(found) != len(texts):
            raise SchemaError(f"{self.connector}: a line of the report is not one object")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvRows:
    """A header row, then a record per row, its values text."""

    connector: str
    #: The columns whose values together are the id.
    ids: tuple[str, ...]
    updated: str | None = None
    delimiter: str = ","

    def open(self, files: HttpSession, url: str, spot: Spot) -> OpenReport:
        file = _File(files, url, spot)
        reader = self._reader(file)
        # In the middle of a file its header is asked for anew.
        columns = self._columns(self._reader(_File(files, url, Spot())) if spot.byte else reader)
        return OpenReport(self._placed(file.left_of(iter(reader), spot), columns, reader, file, spot))

    def _reader(self, file: _File) -> RowReader:
        dialect = Dialect(delimiter=self.delimiter)
        return RowReader(file.chunks(), encoding=file.encoding, dialect=dialect, offset=file.start)

    def _columns(self, reader: RowReader) -> list[str]:
        header = next(iter(reader), None)
        if header is None or header.problem:
            raise SchemaError(f"{self.connector}: the report does not begin with the names of its columns")
        columns = header.cells
        wanted = {*self.ids, *([self.updated] if self.updated else [])}
        if not wanted <= set(columns) or len(set(columns)) < len(columns):
            shown = ", ".join(map(repr, columns[:COLUMNS_SHOWN]))
            raise SchemaError(
                f"{self.connector}: the report has the columns {shown}; each may be there once, and of "
                f"{', '.join(map(repr, sorted(wanted)))} none may be missing"
            )
        return columns

    def _placed(
        self, rows: Iterator[Row], columns: Sequence[str], reader: RowReader, file: _File, spot: Spot
    ) -> Iterator[Placed]:
        for number, row in enumerate(rows, spot.row + 1):
            if row.is_unterminated:
                file.refuse_unknown_end()
            yield Placed(self._record(row, columns, f"row {number}"), file.spot(number, reader.offset))

    def _record(self, row: Row, columns: Sequence[str], position: str) -> SourceRecord:
        problem = row.problem
        if not problem and len(row.cells) != len(columns):
            problem = f"{position}: {len(row.cells)} cells where the header has {len(columns)}"
        if problem:
            body = exact_json.dumps({"text": row.text.replace("\0", "\\u0000")})
            return SourceRecord(body=body, position=position, problem=problem)
        payload = dict(zip(columns, row.cells, strict=True))
        ids = [payload[name] for name in self.ids]
        updated_at = None
        with suppress(RecordError):  # refining will say so; the record itself can be kept
            updated_at = to_datetime("updated_at", payload[self.updated]) if self.updated else None
        return SourceRecord(
            body=exact_json.dumps(payload),
            external_id=":".join(ids) if all(ids) else "",
            updated_at=updated_at,
            position=position,
            problem="" if all(ids) else f"{position}: no value in {', '.join(self.ids)}, which is its id",
        )


class _File:
    """The file behind a report's address, from a byte on; unpacked if it is packed."""

    def __init__(self, files: HttpSession, url: str, spot: Spot) -> None:
        """:raises CursorExpired: if it is another version than the spot belongs to"""
        # Without a start the version would be a question, "has it changed?", and nothing be sent if not.
        expected = spot.version if spot.byte else ""
        self._download = Download(
            files, url, kept={}, start=spot.byte, chunk_bytes=CHUNK_BYTES, expected=expected
        )
        self.version = self._download.fingerprint
        if spot.version and self.version != spot.version:
            raise CursorExpired("The report is not the one that was begun; it is asked for again.")
        head = next(self._download.chunks(), b"")
        packing: Packing = "" if spot.byte else packing_of(head)
        self._chunks = unpacked(self._download, packing)
        head = next(self._chunks, b"")
        self.encoding, mark = encoding_of(
            b"" if spot.byte else head, configured=None, declared=self._download.charset
        )
        self._chunks = chain([head[mark:]], self._chunks)
        self.start = spot.byte + mark
        self._is_seekable = not packing and self.encoding == "utf-8"

    def chunks(self) -> Iterator[bytes]:
        return self._chunks

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """Yield each line that is not empty, and the byte after it."""
        end = self.start
        for line in physical_lines(self._chunks, self.encoding):
            end += len(line)
            if not line.endswith((b"\n", b"\r")):
                self.refuse_unknown_end()
            if text := line.strip():
                yield text, end

    def left_of(self, items: Iterator[Item], spot: Spot) -> Iterator[Item]:
        """Pass over what was read before, where the file could not be opened in its middle."""
        return items if spot.byte else islice(items, spot.row, None)

    def spot(self, row: int, byte: int) -> Spot:
        return Spot(row, byte if self._is_seekable else _NOWHERE, self.version)

    def refuse_unknown_end(self) -> None:
        """:raises TransientError: if the file may well have been cut off"""
        if not self._download.is_length_known:
            raise TransientError("the report ends in the middle of a row, so it may be cut off")
