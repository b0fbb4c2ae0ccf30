"""A file read page by page: from its head or from where the page before ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import msgspec

from connectors.base import Page, SourceRecord
from connectors.delimited import Dialect, Row, RowReader, encoding_of
from connectors.downloads import Download
from connectors.errors import ConfigError, CursorExpired, SchemaError, TransientError
from connectors.files import LocalFile
from connectors.packed import Packing, packing_of, unpacked
from connectors.providers.csv.table import Table

PAGE_BYTES = 8 * 1024 * 1024
Source = LocalFile | Download


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a page starts, and what the file's head said about all its rows."""

    #: Of a packed file: in what it holds.
    offset: int
    line: int
    fingerprint: str
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    packing: Packing = ""

    @property
    def start(self) -> int:
        """The byte of the file to read from."""
        return 0 if self.packing else self.offset


def place_of(cursor: str | None) -> Place | None:
    """
    Return the place a cursor means.

    :raises CursorExpired: if it cannot be read
    """
    try:
        return msgspec.json.decode(cursor, type=Place) if cursor is not None else None
    except msgspec.MsgspecError as error:
        raise CursorExpired(f"csv: the cursor cannot be read ({error}); reading the file again.") from None


@dataclass(frozen=True, slots=True)
class _Rows:
    """A file's rows from some place on."""

    reader: RowReader
    columns: tuple[str, ...]
    rows: Iterable[Row]


class Reading:
    """A file that is being read; packed ones are read on without being unpacked again."""

    def __init__(self, table: Table, source: Source, place: Place | None) -> None:
        """
        Take the open file, which `close` closes.

        :raises CursorExpired: if it is not the file the place is in
        :raises ConfigError: if the columns are not those the settings speak of
        :raises SchemaError: if its beginning cannot be read
        """
        if place is not None and source.fingerprint != place.fingerprint:
            raise CursorExpired(
                f"{table.shown}: changed since the page before; reading it again from the start."
            )
        self._table = table
        self._source = source
        #: The cursor it stands at; None where it cannot be gone on with.
        self.cursor: str | None = None
        with _about(table.shown):
            self._packing: Packing = place.packing if place else packing_of(next(source.chunks(), b""))
            opened = self._resumed(place) if place else self._begun()
        self._reader, self._columns, self._rows = opened.reader, opened.columns, opened.rows

    def close(self) -> None:
        self._source.close()

    def page(self, page_size: int) -> Page:
        """
        Return the next rows.

        :raises SchemaError: if the next row cannot be read; one further on ends the page before it
        :raises TransientError: if the end of the file may not be its end
        :raises CursorExpired: if the file has changed meanwhile
        """
        self.cursor = None
        with _about(self._table.shown):
            records, is_last = self._records(page_size)
        self._source.confirm()
        next_cursor = None if is_last else self._cursor()
        if self._packing and is_last is False:
            self.cursor = next_cursor
        return Page(records=records, next_cursor=next_cursor, stream_state=self._state())

    def _records(self, page_size: int) -> tuple[list[SourceRecord], bool | None]:
        """Return rows, and whether they are the last; None if what follows cannot be read."""
        records: list[SourceRecord] = []
        start = self._reader.offset
        try:
            for row in self._rows:
                self._refuse_cut(row)
                records.append(self._table.record(row, self._columns))
                if len(records) >= page_size or self._reader.offset - start > PAGE_BYTES:
                    break
            return records, self._reader.is_finished()
        except SchemaError:
            if not records:
                raise
            return records, None

    def _refuse_cut(self, row: Row) -> None:
        # Of packed files the end is known: they say so themselves.
        if row.is_unterminated and not (self._packing or self._source.is_length_known):
            raise TransientError(
                f"line {row.line} has no line end, and the server does not say how long the file is: it may"
                " be cut off. If the file is whole, end its last line."
            )

    def _cursor(self) -> str:
        place = Place(
            offset=self._reader.offset,
            line=self._reader.line,
            fingerprint=self._source.fingerprint,
            encoding=self._reader.encoding,
            delimiter=self._reader.delimiter,
            columns=self._columns,
            packing=self._packing,
        )
        return msgspec.json.encode(place).decode()

    def _state(self) -> dict[str, str]:
        if not self._source.is_versioned:
            return {}
        return {"fingerprint": self._source.fingerprint, "settings": self._table.digest}

    def _chunks(self, start: int) -> Iterator[bytes]:
        # A file that is not packed was opened at the start.
        skipped = start if self._packing else 0
        return unpacked(self._source, self._packing, member=self._table.settings.zip_member, start=skipped)

    def _resumed(self, place: Place) -> _Rows:
        settings = self._table.settings
        reader = RowReader(
            self._chunks(place.offset),
            encoding=place.encoding,
            dialect=Dialect(place.delimiter, settings.quotechar, settings.escapechar),
            offset=place.offset,
            line=place.line,
        )
        return _Rows(reader, place.columns, reader)

    def _begun(self) -> _Rows:
        settings = self._table.settings
        chunks = self._chunks(0)
        head = next(chunks, b"")
        encoding, mark = encoding_of(head, configured=settings.encoding, declared=self._source.charset)
        reader = RowReader(
            chain([head[mark:]], chunks),
            encoding=encoding,
            dialect=Dialect(settings.delimiter, settings.quotechar, settings.escapechar),
            offset=mark,
        )
        if head[mark:].startswith("sep=".encode(encoding)):
            _obey_separator_line(reader)
        for _ in range(settings.skip_rows):
            reader.skip_line()
        named = _with_header if settings.has_header else _without_header
        columns, rows = named(self._table, reader)
        return _Rows(reader, columns, rows)


def _obey_separator_line(reader: RowReader) -> None:
    """Spreadsheet programs write `sep=;` above the header."""
    line = (reader.skip_line() or "").rstrip("\r\n")
    delimiter = line.removeprefix("sep=")
    if len(delimiter) != 1:
        raise ConfigError(
            f"line 1 says {line!r}, which names no single delimiter; correct or remove the line."
        )
    reader.use(delimiter)


def _with_header(table: Table, reader: RowReader) -> tuple[tuple[str, ...], Iterable[Row]]:
    header = next(iter(reader), None)
    if header is None:
        raise SchemaError("the file is empty: it has not even a header row.")
    if header.problem:
        raise SchemaError(f"{header.problem} (the header row)")
    if "\0" in header.text:
        raise SchemaError(
            f"Invalid row format at line {header.line}: the header holds NUL characters."
            " If the file is UTF-16, set `encoding` to utf-16-le or utf-16-be."
        )
    columns = tuple(name or str(number) for number, name in enumerate(header.cells, start=1))
    table.check(columns, header.line)
    return columns, reader


def _without_header(table: Table, reader: RowReader) -> tuple[tuple[str, ...], Iterable[Row]]:
    first = next(iter(reader), None)
    if first is None:
        return (), ()
    if first.problem:
        raise SchemaError(f"{first.problem} (the first row, which says how many columns there are)")
    columns = table.columns or tuple(str(number) for number in range(1, len(first.cells) + 1))
    table.check(columns, first.line)
    return columns, chain([first], reader)


@contextmanager
def _about(shown: str) -> Iterator[None]:
    try:
        yield
    except (ConfigError, SchemaError) as error:
        error.args = (f"{shown}: {error}",)
        raise
