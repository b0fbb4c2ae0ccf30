"""Rows of table reports: headers and lists of values made into records, each with an id of its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from connectors import exact_json, normal
from connectors.base import MAX_ID_LENGTH, Json, SourceRecord
from connectors.errors import BadResponse, RecordError, SchemaError
from connectors.fields import Fields
from connectors.kinds import GenericRecord, OrderLine, Reservation
from connectors.providers.mariana_tek import classifying
from connectors.providers.mariana_tek.settings import TableReport

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_AMERICAN_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
SHOWN = 60
#: For what follows the `#` of an id.
ROOM_FOR_COUNT = 10
#: A report with none of these tells no price of a sale; deferred revenue, booked month by month, is none.
PRICES = ("line_subtotal", "line_total", "subtotal", "original_price")


def column_named(header: str) -> str:
    """Return `order_date_utc` for "Order Date (UTC)": spelling varies from report to report, and by way."""
    return _NOT_IN_NAMES.sub("_", header.lower()).strip("_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A report as it arrives."""

    headers: Sequence[Any]
    rows: Sequence[Any]
    #: How many rows it should have, where it says so.
    total: int | None = None
    #: Whether the provider had more rows than it shows; None where it does not say.
    says_cut: bool | None = None

    def is_cut(self, limit: int) -> bool:
        """Tell whether rows may be missing: an answer that is full and says nothing is taken for cut."""
        return len(self.rows) >= limit if self.says_cut is None else self.says_cut


def table_in(body: bytes, connector: str) -> Table:
    """
    Return the table, which stands at the top of a file and among the attributes of an answer.

    :raises BadResponse: if this is no JSON
    :raises SchemaError: if there are no headers and rows
    """
    try:
        told = exact_json.loads(body)
    except RecordError as error:
        raise BadResponse(f"{connector}: a report cannot be read: {error}") from None
    place = told
    for name in ("data", "attributes"):
        inner = place.get(name) if isinstance(place, Mapping) else None
        place = inner if isinstance(inner, Mapping) else place
    headers = place.get("headers") if isinstance(place, Mapping) else None
    rows = place.get("rows") if isinstance(place, Mapping) else None
    if not isinstance(headers, list) or not isinstance(rows, list):
        shown = ", ".join(map(str, list(place)[:20])) if isinstance(place, Mapping) else type(place).__name__
        raise SchemaError(f"{connector}: a report without headers and rows: found {shown}")
    total, is_cut = place.get("total_records"), place.get("max_results_exceeded")
    return Table(
        headers=headers,
        rows=rows,
        total=total if isinstance(total, int) and not isinstance(total, bool) else None,
        says_cut=is_cut if isinstance(is_cut, bool) else None,
    )


