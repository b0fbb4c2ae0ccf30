"""Stripe's subscriptions, and its invoices with lines, of which ten at most come with them."""

from __future__ import annotations

from typing import Any

from sandbox import vocabulary as words
from sandbox.data import Dice, Facts, Record, ware
from sandbox.stripe_records import DAY, MOST_LINES_SHOWN, Made, Shop, object_id, price_currency

_STATUSES = ("paid", "paid", "paid", "open", "draft", "void")


def subscription_status(index: int) -> str:
    """Known without making the subscription, as lists filter by it."""
    return ("active", "active", "trialing", "past_due", "canceled")[index % 5]


def make_subscription(facts: Facts, *, shop: Shop) -> Record:
    dice = facts.dice
    customer = shop.some("customers", dice)
    first = dice.below(shop.counts["prices"])
    status = subscription_status(facts.index)
    starts = facts.updated - dice.below(28) * DAY
    items = [
        _item(facts, shop, price=first, number=number, starts=starts) for number in range(1 + dice.below(2))
    ]
    return {
        "id": object_id("subscriptions", facts.index),
        "object": "subscription",
        "cancel_at": None,
        "cancel_at_period_end": dice.below(8) == 0,
        "canceled_at": facts.updated if status == "canceled" else None,
        "created": facts.created,
        "currency": price_currency(shop, first),
        "customer": customer,
        "description": dice.choice(words.NOTES) or None,
        "ended_at": facts.updated if status == "canceled" else None,
        "items": {"object": "list", "data": items, "has_more": False, "total_count": len(items)},
        "livemode": False,
        "metadata": {"edition": str(facts.version)},
        "start_date": facts.created,
        "status": status,
        "trial_end": facts.created + 14 * DAY if status == "trialing" else None,
    }


def _item(facts: Facts, shop: Shop, *, price: int, number: int, starts: int) -> Record:
    cents = 900 + 100 * number
    return {
        "id": f"si_{facts.index:08d}{number:02d}",
        "object": "subscription_item",
        "current_period_end": starts + 30 * DAY,
        "current_period_start": starts,
        "price": {
            "id": object_id("prices", price),
            "object": "price",
            "currency": price_currency(shop, price),
            "product": object_id("products", price % shop.counts["products"]),
            "recurring": {"interval": "month", "interval_count": 1},
            "unit_amount": cents,
            "unit_amount_decimal": str(cents),
        },
        "quantity": 1 + (number + facts.version) % 4,
        "subscription": object_id("subscriptions", facts.index),
    }


def invoice_status(index: int) -> str:
    return _STATUSES[index % len(_STATUSES)]


def lines_of(shop: Shop, index: int) -> list[Record]:
    """Return all lines of an invoice; every seventh has more than come with it."""
    dice = Dice(shop.seed, "stripe lines", index)
    count = 11 + dice.below(14) if index % 7 == 3 else 1 + dice.below(4)
    return [_line(shop, index, number) for number in range(count)]


def _line(shop: Shop, invoice: int, number: int) -> Record:
    dice = Dice(shop.seed, "stripe line", invoice, number)
    price, quantity = dice.below(shop.counts["prices"]), 1 + dice.below(3)
    product = price % shop.counts["products"]
    cents = 250 + 50 * dice.below(100)
    starts = 1_700_000_000 + invoice * DAY
    return {
        "id": f"il_{invoice:08d}{number:03d}",
        "object": "line_item",
        "amount": cents * quantity,
        "currency": invoice_currency(shop, invoice),
        "description": f"{quantity} x {ware(shop.seed, product).title}",
        "invoice": object_id("invoices", invoice),
        "livemode": False,
        "metadata": {},
        "period": {"end": starts + 30 * DAY, "start": starts},
        "pricing": {
            "price_details": {"price": object_id("prices", price), "product": object_id("products", product)},
            "type": "price_details",
            "unit_amount_decimal": str(cents),
        },
        "quantity": quantity,
    }


def invoice_currency(shop: Shop, index: int) -> str:
    return Dice(shop.seed, "stripe invoice", index).choice(("usd", "usd", "eur", "jpy"))


def make_invoice(facts: Facts, *, shop: Shop) -> Record:
    dice = facts.dice
    lines = lines_of(shop, facts.index)
    subtotal = sum(line["amount"] for line in lines)
    tax = subtotal * 8 // 100
    total, status = subtotal + tax, invoice_status(facts.index)
    paid = total if status == "paid" else 0
    invoice_id = object_id("invoices", facts.index)
    from_subscription: dict[str, Any] = {
        "subscription_details": {"subscription": shop.some("subscriptions", dice)},
        "type": "subscription_details",
    }
    return {
        "id": invoice_id,
        "object": "invoice",
        "amount_due": total,
        "amount_paid": paid,
        "amount_remaining": total - paid,
        "created": facts.created,
        "currency": invoice_currency(shop, facts.index),
        "customer": shop.some("customers", dice),
        "customer_email": f"billing.{facts.index}@example.org",
        "description": dice.choice(words.NOTES) or None,
        "due_date": facts.created + 14 * DAY if dice.below(2) else None,
        "lines": {
            "object": "list",
            "data": lines[:MOST_LINES_SHOWN],
            "has_more": len(lines) > MOST_LINES_SHOWN,
            "total_count": len(lines),
            "url": f"/v1/invoices/{invoice_id}/lines",
        },
        "livemode": False,
        "metadata": {"edition": str(facts.version)},
        "number": None if status == "draft" else f"SBX-{facts.index + 1:06d}",
        "parent": from_subscription if dice.below(2) else None,
        "status": status,
        "status_transitions": {
            "finalized_at": None if status == "draft" else facts.created + 3_600,
            "paid_at": facts.created + 7_200 if status == "paid" else None,
        },
        "subtotal": subtotal,
        "total": total,
        "total_taxes": [{"amount": tax, "tax_behavior": "exclusive", "type": "tax_rate_details"}],
    }


MADE = {
    "subscriptions": Made(make_subscription, "description", "created", "cancel_at_period_end"),
    "invoices": Made(make_invoice, "description", "total", "total"),
}
