"""Table reports: asked for a few days at a time, up to yesterday, made for us or answered at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

import msgspec

from connectors import exact_json
from connectors.base import FetchRequest, Page
from connectors.errors import BadResponse, CursorExpired, RecordError, SchemaError
from connectors.fields import Fields
from connectors.http import Answer, HttpSession
from connectors.providers.mariana_tek.listing import Ask
from connectors.providers.mariana_tek.report_file import whole_file
from connectors.providers.mariana_tek.report_rows import records_of, table_in
from connectors.providers.mariana_tek.settings import TableReport
from connectors.report_rows import Document
from connectors.reports import Report, ReportFlow, ReportState

ASYNC, SYNC = "async_table_report_data", "table_report_data"
CONNECTOR = "mariana_tek"
#: Rows of an answer at once, whatever is asked for.
MOST_AT_ONCE = 500
A_DAY = timedelta(days=1)
_STATES = {
    "complete": ReportState.READY,
    "completed": ReportState.READY,
    "failed": ReportState.FAILED,
    "error": ReportState.FAILED,
}


class _Days(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cursor: the days asked for and the last one wanted; the flow's own cursor stands beside it."""

    first: date
    last: date
    end: date
    #: Rows of the days before, so that the total is one of the whole run.
    before: int = 0
    #: Of an answer in pages: which one, and what the one before looked like.
    page: int = 1
    digest: str = ""


class _Beside(msgspec.Struct, frozen=True, kw_only=True):
    days: _Days


_decoder = msgspec.json.Decoder(_Beside)


