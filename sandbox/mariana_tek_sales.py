"""What a studio sells, and sold: products, memberships, orders with their lines."""

from __future__ import annotations

from typing import Any

from sandbox import vocabulary as words
from sandbox.data import Dice, Facts, Record, money, utc_text
from sandbox.mariana_tek_studio import LINES_PER_ORDER, Studio, related

DAY = 24 * 3600
PLANS = ("Unlimited Monthly", "4 Classes", "Founders' Club", "ClassPass Partner")
ORDER_STATUSES = ("Completed", "Completed", "Completed", "Refunded", "Partially Refunded")


def product(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    return {
        "title": f"{facts.dice.choice(PLANS)} {facts.index + 1}",
        "vendor": facts.dice.choice(words.VENDORS),
        "slug": f"product-{facts.index + 1}",
        "is_public": bool(facts.dice.below(4)),
        "date_created": utc_text(facts.created),
        "sort_order": facts.index,
        "sub_category": facts.dice.choice(("Memberships", "Credits", "Retail")),
    }, {"product_class": {"data": {"type": "product_classes", "id": str(1 + facts.index % 4)}}}


def membership(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    statuses = ("active", "active", "active", "payment_failure", "cancelled", "terminated")
    status = statuses[(facts.dice.below(6) + facts.version) % 6]
    is_over = status in {"cancelled", "terminated"}
    return {
        "membership_name": facts.dice.choice(PLANS),
        "status": status,
        "renewal_rate": money(4_900 + 100 * facts.dice.below(200)),
        "renewal_currency": facts.dice.choice(words.CURRENCIES),
        "payment_interval": facts.dice.choice(("DY", "WK", "MO", "YR")),
        "start_date": utc_text(facts.created)[:10],
        "end_date": utc_text(facts.updated)[:10] if is_over else None,
        "purchase_date": utc_text(facts.created),
        "next_charge_date": None if is_over else utc_text(facts.updated + 30 * DAY)[:10],
        "cancellation_datetime": utc_text(facts.updated) if status == "cancelled" else None,
        "freeze_datetime": None,
        "is_intro_offer": not facts.dice.below(6),
    }, {
        "user": studio.some(facts.dice, "users"),
        "membership_product": studio.some(facts.dice, "products"),
        "purchase_location": studio.some(facts.dice, "locations"),
    }


def order(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    lines = [line_of(studio.seed, facts.index, position) for position in range(LINES_PER_ORDER)]
    subtotal = sum(line["cents"] * line["quantity"] for line in lines)
    tax = subtotal * 13 // 100
    status = ORDER_STATUSES[(Dice(studio.seed, "status", facts.index).below(5) + facts.version) % 5]
    return {
        "number": f"{100_000 + facts.index}",
        "status": status,
        "date_placed": utc_text(facts.created),
        "currency": "USD",
        "subtotal": money(subtotal),
        "total_tax": money(tax),
        "total": money(subtotal + tax),
        "net_total": "0.00" if status == "Refunded" else money(subtotal + tax),
        "contains_refund": "Refunded" in status,
        "summary": [line["title"] for line in lines],
        "location": "Main Street",
        "payment_sources": [{"label": facts.dice.choice(("Visa 4242", "Account Balance"))}],
    }, {"user": studio.some(facts.dice, "users"), "location": studio.some(facts.dice, "locations")}


def line_of(seed: int, order: int, position: int) -> dict[str, Any]:
    """Return what an order and its line both say, without making either."""
    dice = Dice(seed, "mariana line", order, position)
    return {
        "title": f"{dice.choice(PLANS)} {1 + dice.below(9)}",
        "cents": 1_500 + 50 * dice.below(200),
        "quantity": 1 + dice.below(3) // 2,
    }


def order_line(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    order, position = divmod(facts.index, LINES_PER_ORDER)
    line = line_of(studio.seed, order, position)
    total = line["cents"] * line["quantity"]
    return {
        "title": line["title"],
        "quantity": line["quantity"],
        "unit_price_excl_tax": money(line["cents"]),
        "line_price_excl_tax": money(total),
        "line_price_incl_tax": money(total * 113 // 100),
        "currency": "USD",
        "status": "Completed" if facts.version % 2 == 0 else "Refunded",
        "partner_sku": f"MT-{order}-{position}",
        "date_placed": utc_text(facts.created),
    }, {"order": related("orders", order), "product": studio.some(facts.dice, "products")}
