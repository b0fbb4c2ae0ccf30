"""Kinds of money that moves: paid, paid back, paid out, disputed, charged again each month."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from connectors.kinds.base import Kind


class Payment(Kind, frozen=True, kw_only=True):
    """Money from a customer, or a step on its way: sums go by type, as one payment may have several steps."""

    kind: ClassVar[str] = "payment"

    #: The provider's word: charge, payment_intent, authorization, capture, sale.
    type: str | None = None
    status: str | None = None
    #: Card, bank transfer, the name of a gateway.
    method: str | None = None
    #: A check number, the id at the gateway.
    reference: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    refunded_amount: Decimal | None = None
    customer_external_id: str | None = None
    order_external_id: str | None = None
    invoice_external_id: str | None = None
    #: The step before: of a charge its payment intent, of a capture its authorization.
    parent_external_id: str | None = None


class Refund(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "refund"

    status: str | None = None
    reason: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    payment_external_id: str | None = None
    order_external_id: str | None = None


class Dispute(Kind, frozen=True, kw_only=True):
    """A payment the customer's bank wants back."""

    kind: ClassVar[str] = "dispute"

    status: str | None = None
    reason: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    payment_external_id: str | None = None
    order_external_id: str | None = None
    #: When evidence must have been handed in.
    due_at: datetime | None = None


class Payout(Kind, frozen=True, kw_only=True):
    """Money from the provider to our bank."""

    kind: ClassVar[str] = "payout"

    status: str | None = None
    method: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    arrives_at: datetime | None = None


class BalanceTransaction(Kind, frozen=True, kw_only=True):
    """A change of the balance at the provider, never changed again: the right thing to add up."""

    kind: ClassVar[str] = "balance_transaction"

    type: str | None = None
    status: str | None = None
    #: The id of what moved the money, whatever that is.
    reference: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    fee_amount: Decimal | None = None
    net_amount: Decimal | None = None
    available_at: datetime | None = None
    payout_external_id: str | None = None
    payment_external_id: str | None = None
    refund_external_id: str | None = None


class Price(Kind, frozen=True, kw_only=True):
    """What a product costs, once or per interval; may be finer than a cent."""

    kind: ClassVar[str] = "price"

    product_external_id: str | None = None
    title: str | None = None
    #: one_time or recurring.
    type: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    #: day, week, month or year, and how many of them.
    interval: str | None = None
    interval_count: int | None = None
    is_active: bool | None = None


class Subscription(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "subscription"

    status: str | None = None
    customer_external_id: str | None = None
    #: Of the first item, where there are several.
    price_external_id: str | None = None
    quantity: Decimal | None = None
    currency: str | None = None
    #: What one interval comes to, all items together.
    amount: Decimal | None = None
    interval: str | None = None
    interval_count: int | None = None
    period_starts_at: datetime | None = None
    period_ends_at: datetime | None = None
    trial_ends_at: datetime | None = None
    #: Cancelled, but running until the period ends.
    is_ending: bool | None = None
    cancelled_at: datetime | None = None
    ended_at: datetime | None = None
