"""What Stripe's invoices and subscriptions mean, in the shapes that versions from 2020 on give them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from connectors import normal
from connectors.base import Json
from connectors.fields import Fields, Said
from connectors.kinds import Invoice, InvoiceLine, Subscription
from connectors.providers.stripe.refining import amount, existing, related


def refine_invoice(payload: Json) -> Invoice:
    raw = existing(payload)
    code = normal.currency(raw.text("currency"))
    invoice = Invoice(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        number=raw.text("number"),
        status=raw.text("status"),
        customer_external_id=related(raw, "customer"),
        subscription_external_id=_subscription_of(raw),
        email=normal.email(raw.text("customer_email")),
        currency=code,
        total_amount=amount(raw, code, "total"),
        subtotal_amount=amount(raw, code, "subtotal"),
        tax_amount=normal.money(_tax(raw), code),
        paid_amount=amount(raw, code, "amount_paid"),
        due_amount=amount(raw, code, "amount_remaining", "amount_due"),
        due_at=raw.moment("due_date"),
        paid_at=raw.inside("status_transitions").moment("paid_at"),
    )
    listed = raw.inside("lines")
    # Ten lines at most come with an invoice: of more, those not shown must not be taken for gone.
    if listed.said("data") is Said.ABSENT or listed.boolean("has_more"):
        return invoice
    return replace(invoice, lines=tuple(_line(line, invoice) for line in listed.each("data")))


def refine_invoice_line(payload: Json) -> InvoiceLine:
    raw = Fields(payload)
    return _line(raw, Invoice(external_id=related(raw, "invoice") or ""))


def _line(raw: Fields, invoice: Invoice) -> InvoiceLine:
    code = normal.currency(raw.text("currency")) or invoice.currency
    pricing, price, period = raw.inside("pricing"), raw.inside("price", "plan"), raw.inside("period")
    of_price = pricing.inside("price_details")
    fine = pricing.decimal("unit_amount_decimal")
    return InvoiceLine(
        external_id=raw.identity(),
        occurred_at=invoice.occurred_at,
        invoice_external_id=invoice.external_id or None,
        product_external_id=related(of_price, "product") or related(price, "product"),
        price_external_id=related(of_price, "price") or price.reference("id"),
        title=raw.text("description"),
        quantity=raw.decimal("quantity_decimal", "quantity"),
        unit_price=normal.money(fine, code)
        if fine is not None
        else amount(price, code, "unit_amount_decimal", "unit_amount", "amount"),
        total_amount=amount(raw, code, "amount"),
        currency=code,
        period_starts_at=period.moment("start"),
        period_ends_at=period.moment("end"),
    )


def _subscription_of(raw: Fields) -> str | None:
    now_here = related(raw.inside("parent").inside("subscription_details"), "subscription")
    return now_here or related(raw, "subscription")


def _tax(raw: Fields) -> Decimal | None:
    """Return the sum of all taxes; `tax` in versions before 2025-03-31."""
    for name in ("total_taxes", "total_tax_amounts"):
        if raw.said(name) in (Said.EMPTY, Said.GIVEN):
            return sum((tax.decimal("amount") or Decimal() for tax in raw.each(name)), Decimal())
    return raw.decimal("tax")


def refine_subscription(payload: Json) -> Subscription:
    raw = existing(payload)
    items = list(raw.inside("items").each("data"))
    first = items[0] if items else Fields({})
    price = first.inside("price", "plan")
    rhythm = price.inside("recurring") if price.said("recurring") is Said.GIVEN else price
    code = normal.currency(raw.text("currency")) or normal.currency(price.text("currency"))
    is_whole = bool(items) and not raw.inside("items").boolean("has_more")
    return Subscription(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        status=raw.text("status"),
        customer_external_id=related(raw, "customer"),
        price_external_id=price.reference("id"),
        quantity=first.decimal("quantity") if items else raw.decimal("quantity"),
        currency=code,
        amount=normal.money(_sum(items), code) if is_whole else None,
        interval=rhythm.text("interval"),
        interval_count=rhythm.integer("interval_count"),
        period_starts_at=raw.moment("current_period_start") or first.moment("current_period_start"),
        period_ends_at=raw.moment("current_period_end") or first.moment("current_period_end"),
        trial_ends_at=raw.moment("trial_end"),
        is_ending=True if raw.moment("cancel_at") else raw.boolean("cancel_at_period_end"),
        cancelled_at=raw.moment("canceled_at"),
        ended_at=raw.moment("ended_at"),
    )


def _sum(items: list[Fields]) -> Decimal | None:
    """Return what all items come to, in minor units; None where one of them has no fixed price."""
    costs = list(_costs(items))
    return None if None in costs else sum((cost for cost in costs if cost is not None), Decimal())


def _costs(items: list[Fields]) -> Iterator[Decimal | None]:
    for item in items:
        each = item.inside("price", "plan").decimal("unit_amount_decimal", "unit_amount", "amount")
        quantity = item.decimal("quantity")
        yield None if each is None else each * (1 if quantity is None else quantity)