class ReportDays:
    """One report as a stream. Belongs to one connector, as its sessions do."""

    def __init__(
        self,
        report: TableReport,
        *,
        ask: Ask,
        files: HttpSession,
        clock: Callable[[], datetime],
        poll_seconds: float,
    ) -> None:
        self._report = report
        self._ask = ask
        self._clock = clock
        self._flow = ReportFlow(
            start=self._start,
            poll=self._poll,
            files=files,
            layout=Document(
                connector=CONNECTOR, read=partial(whole_file, report=report, connector=CONNECTOR)
            ),
            clock=clock,
            poll_seconds=poll_seconds,
        )

    def fetch(self, request: FetchRequest) -> Page:
        """
        Take one step: ask for some days, wait for them, or read their rows.

        :raises NotReady: if the report is still being made
        :raises SchemaError: if it is not the table its settings say
        """
        days = self._first(request) if request.cursor is None else _days_of(request.cursor)
        if days is None:
            return Page()
        return self._asked_at_once(days) if self._report.way == "sync" else self._made(days, request)

    def _first(self, request: FetchRequest) -> _Days | None:
        """Return the days to begin with; None if all up to yesterday were read before."""
        yesterday = self._clock().astimezone(UTC).date() - A_DAY
        if not self._report.day_params[0]:
            return _Days(first=yesterday, last=yesterday, end=yesterday)
        until = _date(request.stream_state.get("until"))
        if until is None:
            first = yesterday - timedelta(days=self._report.history_days - 1)
        else:
            first = until + A_DAY - timedelta(days=self._report.lookback_days)
        return None if first > yesterday else self._days(first, yesterday)

    def _days(self, first: date, end: date, before: int = 0, length: int | None = None) -> _Days:
        last = first + timedelta(days=(length or self._report.days) - 1)
        return _Days(first=first, last=min(last, end), end=end, before=before)

    def _params(self, days: _Days) -> dict[str, Any]:
        report = self._report
        first_param, last_param = report.day_params
        asked = {"id": report.id, "slug": report.slug, "page_size": report.row_limit, **report.params}
        if first_param:
            asked |= {first_param: days.first.isoformat(), last_param: days.last.isoformat()}
        return asked

    def _after(self, days: _Days, page: Page, read: int) -> Page:
        """Return the last page of these days, with where the next ones begin."""
        total = days.before + read
        if days.last >= days.end:
            return replace(
                page,
                next_cursor=None,
                expected_total=total,
                stream_state={"until": days.end.isoformat()},
            )
        following = self._days(days.last + A_DAY, days.end, total)
        return replace(page, next_cursor=_cursor(following), expected_total=total)

    # Made for us

    def _made(self, days: _Days, request: FetchRequest) -> Page:
        is_begun = (request.cursor or "").startswith('{"report":')
        asked = replace(
            request,
            cursor=request.cursor if is_begun else None,
            window_start=datetime.combine(days.first, time(), UTC),
            window_end=datetime.combine(days.last, time(), UTC),
        )
        page = self._flow.fetch(asked)
        if page.next_cursor is not None:
            following = exact_json.loads(page.next_cursor.encode())
            # Beside what the flow wrote, which reads its own fields and leaves others alone.
            beside = exact_json.loads(_cursor(days).encode())
            cursor = exact_json.dumps({**following, **beside}).decode()
            total = None if page.expected_total is None else days.before + page.expected_total
            return replace(page, next_cursor=cursor, expected_total=total)
        return self._after(days, page, page.expected_total or 0)

    def _start(self, request: FetchRequest) -> str:
        assert request.window_start is not None  # noqa: S101 - set in _made
        assert request.window_end is not None  # noqa: S101
        first, last = request.window_start.date(), request.window_end.date()
        answer = self._ask(ASYNC, self._params(_Days(first=first, last=last, end=last)))
        return _told(answer).reference("id") or ""

    def _poll(self, report_id: str) -> Report:
        told = _told(self._ask(f"{ASYNC}/job_status", {"id": report_id}))
        status = told.text("status") or ""
        state = _STATES.get(status.lower(), ReportState.RUNNING)
        url = told.text("s3_link", "url") or ""
        if state is ReportState.READY and not url:
            raise SchemaError(f"{CONNECTOR}: report {report_id} is complete, but has no s3_link")
        return Report(state=state, url=url, said=told.text("message", "error") or status)

    # Answered at once

    def _asked_at_once(self, days: _Days) -> Page:
        answer = self._ask(SYNC, {**self._params(days), "page": days.page})
        table = table_in(answer.body, CONNECTOR)
        is_cut = table.is_cut(min(self._report.row_limit, MOST_AT_ONCE))
        if is_cut and days.first < days.last:
            # It was more than an answer may hold: half as many days then, and no row of this one.
            half = ((days.last - days.first).days + 1) // 2
            shorter = self._days(days.first, days.end, days.before, half)
            return Page(next_cursor=_cursor(shorter))
        digest = hashlib.sha256(exact_json.dumps(list(table.rows))).hexdigest()[:16]
        if days.page > 1 and digest == days.digest:
            raise SchemaError(
                f"{CONNECTOR}: the report {self._report.slug} has more rows for {days.first} than one answer "
                "holds, and gives no second page: set its way to async"
            )
        page = Page(records=records_of(table, self._report, CONNECTOR))
        if is_cut:
            following = msgspec.structs.replace(
                days, page=days.page + 1, digest=digest, before=days.before + len(table.rows)
            )
            return replace(page, next_cursor=_cursor(following))
        return self._after(days, page, len(table.rows))


def _told(answer: Answer) -> Fields:
    """
    Return what is said of a report: within `data`, the first of a list there, or at the top.

    :raises SchemaError: if that is no object
    """
    try:
        told = exact_json.loads(answer.body)
        inner = told.get("data", told) if isinstance(told, dict) else told
        return Fields(inner[0] if isinstance(inner, list) and inner else inner, "data")
    except RecordError as error:
        raise BadResponse(f"{CONNECTOR}: what is said of a report cannot be read: {error}") from None


def _cursor(days: _Days) -> str:
    return msgspec.json.encode(_Beside(days=days)).decode()


def _days_of(cursor: str) -> _Days:
    try:
        return _decoder.decode(cursor).days
    except msgspec.DecodeError:
        raise CursorExpired(f"{cursor[:80]!r} has no days of a report: its settings were changed") from None


def _date(text: Any) -> date | None:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None
