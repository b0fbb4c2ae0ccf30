"""
What records of several entities have in common.

Quirks, as of 2026-11-22:
- Names of what was made inactive end with " (deleted)" (ruckus/quickbooks-ruby deleted_customer.xml).
- A field for an address may hold several, with commas between [M].
- A company that keeps its books in one currency may leave it out (the same, payments.xml).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from connectors import normal
from connectors.fields import Fields

ACTIVE, INACTIVE = "active", "inactive"


def created(raw: Fields) -> datetime | None:
    return raw.inside("MetaData").moment("CreateTime")


def updated(raw: Fields) -> datetime | None:
    return raw.inside("MetaData").moment("LastUpdatedTime")


def dated(raw: Fields) -> datetime | None:
    return raw.moment("TxnDate") or created(raw)


def currency(raw: Fields) -> str | None:
    return normal.currency(raw.inside("CurrencyRef").text("value"))


def email(holder: Fields) -> str | None:
    first, *_ = (holder.text("Address") or "").replace(";", ",").split(",")
    return normal.email(first)


def number(raw: Fields) -> str | None:
    return raw.inside("PrimaryPhone").text("FreeFormNumber") or raw.inside("Mobile").text("FreeFormNumber")


def activity(raw: Fields) -> str | None:
    is_active = raw.boolean("Active")
    return None if is_active is None else ACTIVE if is_active else INACTIVE


def whole(quantity: Decimal | None) -> int | None:
    """Return whole units: there may be half a metre on hand, and our column counts pieces."""
    return None if quantity is None else int(quantity)
