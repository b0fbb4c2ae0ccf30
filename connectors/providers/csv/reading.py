"""One page of a file: from its head or from where the page before ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

import msgspec

from connectors.base import Page, SourceRecord
from connectors.delimited import Dialect, Row, RowReader, encoding_of
from connectors.downloads import Download
from connectors.errors import ConfigError, CursorExpired, SchemaError, TransientError
from connectors.files import LocalFile
from connectors.providers.csv.table import Table

PAGE_BYTES = 8 * 1024 * 1024


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page starts, and what the file's head said about all its rows."""

    offset: int
    line: int
    fingerprint: str
    encoding: str
    delimiter: str
    columns: tuple[str, ...]


def place_of(cursor: str | None) -> Place | None:
    """
    Return the place a cursor means.

    :raises CursorExpired: if it cannot be read
    """
    try:
        return msgspec.json.decode(cursor, type=Place) if cursor is not None else None
    except msgspec.MsgspecError as error:
        raise CursorExpired(f"csv: the cursor cannot be read ({error}); reading the file again.") from None


def read_page(table: Table, source: LocalFile | Download, place: Place | None, *, page_size: int) -> Page:
    """
    Return the next rows.

    :raises ConfigError: if the columns are not those the settings speak of
    :raises SchemaError: if the next row cannot be read; one further on ends the page before it
    :raises TransientError: if the end of the file may not be its end
    """
    with _about(table.shown):
        opened = _resumed(table, source, place) if place else _begun(table, source)
        return opened.page(page_size)


class _Reading:
    def __init__(
        self,
        table: Table,
        source: LocalFile | Download,
        reader: RowReader,
        columns: tuple[str, ...],
        rows: Iterable[Row],
    ) -> None:
        self._table = table
        self._source = source
        self._reader = reader
        self._columns = columns
        self._rows = rows
        self._start = reader.offset

    def page(self, page_size: int) -> Page:
        records: list[SourceRecord] = []
        try:
            for row in self._rows:
                self._refuse_cut(row)
                records.append(self._table.record(row, self._columns))
                if len(records) >= page_size or self._reader.offset - self._start > PAGE_BYTES:
                    break
            next_cursor = None if self._reader.is_finished() else self._cursor()
        except SchemaError:
            if not records:
                raise
            next_cursor = self._cursor()
        return Page(records=records, next_cursor=next_cursor, stream_state=self._state())

    def _refuse_cut(self, row: Row) -> None:
        if row.is_unterminated and not self._source.is_length_known:
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
        )
        return msgspec.json.encode(place).decode()

    def _state(self) -> dict[str, str]:
        if not self._source.is_versioned:
            return {}
        return {"fingerprint": self._source.fingerprint, "settings": self._table.digest}


def _resumed(table: Table, source: LocalFile | Download, place: Place) -> _Reading:
    settings = table.settings
    reader = RowReader(
        source.chunks(),
        encoding=place.encoding,
        dialect=Dialect(place.delimiter, settings.quotechar, settings.escapechar),
        offset=place.offset,
        line=place.line,
    )
    return _Reading(table, source, reader, place.columns, reader)


def _begun(table: Table, source: LocalFile | Download) -> _Reading:
    settings = table.settings
    chunks = source.chunks()
    head = next(chunks, b"")
    encoding, mark = encoding_of(head, configured=settings.encoding, declared=source.charset)
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
    columns, rows = _with_header(table, reader) if settings.has_header else _without_header(table, reader)
    return _Reading(table, source, reader, columns, rows)


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
