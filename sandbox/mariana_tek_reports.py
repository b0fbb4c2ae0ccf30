"""Table reports of a studio: which there are, and their rows for some days."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from sandbox.dataset import Dataset

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One report: its columns, and the parameters of its days."""

    id: str
    slug: str
    name: str
    category: str
    first_day: str
    last_day: str
    headers: Sequence[str]
    #: Takes the lists by name; yields the day of each row with its values.
    rows: Callable[[Mapping[str, Sequence[Json]]], list[tuple[str, Mapping[str, Any]]]]
    #: The lists it is made of.
    lists: tuple[str, ...]

    def between(self, datasets: Mapping[str, Dataset], days: tuple[str, str] | None) -> list[list[Any]]:
        lists = {name: read(datasets[name]) for name in self.lists}
        found = [(day, row) for day, row in self.rows(lists) if days is None or days[0] <= day <= days[1]]
        return [
            [row.get(header) for header in self.headers] for _, row in sorted(found, key=lambda one: one[0])
        ]


def read(dataset: Dataset, keys: Collection[int] | None = None) -> list[Json]:
    """Return the records that can be read, of all or of those at `keys`; a report leaves the others out."""
    found = []
    for row in dataset.rows(dataset.numbered() if keys is None else keys):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            record = msgspec.json.decode(row)
            if isinstance(record.get("id"), str) and "relationships" in record:
                found.append(record)
    return found


def _related(record: Json, name: str) -> str | None:
    data = record["relationships"].get(name, {}).get("data")
    return data["id"] if data else None


def _sales(lists: Mapping[str, Sequence[Json]]) -> list[tuple[str, Mapping[str, Any]]]:
    orders = {order["id"]: order for order in lists["orders"]}
    found: list[tuple[str, Mapping[str, Any]]] = []
    for line in lists["order_lines"]:
        order = orders.get(_related(line, "order") or "")
        if order is None:
            continue
        sold, bought = line["attributes"], order["attributes"]
        day = str(sold["date_placed"])[:10]
        row = {
            "Order Number": bought["number"],
            "Order Status": bought["status"],
            "Order Date (UTC)": day,
            "Order Time (UTC)": str(sold["date_placed"])[11:19],
            "Order Device": "Web",
            "Processed by System?": False,
            "Customer ID": int(_related(order, "user") or 0),
            "Product": sold["title"],
            "Product ID": int(_related(line, "product") or 0),
            "Variant ID": int(line["id"]),
            "Product SKU": sold["partner_sku"],
            "Product Type": "Memberships",
            "Line Status": "Completed",
            "Transaction Date": day,
            "Currency": sold["currency"],
            "Line Quantity": sold["quantity"],
            "Line Subtotal": sold["line_price_excl_tax"],
            "Original Price": sold["unit_price_excl_tax"],
            "Line Tax": "0.00",
            "Line Total": sold["line_price_incl_tax"],
            "Deferred Revenue": "1.23",
            "Purchase Location": bought["location"],
        }
        found.append((day, row))
        if bought["status"] == "Refunded":
            back = {"Line Status": "Refunded", "Line Quantity": -sold["quantity"]}
            found.append((day, {**row, **back, "Line Subtotal": f"-{sold['line_price_excl_tax']}"}))
    return found


def _reservations(lists: Mapping[str, Sequence[Json]]) -> list[tuple[str, Mapping[str, Any]]]:
    classes = {one["id"]: one["attributes"] for one in lists["class_sessions"]}
    found: list[tuple[str, Mapping[str, Any]]] = []
    for one in lists["reservations"]:
        class_id = _related(one, "class_session") or ""
        taught = classes.get(class_id)
        if taught is None:
            continue
        said = one["attributes"]
        row = {
            "Reservation ID": int(one["id"]),
            "Reservation Type": said["reservation_type"],
            "Status": said["status"],
            "Creation Date": str(said["creation_date"])[:10],
            "Cancelled Date": said["cancel_date"] and str(said["cancel_date"])[:10],
            "Guest": str(said["reserved_for_guest"]),
            "Guest Email": said["guest_email"],
            "Class ID": int(class_id),
            "Class Start Date": taught["start_date"],
            "Class Type": taught["class_type_display"],
            "Customer ID": int(_related(one, "user") or 0),
            "Broker ID": _related(one, "broker"),
        }
        found.append((taught["start_date"], row))
    return found


def _people(lists: Mapping[str, Sequence[Json]]) -> list[tuple[str, Mapping[str, Any]]]:
    found: list[tuple[str, Mapping[str, Any]]] = []
    for user in lists["users"]:
        said = user["attributes"]
        day = str(said["join_date"])[:10]
        row = {
            "Customer": said["full_name"],
            "Customer ID": int(user["id"]),
            "Customer Email": said["email"],
            "Customer Phone Number": said["phone_number"],
            "Join Date": day,
            "First Class Date": day,
            "Class Location": "Main Street",
            "Total Upcoming Reservations": 0,
        }
        found.append((day, row))
    return found


def _table(number: int, slug: str, name: str, days: str, headers: str, **more: Any) -> Table:
    return Table(
        id=str(number),
        slug=slug,
        name=name,
        first_day=f"min_{days}",
        last_day=f"max_{days}",
        headers=tuple(headers.split("|")),
        **more,
    )


TABLES = {
    one.id: one
    for one in (
        _table(
            353,
            "orders-utc",
            "Orders - UTC",
            "transaction_date",
            "Order Number|Order Status|Order Date (UTC)|Order Time (UTC)|Order Device|Processed by System?|"
            "Customer ID|Product|Product ID|Variant ID|Product SKU|Product Type|Line Status|Transaction Date|"
            "Currency|Line Quantity|Line Subtotal|Original Price|Line Tax|Line Total|Deferred Revenue|"
            "Purchase Location",
            category="sales",
            rows=_sales,
            lists=("orders", "order_lines"),
        ),
        _table(
            341,
            "reservations",
            "Reservations",
            "start_date_day",
            "Reservation ID|Reservation Type|Status|Creation Date|Cancelled Date|Guest|Guest Email|Class ID|"
            "Class Start Date|Class Type|Customer ID|Broker ID",
            category="operations",
            rows=_reservations,
            lists=("reservations", "class_sessions"),
        ),
        _table(
            317,
            "first-timers",
            "First Timers",
            "first_class_date_day",
            "Customer|Customer ID|Customer Email|Customer Phone Number|Join Date|First Class Date|"
            "Class Location",
            category="marketing",
            rows=_people,
            lists=("users",),
        ),
        _table(
            336,
            "customers-details",
            "Customers - Details",
            "join_date_day",
            "Customer|Customer ID|Customer Email|Join Date|Total Upcoming Reservations",
            category="marketing",
            rows=_people,
            lists=("users",),
        ),
        _table(
            401,
            "deferred-revenue",
            "Deferred Revenue",
            "transaction_date",
            "Order Number|Product ID|Variant ID|Transaction Date|Line Status|Line Quantity|Deferred Revenue",
            category="finance",
            rows=_sales,
            lists=("orders", "order_lines"),
        ),
    )
}


def days_between(first: str, last: str) -> tuple[str, str]:
    """:raises ValueError: if one is no day, or the last comes first"""
    days = [datetime.fromisoformat(text).replace(tzinfo=UTC).date() for text in (first, last)]
    if days[0] > days[1]:
        raise ValueError("the last day comes first")
    return days[0].isoformat(), days[1].isoformat()
