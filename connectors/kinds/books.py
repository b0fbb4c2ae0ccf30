"""Kinds of bookkeeping: what is owed to us, what we owe, and the accounts it goes through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from connectors.kinds.base import Kind


class InvoiceLine(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "invoice_line"

    invoice_external_id: str | None = None
    product_external_id: str | None = None
    price_external_id: str | None = None
    title: str | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    total_amount: Decimal | None = None
    currency: str | None = None
    #: What it is charged for, of a subscription.
    period_starts_at: datetime | None = None
    period_ends_at: datetime | None = None


class Invoice(Kind, frozen=True, kw_only=True):
    """What a customer owes us."""

    kind: ClassVar[str] = "invoice"
    children: ClassVar[Mapping[str, str]] = {"lines": "invoice_line"}

    number: str | None = None
    status: str | None = None
    customer_external_id: str | None = None
    subscription_external_id: str | None = None
    email: str | None = None
    currency: str | None = None
    total_amount: Decimal | None = None
    subtotal_amount: Decimal | None = None
    tax_amount: Decimal | None = None
    paid_amount: Decimal | None = None
    #: What is still open.
    due_amount: Decimal | None = None
    due_at: datetime | None = None
    paid_at: datetime | None = None
    lines: tuple[InvoiceLine, ...] | None = None


class Vendor(Kind, frozen=True, kw_only=True):
    """Someone we buy from."""

    kind: ClassVar[str] = "vendor"

    name: str | None = None
    company_name: str | None = None
    email: str | None = None
    phone: str | None = None
    country: str | None = None
    currency: str | None = None
    #: What we owe them.
    balance_amount: Decimal | None = None
    is_active: bool | None = None


class Bill(Kind, frozen=True, kw_only=True):
    """What we owe a vendor."""

    kind: ClassVar[str] = "bill"

    number: str | None = None
    status: str | None = None
    vendor_external_id: str | None = None
    #: The account it is booked on.
    account_external_id: str | None = None
    currency: str | None = None
    total_amount: Decimal | None = None
    due_amount: Decimal | None = None
    due_at: datetime | None = None


class Account(Kind, frozen=True, kw_only=True):
    """An account of the general ledger."""

    kind: ClassVar[str] = "account"

    name: str | None = None
    number: str | None = None
    #: Asset, liability, equity, revenue or expense, in the provider's words.
    classification: str | None = None
    type: str | None = None
    subtype: str | None = None
    parent_external_id: str | None = None
    currency: str | None = None
    balance_amount: Decimal | None = None
    is_active: bool | None = None
