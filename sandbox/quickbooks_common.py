"""What all records of the pretended company have in common: ids, times, how many there are of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from sandbox import vocabulary as words
from sandbox.data import Facts, Record
from sandbox.options import Options

#: Times are written with the company's offset.
ZONE = timezone(timedelta(hours=-8))
COUNTS = {
    "customers": 300,
    "vendors": 40,
    "employees": 15,
    "departments": 5,
    "accounts": 40,
    "items": 120,
    "invoices": 600,
    "payments": 450,
    "sales_receipts": 250,
    "refund_receipts": 30,
    "bills": 200,
}
FEWEST = 5
#: By dataset, the entity as the API names it.
ENTITIES = {
    "customers": "Customer",
    "vendors": "Vendor",
    "employees": "Employee",
    "departments": "Department",
    "accounts": "Account",
    "items": "Item",
    "invoices": "Invoice",
    "payments": "Payment",
    "sales_receipts": "SalesReceipt",
    "refund_receipts": "RefundReceipt",
    "bills": "Bill",
}
#: These are made inactive rather than deleted.
LISTS = frozenset({"Customer", "Vendor", "Employee", "Department", "Account", "Item"})
CENT = Decimal("0.01")

Make = Callable[..., Record]


def record_id(index: int) -> str:
    """Ids are texts, unique per entity: there is a customer "1" and an invoice "1"."""
    return str(index + 1)


def is_active(index: int) -> bool:
    """Known without making the record, as queries filter by it."""
    return index % 13 != 12


def counts(options: Options) -> dict[str, int]:
    return {name: max(FEWEST, round(count * options.scale)) for name, count in COUNTS.items()}


def time_text(stamp: int) -> str:
    return datetime.fromtimestamp(stamp, ZONE).isoformat()


def begun(facts: Facts) -> Record:
    return {
        "domain": "QBO",
        "sparse": False,
        "Id": record_id(facts.index),
        "SyncToken": str(facts.version),
        "MetaData": {"CreateTime": time_text(facts.created), "LastUpdatedTime": time_text(facts.updated)},
    }


def named(facts: Facts, name: str) -> Record:
    active = is_active(facts.index)
    shown = name if active else f"{name} (deleted)"
    return {**begun(facts), "Active": active, "DisplayName": shown, "PrintOnCheckName": name}


def paper(facts: Facts, *, prefix: str) -> Record:
    day = datetime.fromtimestamp(facts.created, ZONE).date()
    return {
        **begun(facts),
        "DocNumber": f"{prefix}{1001 + facts.index}",
        "TxnDate": day.isoformat(),
        "CurrencyRef": {"value": "USD", "name": "United States Dollar"},
        "PrivateNote": facts.dice.choice(words.NOTES),
    }