def records_of(table: Table, report: TableReport, connector: str) -> list[SourceRecord]:
    """
    Return the rows as records: {"id": ..., "row": {column: value}}.

    Rows without a table of their own carry the report's slug in their ids: those of all reports share one.

    :raises SchemaError: if columns are missing or named twice
    """
    return list(records_under(table.headers, table.rows, report, connector))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is no JSON we can keep."""

    text: bytes
    reason: str


def records_under(
    headers: Sequence[Any], rows: Iterable[Any], report: TableReport, connector: str
) -> Iterator[SourceRecord]:
    """
    Return the records of rows that come one by one, as `records_of` does.

    :raises SchemaError: at once, if columns are missing or named twice
    """
    columns = _columns(headers, report, connector)
    seen: Counter[str] = Counter()
    return (_record(row, columns, report, seen, f"row {at}") for at, row in enumerate(rows, 1))


def _columns(headers: Sequence[Any], report: TableReport, connector: str) -> list[str]:
    columns = [column_named(str(header)) for header in headers]
    shown = ", ".join(columns[:SHOWN]) or "none"
    doubled = [name for name, count in Counter(columns).items() if count > 1]
    if doubled:
        raise SchemaError(f"{connector}: {report.slug} has columns of one name: {', '.join(doubled)}")
    missing = [name for name in report.keys if name not in columns]
    if missing:
        raise SchemaError(
            f"{connector}: {report.slug} lacks the columns {', '.join(missing)}, which make a row one; it "
            f"has {shown}. Set key to columns it has."
        )
    if report.shape == "sales" and not set(PRICES) & set(columns):
        raise SchemaError(
            f"{connector}: {report.slug} has no price of a sale (one of {', '.join(PRICES)}); it has "
            f"{shown}. Deferred revenue is not what was paid: choose a report of orders."
        )
    return columns


def _record(
    row: Any, columns: Sequence[str], report: TableReport, seen: Counter[str], position: str
) -> SourceRecord:
    if isinstance(row, Unreadable):
        body = _body({"text": row.text.decode("utf-8", "backslashreplace").replace("\0", "\\u0000")})
        return SourceRecord(body=body, position=position, problem=f"{position}: {row.reason}")
    if not isinstance(row, list) or len(row) != len(columns):
        many = len(row) if isinstance(row, list) else "no"
        problem = f"{position}: {many} values where there are {len(columns)} columns"
        return SourceRecord(body=_body({"row": row}), position=position, problem=problem)
    named = dict(zip(columns, row, strict=True))
    parts = ["" if named[key] is None else str(named[key]) for key in report.keys]
    key = ":".join([report.slug, *parts] if report.shape == "rows" else parts)
    shown = ", ".join(report.keys)
    problem = "" if any(parts) else f"{position}: nothing in {shown}, which make a row one"
    if len(key) > MAX_ID_LENGTH - ROOM_FOR_COUNT:
        problem = f"{position}: {shown} together are too long for an id"
    if problem:
        return SourceRecord(body=_body({"row": named}), position=position, problem=problem)
    # Sold twice on one order is two rows, equal in every column that could tell them apart.
    seen[key] += 1
    external_id = key if seen[key] == 1 else f"{key}#{seen[key]}"
    return SourceRecord(
        body=_body({"id": external_id, "row": named}), external_id=external_id, position=position
    )


def _body(value: Json) -> bytes:
    return exact_json.dumps(value)


def report_day(raw: Fields, *columns: str) -> datetime | None:
    """
    Return the day of a column as the moment it begins: ISO, or month/day/year as some reports have it.

    :raises RecordError: if it is no day
    """
    text = raw.text(*columns)
    found = _AMERICAN_DAY.fullmatch(text.strip()) if text else None
    if found is None:
        return normal.moment(text)
    month, day, year = map(int, found.groups())
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        raise RecordError(f"{columns[0]}: {text!r} is not a day") from None


def refine_sale(payload: Json) -> OrderLine:
    """Return the line with what was paid for it without tax; a refund is a line of its own, below zero."""
    raw = Fields(payload)
    row = raw.inside("row")
    return OrderLine(
        external_id=raw.identity(),
        occurred_at=report_day(row, "transaction_date", "order_date_utc", "order_date"),
        product_external_id=row.reference("product_id"),
        title=row.text("product", "product_name"),
        sku=row.text("product_sku", "sku"),
        quantity=row.decimal("line_quantity", "quantity"),
        unit_price=row.decimal("original_price"),
        total_amount=row.decimal("line_subtotal", "subtotal", "line_total"),
        currency=normal.currency(row.text("currency")),
    )


def refine_reservation_row(payload: Json, *, partners: Mapping[str, str] | None = None) -> Reservation:
    raw = Fields(payload)
    row = raw.inside("row")
    customer = row.reference("customer_id")
    said = row.text("credit_payment_origin"), row.text("credit"), row.text("package"), row.text("membership")
    return Reservation(
        external_id=raw.identity(),
        occurred_at=report_day(row, "creation_date", "reservation_date"),
        status=row.text("status"),
        type=row.text("reservation_type"),
        booking_source=classifying.booking_source(
            (*said, row.text("guest_email")),
            devices=(row.text("booking_source", "source", "channel"), row.text("device", "order_device")),
            customer=customer,
            broker=row.reference("broker_id"),
            is_guest=row.boolean("guest"),
            own=partners or {},
        ),
        customer_external_id=customer,
        class_session_external_id=row.reference("class_id", "class_session_id"),
        cancelled_at=report_day(row, "cancelled_date", "canceled_date"),
    )


def refine_row(payload: Json) -> GenericRecord:
    raw = Fields(payload)
    row = raw.inside("row")
    return GenericRecord(
        external_id=raw.identity(),
        title=row.text("customer", "customer_name", "product", "name"),
        email=normal.email(row.text("customer_email", "email")),
    )


def refines_of(partners: Mapping[str, str]) -> Mapping[str, tuple[str, Any]]:
    """Return the kind and the refine function of each shape."""
    return {
        "sales": (OrderLine.kind, refine_sale),
        "reservations": (Reservation.kind, partial(refine_reservation_row, partners=partners)),
        "rows": (GenericRecord.kind, refine_row),
    }
