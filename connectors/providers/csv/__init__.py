"""
CSV and other delimited text, plain or packed: from an allowed folder, a URL or an S3-compatible store.

- A row's id is what `columnMapping` gives as external_id, else the columns of `externalId` joined with ":",
  else the hash of the whole row: then equal rows are one record, and a changed row is a new one.
- Rows have no time of change unless updated_at is mapped. A file that has not changed since the last good run
  is not read again.
- A cell that is blank or one of `nullValues` says nothing; the raw record keeps it as it was.
- Plain files are read by ranges of bytes, page by page. Packed ones are unpacked from their beginning once
  per turn of a job, so that a run that is often interrupted reads them as often.
"""

from __future__ import annotations

from connectors.base import Access, Config, Connector, FetchRequest, NoCredentials, Page, Stream
from connectors.downloads import Download
from connectors.errors import AuthenticationError, ConfigError, RefusedRequest
from connectors.files import LocalFile
from connectors.http import Answer, HttpSession
from connectors.providers.csv.access import SignedLink, StoreAccess, address, is_remote, secrets_in
from connectors.providers.csv.reading import Place, Reading, Source, place_of
from connectors.providers.csv.settings import CsvConfig
from connectors.providers.csv.table import Table

PAGE_SIZE = 500
_FORBIDDEN = 403


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
    auth_modes = (NoCredentials, SignedLink, StoreAccess)

    def __init__(self, *, config: CsvConfig, credentials: Config, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._tables = {name: Table(settings) for name, settings in config.streams.items()}
        for settings in filter(is_remote, config.streams.values()):
            address(settings, credentials, now=access.clock())  # what is amiss is said before anything starts
        self._session = HttpSession(connector=self.name, access=access, secrets=secrets_in(credentials))
        self._kept: dict[str, Answer] = {}
        self._readings: dict[str, Reading] = {}
        self._is_closed = False

    def streams(self) -> tuple[Stream, ...]:
        return tuple(
            Stream(name=name, kind=table.kind.kind, refine=table.refine, page_size=PAGE_SIZE)
            for name, table in self._tables.items()
        )

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        reading = self._readings.pop(stream.name, None)
        if reading is not None and (request.cursor is None or reading.cursor != request.cursor):
            reading.close()
            reading = None
        if reading is None:
            reading = self._opened(stream, request)
        if reading is None:
            return Page(stream_state=request.stream_state)
        is_kept = False
        try:
            page = reading.page(request.page_size)
            is_kept = reading.cursor is not None and not self._is_closed
        finally:
            if not is_kept:
                reading.close()
        if is_kept:
            self._readings[stream.name] = reading
        return page

    def close(self) -> None:
        self._is_closed = True
        for reading in self._readings.values():
            reading.close()
        self._readings.clear()
        self._session.close()
        self._kept.clear()

    def _opened(self, stream: Stream, request: FetchRequest) -> Reading | None:
        """Return the stream's file at the place wanted; None if it is the one the last good run has read."""
        table, place, state = self._tables[stream.name], place_of(request.cursor), request.stream_state
        known = str(state.get("fingerprint", "")) if state.get("settings") == table.digest else ""
        source = self._source(table, place, known, request.page_size)
        if place is None and known and source.is_versioned and source.fingerprint == known:
            source.close()
            return None
        try:
            return Reading(table, source, place)
        except ConfigError as error:
            source.close()
            # A first line that is no header may be anything, the link itself too.
            raise self._session.without_secrets(error) from None
        except BaseException:
            source.close()
            raise

    def _source(self, table: Table, place: Place | None, known: str, page_size: int) -> Source:
        settings, start = table.settings, place.start if place else 0
        if not is_remote(settings):
            return LocalFile(settings.source_identifier, roots=self.access.file_roots, start=start)
        try:
            return Download(
                self._session,
                address(settings, self.credentials, now=self.access.clock()),
                kept=self._kept,
                start=start,
                chunk_bytes=_expected_bytes(place, page_size) if start else 0,
                expected=_expected(place, known),
            )
        except RefusedRequest as error:
            if error.status == _FORBIDDEN and isinstance(self.credentials, SignedLink):
                raise AuthenticationError(
                    f"{error}. Signed links end: give a new one in the credentials.", body=error.body
                ) from None
            raise


def _expected(place: Place | None, known: str) -> str:
    """Return the version the file should have; none where naming it would mean: send it if it has another."""
    if place is None:
        return known
    return place.fingerprint if place.start else ""


def _expected_bytes(place: Place | None, page_size: int) -> int:
    if place is None:
        return 0
    bytes_per_line = place.offset / place.line
    return int(bytes_per_line * page_size * 1.25)
