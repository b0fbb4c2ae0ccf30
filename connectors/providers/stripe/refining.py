"""What Stripe's objects mean: amounts in minor units, times in epoch seconds, relations by id or expanded."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from connectors import normal
from connectors.base import Json
from connectors.errors import RecordError
from connectors.fields import Fields
from connectors.kinds import (
    BalanceTransaction,
    Customer,
    Dispute,
    Payment,
    Payout,
    Price,
    Product,
    Refund,
)

#: Which relation a balance transaction's source is, by how its id begins.
PAYMENT_IDS = ("ch_", "py_")
REFUND_IDS = ("re_", "pyr_")
PAYOUT_IDS = ("po_",)


def existing(payload: Json) -> Fields:
    """
    Return the object's fields.

    :raises RecordError: if it is what is left of a deleted object: its id and nothing else
    """
    raw = Fields(payload)
    if raw.boolean("deleted"):
        raise RecordError("deleted: this object is gone at Stripe, and nothing but its id is left")
    return raw


def related(raw: Fields, name: str) -> str | None:
    """Return the id of a relation, which Stripe sends in full where someone asked for that."""
    try:
        return raw.reference(name)
    except RecordError:
        return raw.inside(name).identity()


def amount(raw: Fields, code: str | None, *names: str) -> Decimal | None:
    """Return the first amount there is, in major units."""
    return normal.money(raw.decimal(*names), code)


def refine_customer(payload: Json) -> Customer:
    raw = existing(payload)
    country = raw.inside("address").text("country") or raw.inside("shipping").inside("address").text(
        "country"
    )
    return Customer(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        email=normal.email(raw.text("email")),
        name=normal.full_name(raw.text("name")),
        phone=normal.phone(raw.text("phone"), country),
        country=country,
    )


def refine_product(payload: Json) -> Product:
    raw = existing(payload)
    active = raw.boolean("active")
    return Product(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        title=raw.text("name"),
        product_type=raw.text("type"),
        status=None if active is None else "active" if active else "archived",
    )


def refine_price(payload: Json) -> Price:
    raw = existing(payload)
    code = normal.currency(raw.text("currency"))
    recurring = raw.inside("recurring")
    return Price(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        product_external_id=related(raw, "product"),
        title=raw.text("nickname"),
        type=raw.text("type"),
        currency=code,
        amount=amount(raw, code, "unit_amount_decimal", "unit_amount"),
        interval=recurring.text("interval"),
        interval_count=recurring.integer("interval_count"),
        is_active=raw.boolean("active"),
    )


def refine_charge(payload: Json) -> Payment:
    raw = existing(payload)
    code = normal.currency(raw.text("currency"))
    return Payment(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        type="charge",
        status=raw.text("status"),
        method=raw.inside("payment_method_details").text("type"),
        reference=raw.text("receipt_number"),
        currency=code,
        amount=amount(raw, code, "amount"),
        refunded_amount=amount(raw, code, "amount_refunded"),
        customer_external_id=related(raw, "customer"),
        invoice_external_id=related(raw, "invoice"),
        parent_external_id=related(raw, "payment_intent"),
    )


def refine_payment_intent(payload: Json) -> Payment:
    raw = existing(payload)
    code = normal.currency(raw.text("currency"))
    return Payment(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        type="payment_intent",
        status=raw.text("status"),
        currency=code,
        amount=amount(raw, code, "amount"),
        customer_external_id=related(raw, "customer"),
        invoice_external_id=related(raw, "invoice"),
    )


def refine_refund(payload: Json) -> Refund:
    raw = existing(payload)
    code = normal.currency(raw.text("currency"))
    return Refund(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        status=raw.text("status"),
        reason=raw.text("reason"),
        currency=code,
        amount=amount(raw, code, "amount"),
        payment_external_id=related(raw, "charge") or related(raw, "payment_intent"),
    )


def refine_dispute(payload: Json) -> Dispute:
    raw = existing(payload)
    code = normal.currency(raw.text("currency"))
    return Dispute(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        status=raw.text("status"),
        reason=raw.text("reason"),
        currency=code,
        amount=amount(raw, code, "amount"),
        payment_external_id=related(raw, "charge") or related(raw, "payment_intent"),
        due_at=raw.inside("evidence_details").moment("due_by"),
    )


def refine_payout(payload: Json) -> Payout:
    raw = existing(payload)
    code = normal.currency(raw.text("currency"))
    return Payout(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        status=raw.text("status"),
        method=raw.text("method"),
        currency=code,
        amount=amount(raw, code, "amount"),
        arrives_at=raw.moment("arrival_date"),
    )


def refine_balance_transaction(payload: Json) -> BalanceTransaction:
    raw = existing(payload)
    code = normal.currency(raw.text("currency"))
    moved = BalanceTransaction(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        type=raw.text("type"),
        status=raw.text("status"),
        currency=code,
        amount=amount(raw, code, "amount"),
        fee_amount=amount(raw, code, "fee"),
        net_amount=amount(raw, code, "net"),
        available_at=raw.moment("available_on"),
    )
    return moved_by(moved, related(raw, "source"))


def refine_balance_row(payload: Json) -> BalanceTransaction:
    """Understand a row of a report: its amounts are in major units, its times UTC without saying so."""
    raw = Fields(payload)
    moved = BalanceTransaction(
        external_id=raw.identity("balance_transaction_id"),
        occurred_at=raw.moment("created_utc", "created"),
        type=raw.text("reporting_category"),
        currency=normal.currency(raw.text("currency")),
        amount=raw.decimal("gross"),
        fee_amount=raw.decimal("fee"),
        net_amount=raw.decimal("net"),
        available_at=raw.moment("available_on_utc", "available_on"),
        payout_external_id=raw.reference("automatic_payout_id"),
    )
    return moved_by(moved, raw.reference("source_id"))


def moved_by(moved: BalanceTransaction, source: str | None) -> BalanceTransaction:
    """Say what moved the money, as far as its id tells."""
    begins = source or ""
    return replace(
        moved,
        reference=source,
        payment_external_id=source if begins.startswith(PAYMENT_IDS) else None,
        refund_external_id=source if begins.startswith(REFUND_IDS) else None,
        payout_external_id=source if begins.startswith(PAYOUT_IDS) else moved.payout_external_id,
    )
