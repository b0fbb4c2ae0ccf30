"""
Stripe's report runs: an interval is asked for, a CSV file with amounts in major units is there a while later.

Confirmed: paths, parameters, states, the error outside the data's interval, data prepared twice a day, the
API key being needed for the file. Unconfirmed [M]: the order of columns, and by which time rows are chosen.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from sandbox.dataset import Dataset
from sandbox.messages import Answer, Request, json_answer
from sandbox.reporting import DeskRules, ReportDesk
from sandbox.stripe_lists import no
from sandbox.stripe_records import DAY

TYPE = "payout_reconciliation.itemized.5"
#: Prepared twice a day.
PREPARED_SECONDS = DAY // 2
COLUMNS = (
    "automatic_payout_id",
    "balance_transaction_id",
    "created_utc",
    "available_on_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "description",
)
_COLUMN = re.compile(r"parameters\[columns\]\[[0-9]*\]")
_DECIMALS = {"jpy": 0, "kwd": 3}


class Reports:
    """One account's reports."""

    def __init__(self, transactions: Dataset, *, seconds: float, clock: Callable[[], float]) -> None:
        self.desk = ReportDesk(DeskRules(seconds=seconds), clock=clock)
        self._transactions = transactions
        self._clock = clock
        self._runs: dict[str, dict[str, Any]] = {}
        self._files: dict[str, bytes] = {}
        self._by_key: dict[str, str] = {}

    def report_type(self, name: str) -> Answer:
        if name != TYPE:
            raise no(f"No such reporting report type: '{name}'", status=404, code="resource_missing")
        start, end = self._available()
        told = {"id": TYPE, "object": "reporting.report_type", "name": "Payout reconciliation", "version": 5}
        available = {"data_available_start": start, "data_available_end": end}
        return json_answer({**told, **available, "default_columns": list(COLUMNS), "livemode": False})

    def start(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        key = request.headers.get("idempotency-key", "")
        if key in self._by_key:
            answer = json_answer(self._told(self._by_key[key], request.origin))
            answer.headers["Idempotent-Replayed"] = "true"
            return answer
        low, high = self._interval(form)
        columns = [value for name, value in form.items() if _COLUMN.fullmatch(name)] or list(COLUMNS)
        for name in columns:
            if name not in COLUMNS:
                raise no(f"Invalid column: {name}", param="parameters[columns]")
        body = self._csv(columns, low, high)
        run = f"frr_{self.desk.start(body).removeprefix('rep_')}"
        self._files[run] = body
        self._runs[run] = {"created": int(self._clock()), "interval_start": low, "interval_end": high}
        if key:
            self._by_key[key] = run
        return json_answer(self._told(run, request.origin))

    def run(self, run: str, request: Request) -> Answer:
        return json_answer(self._told(run, request.origin))

    def file(self, request: Request) -> Answer:
        run = request.path.rsplit("/", 2)[-2].removeprefix("file_")
        if run not in self._runs or self._state(run) != "ready":
            raise no(f"No such file: 'file_{run}'", status=404, code="resource_missing", param="id")
        return Answer(body=self._files[run], content_type="text/csv; charset=utf-8")

    def ids(self) -> list[str]:
        """Return the ids that a report on all there is would hold now."""
        lines = self._csv(["balance_transaction_id"], *self._available()).decode().splitlines()
        return lines[1:]

    def _state(self, run: str) -> str:
        return self.desk.state(f"rep_{run.removeprefix('frr_')}")

    def _told(self, run: str, origin: str) -> dict[str, Any]:
        if run not in self._runs:
            raise no(f"No such reporting report run: '{run}'", status=404, code="resource_missing")
        known, state = self._runs[run], self._state(run)
        interval = {name: known[name] for name in ("interval_start", "interval_end")}
        url = f"{origin}/stripe/files/v1/files/file_{run}/contents"
        result = {"id": f"file_{run}", "object": "file", "type": "csv", "url": url}
        return {
            "id": run,
            "object": "reporting.report_run",
            "created": known["created"],
            "error": "Something went wrong while making this report." if state == "failed" else None,
            "livemode": False,
            "parameters": interval,
            "report_type": TYPE,
            "result": result if state == "ready" else None,
            "status": {"running": "pending", "ready": "succeeded"}.get(state, "failed"),
        }

    def _available(self) -> tuple[int, int]:
        now = int(self._clock())
        oldest = min((self._transactions.created(key) for key in self._transactions.order), default=now)
        return oldest - oldest % DAY, now - now % PREPARED_SECONDS

    def _interval(self, form: Mapping[str, str]) -> tuple[int, int]:
        if form.get("report_type") != TYPE:
            raise no(f"Invalid report_type: {form.get('report_type')}", param="report_type")
        start, end = self._available()
        try:
            low, high = (int(form[f"parameters[interval_{edge}]"]) for edge in ("start", "end"))
        except (KeyError, ValueError):
            raise no("Missing required param: parameters.", param="parameters") from None
        if not start <= low < high <= end:
            raise no(
                f"Data for this report is available from {start} to {end}; interval_start must be before "
                "interval_end, and both within it.",
                param="parameters[interval_start]",
            )
        return low, high

    def _csv(self, columns: list[str], low: int, high: int) -> bytes:
        text = io.StringIO()
        table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        for row in self._transactions.rows(self._transactions.numbered()):
            try:
                record = msgspec.json.decode(row)
            except (msgspec.DecodeError, ValueError):
                continue
            if isinstance(record["amount"], int) and low <= record["created"] < high:
                table.writerow(_cells(record))
        return text.getvalue().encode()


def _cells(record: Mapping[str, Any]) -> dict[str, str]:
    decimals = _DECIMALS.get(record["currency"], 2)
    source = record["source"]
    return {
        "automatic_payout_id": source if record["type"] == "payout" else f"po_{1:012d}",
        "balance_transaction_id": record["id"],
        "created_utc": _text(record["created"]),
        "available_on_utc": _text(record["available_on"]),
        "currency": record["currency"],
        "gross": str(Decimal(record["amount"]).scaleb(-decimals)),
        "fee": str(Decimal(record["fee"]).scaleb(-decimals)),
        "net": str(Decimal(record["net"]).scaleb(-decimals)),
        "reporting_category": record["reporting_category"],
        "source_id": source,
        "description": (record["description"] or "").replace("\0", ""),
    }


def _text(stamp: int) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
