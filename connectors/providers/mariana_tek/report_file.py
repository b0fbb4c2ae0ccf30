"""The file of a report that was made for us: read row by row, however large."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import IO, Any

from connectors import exact_json
from connectors.base import SourceRecord
from connectors.errors import BadResponse, RecordError, SchemaError
from connectors.json_rows import MAX_BYTES, Piece, cut
from connectors.providers.mariana_tek.report_rows import Unreadable, records_under, table_in
from connectors.providers.mariana_tek.settings import TableReport

#: Where the table stands: at the top of a file [S], or nested as in an answer, which is cheap to allow for.
PLACES = ("", "data.", "data.attributes.")
CHUNK_BYTES = 1024 * 1024


def whole_file(
    file: IO[bytes], *, report: TableReport, connector: str
) -> tuple[Iterator[SourceRecord], int | None]:
    """
    Return the rows of a report's file, and how many there should be; one that cannot be read has a problem.

    :raises BadResponse: if this is no JSON
    :raises SchemaError: if there are no headers and rows, or fewer rows than it says there are
    """
    headers: Any = None
    total: Any = None
    rows, place, headed = 0, "", ""
    names = {f"{at}{name}" for at in PLACES for name in ("headers", "total_records")}
    for piece in _pieces(file, names | {f"{at}rows.*" for at in PLACES}, connector):
        if piece.place.endswith("*"):
            rows, place = rows + 1, piece.place
        elif piece.place.endswith("headers"):
            headers, headed = _read(piece, connector), f"{piece.place.removesuffix('headers')}rows.*"
        else:
            total = _read(piece, connector)
    file.seek(0)
    if not rows or place != headed or not isinstance(headers, list):
        # Without rows it is small, or no table: what is told of an answer is told of it.
        table = table_in(file.read(MAX_BYTES), connector)
        headers, found, rows, total = table.headers, iter(table.rows), len(table.rows), table.total
    else:
        found = map(_row, _pieces(file, {place}, connector))
        total = total if isinstance(total, int) and not isinstance(total, bool) else None
    if total is not None and rows < total:
        raise SchemaError(
            f"{connector}: the report {report.slug} has {total} rows and holds {rows}: ask "
            "for fewer days at a time, or a larger row_limit"
        )
    return records_under(headers, found, report, connector), total


def _pieces(file: IO[bytes], wanted: set[str], connector: str) -> Iterator[Piece]:
    try:
        yield from cut(iter(partial(file.read, CHUNK_BYTES), b""), wanted=wanted)
    except (BadResponse, SchemaError) as error:
        raise type(error)(f"{connector}: a report cannot be read: {error}") from None


def _read(piece: Piece, connector: str) -> Any:
    try:
        return exact_json.loads(piece.text)
    except RecordError as error:
        raise BadResponse(f"{connector}: a report cannot be read: {piece.place}: {error}") from None


def _row(piece: Piece) -> Any:
    try:
        return exact_json.loads(piece.text)
    except RecordError as error:
        return Unreadable(piece.text, str(error))
