"""
Reports: a provider is asked to make one, asked now and then whether it is ready, and then read page by page.

The cursor alone says where that stands, so any worker goes on, and nobody sleeps: a report that is not ready
raises NotReady, and the job comes back when it is time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import chain, islice

import msgspec
from msgspec.structs import replace

from connectors.base import MAX_ID_LENGTH, FetchRequest, Page
from connectors.errors import (
    AuthenticationError,
    MissingScope,
    NeedsReconnect,
    NotReady,
    RefusedRequest,
    SchemaError,
    TransientError,
)
from connectors.http import HttpSession
from connectors.report_rows import Layout, Placed, Spot

POLL_SECONDS = 15.0
MAX_AGE = timedelta(hours=1)
ATTEMPTS = 2
_GONE = frozenset({404, 410})
#: What a link answers that was good once.
_ENDED = frozenset({400, 403, 404, 410})
_MARK = '{"report":'


class ReportState(Enum):
    RUNNING = "RUNNING"
    READY = "READY"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the provider says about a report."""

    state: ReportState
    #: Where it is, once it is ready; "" for one without any rows.
    url: str = ""
    #: The provider's own words, for people.
    said: str = ""
    #: How many rows it has, where the provider says so.
    rows: int | None = None


class ReportPlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cursor: which report, since when, and where reading it stands."""

    report: str
    started: datetime
    attempt: int = 1
    row: int = 0
    byte: int = 0
    version: str = ""
    #: Why the report before this one came to nothing, and whether it failed or expired.
    before: str = ""
    before_state: str = ""

    @property
    def spot(self) -> Spot:
        return Spot(self.row, self.byte, self.version)


_decoder = msgspec.json.Decoder(ReportPlace)


def place_of(cursor: str | None) -> ReportPlace | None:
    """Return where a job stands that reads a report; None for cursors of any other kind."""
    if cursor and cursor.startswith(_MARK):
        # A provider's own may begin like that.
        with suppress(msgspec.ValidationError, msgspec.DecodeError):
            return _decoder.decode(cursor)
    return None


@dataclass(slots=True)
class _Reading:
    """An open report, and the cursor it stands at."""

    place: ReportPlace
    rows: Iterator[Placed]
    total: int | None


class ReportFlow:
    """One stream's reports: start, poll, read. Belongs to one connector, as its sessions do."""

    def __init__(  # noqa: PLR0913 - each is a question only the room can answer
        self,
        *,
        start: Callable[[FetchRequest], str],
        poll: Callable[[str], Report],
        files: HttpSession,
        layout: Layout,
        clock: Callable[[], datetime],
        poll_seconds: float = POLL_SECONDS,
        max_age: timedelta = MAX_AGE,
    ) -> None:
        """
        Take how to start a report (returns its id) and to ask for it, and how its file is read.

        `files` fetches the file: a session without credentials where links are signed.
        """
        self._start = start
        self._poll = poll
        self._files = files
        self._layout = layout
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._max_age = max_age
        self._reading: _Reading | None = None

    def fetch(self, request: FetchRequest) -> Page:
        """
        Take the step the cursor asks for: start a report, ask for it, or read rows.

        :raises NotReady: if it is still being made
        :raises SchemaError: if it came to nothing, and so did the second try
        """
        place = place_of(request.cursor)
        if place is None:
            return Page(next_cursor=_cursor(self._begun(request)))
        reading, self._reading = self._reading, None  # one that fails is not gone on with
        if reading is None or reading.place != place:
            report = self._asked(place)
            if report.state is ReportState.READY:
                reading, report = self._opened(place, report)
            if reading is None or report.state is not ReportState.READY:
                return self._begin_again(request, place, report)
        page = self._page(reading, request.page_size)
        self._reading = reading
        return page

    def _begun(self, request: FetchRequest) -> ReportPlace:
        report_id = self._start(request)
        if not report_id or len(report_id) > MAX_ID_LENGTH:
            raise SchemaError("The provider started a report without a usable id.")
        return ReportPlace(report=report_id, started=self._clock())

    def _begin_again(self, request: FetchRequest, place: ReportPlace, report: Report) -> Page:
        """:raises SchemaError: if this was the last attempt"""
        why = f"report {place.report} {report.state.value.lower()}: {report.said or 'no reason was given'}"
        if place.attempt >= ATTEMPTS:
            raise SchemaError(
                f"The provider made no report, tried {ATTEMPTS} times. Before: {place.before}. Now: {why}. "
                "Sync again later, or over a shorter window."
            )
        again = replace(
            self._begun(request), attempt=place.attempt + 1, before=why, before_state=report.state.value
        )
        return Page(next_cursor=_cursor(again))

    def _asked(self, place: ReportPlace) -> Report:
        """:raises NotReady: if it is still being made, and not for too long"""
        try:
            report = self._poll(place.report)
        except RefusedRequest as error:
            if error.status not in _GONE:
                raise
            return Report(state=ReportState.EXPIRED, said=str(error))
        if report.state is not ReportState.RUNNING:
            return report
        age = self._clock() - place.started
        if age >= self._max_age:
            return Report(
                state=ReportState.EXPIRED, said=f"not ready after {age.total_seconds() / 60:.0f} min"
            )
        raise NotReady(
            f"The provider is making report {place.report} since {place.started:%H:%M:%S} UTC; it is asked "
            f"for again in {self._poll_seconds:g} s.",
            retry_after=self._poll_seconds,
        )

    def _opened(self, place: ReportPlace, report: Report) -> tuple[_Reading | None, Report]:
        """Return the report open at the place; none, and what became of it, where its link has ended."""
        if not report.url:
            return _Reading(place, iter(()), report.rows), report
        try:
            opened = self._layout.open(self._files, report.url, place.spot)
        except (RefusedRequest, AuthenticationError) as error:
            if not _has_ended(error):
                raise
            return None, Report(state=ReportState.EXPIRED, said=str(error))
        return _Reading(place, opened.rows, report.rows if opened.total is None else opened.total), report

    def _page(self, reading: _Reading, size: int) -> Page:
        """Read on, moving the reading along. :raises TransientError: if the link ended meanwhile"""
        try:
            placed = list(islice(reading.rows, size + 1))
        except (RefusedRequest, AuthenticationError) as error:
            if not _has_ended(error):
                raise
            raise TransientError(
                f"{error}. The link ended while it was read; it is asked for anew."
            ) from None
        some, following = placed[:size], placed[size:]
        if following:
            row, byte, version = some[-1].following
            reading.place = replace(reading.place, row=row, byte=byte, version=version)
            reading.rows = chain(following, reading.rows)
        return Page(
            records=[one.record for one in some],
            next_cursor=_cursor(reading.place) if following else None,
            expected_total=reading.total,
        )


def _has_ended(error: RefusedRequest | AuthenticationError) -> bool:
    """Tell whether a link has ended. Where credentials go with it, the next call says if it is them."""
    if isinstance(error, RefusedRequest):
        return error.status in _ENDED
    return not isinstance(error, NeedsReconnect | MissingScope)


def _cursor(place: ReportPlace) -> str:
    return msgspec.json.encode(place).decode()
