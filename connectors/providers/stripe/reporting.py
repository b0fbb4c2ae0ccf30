"""Reports: rows in CSV that Stripe prepares twice a day, asked for by interval, made while we wait."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from connectors.base import FetchRequest, Json, Page, Stream
from connectors.errors import ConfigError, SchemaError
from connectors.fields import Fields
from connectors.http import HttpSession
from connectors.kinds import GenericRecord, Kind
from connectors.providers.stripe.calls import Calls, object_in
from connectors.providers.stripe.refining import refine_balance_row
from connectors.providers.stripe.settings import ReportConfig, StripeConfig
from connectors.providers.stripe.streams import BALANCE_TRANSACTIONS, PAGE_SIZE
from connectors.report_rows import CsvRows
from connectors.reports import Report, ReportFlow, ReportState
from connectors.urls import origin

PERMISSION = "rak_report_runs_write"
BALANCE_COLUMNS = (
    "balance_transaction_id",
    "created_utc",
    "available_on_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "automatic_payout_id",
)
_FILES = "https://files.stripe.com"
_STATES = {
    "pending": ReportState.RUNNING,
    "succeeded": ReportState.READY,
    "failed": ReportState.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStream:
    """A report, and the stream it is read as."""

    stream: Stream
    settings: ReportConfig


def report_streams(config: StripeConfig) -> dict[str, ReportStream]:
    """Return the reports a source's settings name, by their streams' names."""
    found = {name: _configured(name, one) for name, one in config.reports.items()}
    if config.balance_from == "report":
        settings = ReportConfig(
            report_type=config.balance_report, key=BALANCE_COLUMNS[:1], columns=BALANCE_COLUMNS
        )
        name, kind = BALANCE_TRANSACTIONS.name, BALANCE_TRANSACTIONS.kind
        found[name] = _report(name, kind, refine_balance_row, settings)
    return found


def _configured(name: str, settings: ReportConfig) -> ReportStream:
    return _report(name, GenericRecord.kind, partial(refine_row, settings=settings), settings)


def _report(name: str, kind: str, refine: Callable[[Json], Kind], settings: ReportConfig) -> ReportStream:
    stream = Stream(
        name=name,
        kind=kind,
        refine=refine,
        page_size=PAGE_SIZE * 5,
        is_incremental=settings.time_column is not None,
        cursor_field=settings.time_column or "",
        default_schedule="every 12h",
        scopes=(PERMISSION,),
        ways=("report",),
        key=settings.key,
    )
    return ReportStream(stream=stream, settings=settings)


def refine_row(payload: Json, *, settings: ReportConfig) -> GenericRecord:
    raw = Fields(payload)
    return GenericRecord(
        external_id=":".join(raw.identity(name) for name in settings.key),
        occurred_at=raw.moment(settings.time_column) if settings.time_column else None,
        title=raw.text(settings.title_column) if settings.title_column else None,
    )


class Reporting:
    """One report, as one source reads it."""

    def __init__(
        self,
        settings: ReportConfig,
        calls: Calls,
        *,
        files: HttpSession,
        base_url: str,
        clock: Callable[[], datetime],
        poll_seconds: float,
    ) -> None:
        self._settings = settings
        self._calls = calls
        self._known_origins = {origin(base_url), origin(_FILES)}
        self._flow = ReportFlow(
            start=self._start,
            poll=self._poll,
            files=files,
            layout=CsvRows(connector="stripe", ids=settings.key, updated=settings.time_column),
            clock=clock,
            poll_seconds=poll_seconds,
        )

    def fetch(self, request: FetchRequest) -> Page:
        """:raises ConnectorError: as `ReportFlow.fetch` does"""
        if request.cursor is None and self._interval(request) is None:
            return Page()
        return self._flow.fetch(request)

    def _interval(self, request: FetchRequest) -> tuple[int, int] | None:
        """Return the interval to ask for, in epoch seconds; None where Stripe has no data yet."""
        told = object_in(self._calls.get(f"/reporting/report_types/{self._settings.report_type}").answer)
        start, end = told.get("data_available_start"), told.get("data_available_end")
        if not isinstance(start, int) or not isinstance(end, int):
            raise SchemaError("stripe: the type of report does not say for which interval there is data")
        # The end is exclusive; a window's is not.
        low = max(start, _seconds(request.window_start) or start)
        high = min(end, (_seconds(request.window_end) or end) + 1)
        return (low, high) if low < high else None

    def _start(self, request: FetchRequest) -> str:
        interval = self._interval(request)
        if interval is None:
            raise SchemaError("stripe: there is no data any more for a report that was begun; sync again")
        form = {
            "report_type": self._settings.report_type,
            "parameters[interval_start]": str(interval[0]),
            "parameters[interval_end]": str(interval[1]),
            **{f"parameters[columns][{n}]": name for n, name in enumerate(self._settings.columns)},
        }
        # An answer may get lost: the same question is answered with the same report for a day. A second
        # attempt comes with the cursor of the first.
        asked = repr((sorted(form.items()), request.cursor))
        key = hashlib.sha256(asked.encode()).hexdigest()
        return _id_of(object_in(self._calls.post("/reporting/report_runs", form, idempotency_key=key)))

    def _poll(self, report_id: str) -> Report:
        told = object_in(self._calls.get(f"/reporting/report_runs/{report_id}").answer)
        state = _STATES.get(str(told.get("status")))
        if state is None:
            raise SchemaError(f"stripe: report {report_id} is in no known state: {told.get('status')!r}")
        if state is not ReportState.READY:
            return Report(state=state, said=str(told.get("error") or ""))
        return Report(state=state, url=self._file_of(told))

    def _file_of(self, told: Json) -> str:
        result = told.get("result")
        url = result.get("url") if isinstance(result, dict) else None
        if not isinstance(url, str):
            raise SchemaError("stripe: a report that is ready does not say where its file is")
        if origin(url) not in self._known_origins:
            raise ConfigError(
                "stripe: the file of a report is on a host that is not Stripe's, and our key would go with "
                "the question for it; report it to Stripe"
            )
        return url


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.astimezone(UTC).timestamp())


def _id_of(told: Json) -> str:
    return str(told.get("id") or "")
