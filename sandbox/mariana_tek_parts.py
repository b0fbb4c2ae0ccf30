"""What there is in the table reports that the sandbox's own source reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sandbox.dataset import Dataset
from sandbox.mariana_tek_reports import TABLES, Table
from sandbox.simulators import Part, Parts, Setting

#: How far back the source reads.
HISTORY_DAYS = 60
TABLE_OF = {"first_timers": "317", "customer_details": "336"}
REPORTS = {name: f"mariana_tek-reports.{name}" for name in TABLE_OF}


def parts(setting: Setting) -> Mapping[str, Parts]:
    return {
        REPORTS[name]: partial(_rows, TABLES[number], setting.datasets, setting.clock)
        for name, number in TABLE_OF.items()
    }


def _rows(table: Table, datasets: Mapping[str, Dataset], clock: Callable[[], float]) -> Iterator[Part]:
    """Yield the rows up to yesterday, named as a reader has to: by the report and the customer."""
    today = datetime.fromtimestamp(clock(), UTC).date()
    first, last = today - timedelta(days=HISTORY_DAYS), today - timedelta(days=1)
    place = table.headers.index("Customer ID")
    for row in table.between(datasets, (first.isoformat(), last.isoformat())):
        yield Part(external_id=f"{table.slug}:{row[place]}", bad=_badness(row))


def _badness(row: list[Any]) -> str | None:
    if any(isinstance(value, str) and "\0" in value for value in row):
        return "nul"
    return "wrong_type" if any(isinstance(value, dict) for value in row) else None
