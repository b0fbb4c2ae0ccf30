"""
CSV and other delimited text, from a file below an allowed folder or from a URL.

- A row's id is what `columnMapping` gives as external_id, else the columns of `externalId` joined with ":",
  else the hash of the whole row: then equal rows are one record, and a changed row is a new one.
- Rows have no time of change unless updated_at is mapped. A file that has not changed since the last good run
  is not read again.
- A cell that is blank or one of `nullValues` says nothing; the raw record keeps it as it was.
"""

from __future__ import annotations

from connectors.base import Access, Config, Connector, FetchRequest, Page, Stream
from connectors.downloads import Download
from connectors.errors import CursorExpired
from connectors.files import LocalFile
from connectors.http import Answer, HttpSession
from connectors.providers.csv.reading import Place, place_of, read_page
from connectors.providers.csv.settings import CsvConfig
from connectors.providers.csv.table import Table

PAGE_SIZE = 500


class Csv(Connector):
    name = "csv"
    title = "CSV file"
    config_model = CsvConfig
    example = {
        "sourceIdentifier": "music_catalog.csv",
        "targetTable": "content_index",
        "contentType": "music",
        "columnMapping": {"external_id": "track_id", "title": "song_name", "artist": "artist_name"},
    }

    def __init__(self, *, config: CsvConfig, credentials: Config, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._tables = {name: Table(settings) for name, settings in config.streams.items()}
        self._session = HttpSession(connector=self.name, access=access)
        self._kept: dict[str, Answer] = {}

    def streams(self) -> tuple[Stream, ...]:
        return tuple(
            Stream(name=name, kind=table.kind.kind, refine=table.refine, page_size=PAGE_SIZE)
            for name, table in self._tables.items()
        )

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        table = self._tables[stream.name]
        place = place_of(request.cursor)
        state = request.stream_state
        known = str(state.get("fingerprint", "")) if state.get("settings") == table.digest else ""
        with self._open(table.settings.source_identifier, place, known, request.page_size) as source:
            if place is None and known and source.is_versioned and source.fingerprint == known:
                return Page(stream_state=state)
            if place is not None and source.fingerprint != place.fingerprint:
                raise CursorExpired(
                    f"{table.shown}: changed since the page before; reading it again from the start."
                )
            page = read_page(table, source, place, page_size=request.page_size)
            source.confirm()
        return page

    def close(self) -> None:
        self._session.close()
        self._kept.clear()

    def _open(self, given: str, place: Place | None, known: str, page_size: int) -> LocalFile | Download:
        start = place.offset if place else 0
        if not given.lower().startswith(("http://", "https://")):
            return LocalFile(given, roots=self.access.file_roots, start=start)
        return Download(
            self._session,
            given,
            kept=self._kept,
            start=start,
            chunk_bytes=_expected_bytes(place, page_size),
            expected=place.fingerprint if place else known,
        )


def _expected_bytes(place: Place | None, page_size: int) -> int:
    if place is None:
        return 0
    bytes_per_line = place.offset / place.line
    return int(bytes_per_line * page_size * 1.25)
