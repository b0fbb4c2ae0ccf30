"""Customers, products and orders as a shop writes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sandbox import vocabulary as words
from sandbox.data import (
    Dice,
    Facts,
    Recipe,
    Record,
    money,
    person,
    shop_text,
    variant_cents,
    variant_count,
    ware,
)
from sandbox.defects import json_defects, json_drifts
from sandbox.options import Options
from sandbox.shopify_ids import (
    IMAGE_IDS,
    LINE_IDS,
    MOST_IMAGES,
    MOST_LINES,
    MOST_VARIANTS,
    STRIDE,
    customer_id,
    item_id,
    order_id,
    product_id,
    variant_id,
)
from sandbox.shopify_steps import fulfillments, refunds

STATUSES = ("open", "closed", "cancelled", "any")


def order_status(index: int) -> str:
    """Known without making the order, as listings filter by it."""
    if index % 33 == 32:
        return "cancelled"
    return "closed" if index % 4 == 3 else "open"


def status_filter(status: str) -> Callable[[int], bool] | None:
    if status == "any":
        return None
    return lambda index: order_status(index) == status


def recipes(options: Options) -> dict[str, Recipe]:
    """Return how each resource's records are made, by resource."""
    customers = Recipe(
        name="shopify.customers",
        make=partial(make_customer, seed=options.seed),
        external_id=lambda index: str(customer_id(index)),
        defects=json_defects(text=("first_name",), typed=("email",), is_money=False),
        drifts=json_drifts(retyped=("orders_count",), vanishing="phone"),
    )
    products = Recipe(
        name="shopify.products",
        make=partial(make_product, seed=options.seed),
        external_id=lambda index: str(product_id(index)),
        defects=json_defects(text=("title",), typed=("variants", 0, "price"), is_money=True),
        drifts=json_drifts(retyped=("variants", 0, "price"), vanishing="vendor"),
    )
    orders = Recipe(
        name="shopify.orders",
        make=partial(make_order, options=options),
        external_id=lambda index: str(order_id(index)),
        defects=json_defects(text=("note",), typed=("total_price",), is_money=True),
        drifts=json_drifts(retyped=("total_price",), vanishing="fulfillment_status"),
    )
    return {"customers": customers, "products": products, "orders": orders}


def make_customer(facts: Facts, *, seed: int) -> Record:
    who = person(seed, facts.index)
    dice = facts.dice
    return {
        "id": customer_id(facts.index),
        "email": who.email,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "phone": who.phone if dice.below(3) else None,
        "created_at": shop_text(facts.created),
        "updated_at": shop_text(facts.updated),
        "orders_count": dice.below(12) + facts.version,
        "total_spent": money(dice.below(500_000) + 1_999 * facts.version),
        "state": dice.choice(("enabled", "disabled", "invited")),
        "verified_email": bool(dice.below(5)),
        "tags": _cycled(words.TAGS, dice, facts.version),
        "note": dice.choice(words.NOTES) or None,
        "default_address": {
            "customer_id": customer_id(facts.index),
            "city": who.city,
            "country_code": who.country,
            "default": True,
        },
    }


def make_product(facts: Facts, *, seed: int) -> Record:
    title = ware(seed, facts.index).title
    dice = facts.dice
    return {
        "id": product_id(facts.index),
        "title": title,
        "body_html": f"<p>{title} &amp; more</p>",
        "vendor": dice.choice(words.VENDORS),
        "product_type": dice.choice(words.PRODUCT_TYPES),
        "handle": f"product-{facts.index + 1}",
        "status": dice.choice(("active", "active", "active", "draft", "archived")),
        "tags": _cycled(words.TAGS, dice, facts.version),
        "created_at": shop_text(facts.created),
        "updated_at": shop_text(facts.updated),
        "published_at": shop_text(facts.created),
        "variants": [
            _variant(facts, seed=seed, variant=number) for number in range(variant_count(facts.index))
        ],
        "images": [_image(facts, title, number) for number in range(facts.index % (MOST_IMAGES + 1))],
    }


def _image(facts: Facts, title: str, number: int) -> Record:
    return {
        "id": IMAGE_IDS + facts.index * STRIDE + number,
        "product_id": product_id(facts.index),
        "position": number + 1,
        "alt": f"{title}, from {number + 1} m" if number else None,
        "src": f"https://cdn.example/products/{facts.index}-{number}.png?v={facts.version}",
        "width": 1_200,
        "height": 800 + number,
        "created_at": shop_text(facts.created),
        "updated_at": shop_text(facts.updated),
    }


def _variant(facts: Facts, *, seed: int, variant: int) -> Record:
    return {
        "id": variant_id(facts.index, variant),
        "product_id": product_id(facts.index),
        "inventory_item_id": item_id(facts.index, variant),
        "title": words.SIZES[variant],
        "sku": f"SKU-{facts.index:05d}-{variant}",
        "barcode": f"{4_000_000_000_000 + facts.index * MOST_VARIANTS + variant}",
        "price": money(variant_cents(seed, facts.index, variant) + 10 * facts.version),
        "position": variant + 1,
        "inventory_quantity": facts.dice.below(200) - 5,
        "updated_at": shop_text(facts.updated),
    }


def make_order(facts: Facts, *, options: Options) -> Record:
    dice = facts.dice
    is_plain = options.plain_orders
    count = 3 if is_plain else 1 + dice.below(MOST_LINES)
    customer = _order_customer(dice, options)
    lines, subtotal = _lines(facts, options, count=count)
    tax, discount = subtotal * 8 // 100, subtotal // 10 if dice.below(4) == 0 else 0
    updated, created = shop_text(facts.updated), shop_text(facts.created)
    status = order_status(facts.index)
    order = {
        "id": order_id(facts.index),
        "name": f"#{1001 + facts.index}",
        "order_number": 1001 + facts.index,
        "email": customer["email"] if customer else f"guest.{facts.index}@example.org",
        "created_at": created,
        "updated_at": updated,
        "processed_at": created,
        "closed_at": updated if status == "closed" else None,
        "cancelled_at": updated if status == "cancelled" else None,
        "currency": dice.choice(words.CURRENCIES),
        "financial_status": _cycled(words.FINANCIAL_STATUSES, dice, 3 * facts.version),
        "fulfillment_status": dice.choice(words.FULFILLMENT_STATUSES),
        "subtotal_price": money(subtotal - discount),
        "total_discounts": money(discount),
        "total_tax": money(tax),
        "total_price": money(subtotal - discount + tax),
        "tags": _cycled(words.TAGS, dice, facts.version),
        "note": dice.choice(words.NOTES) or None,
        "customer": customer,
        "line_items": lines,
    }
    # Benchmarks want orders of one size.
    return order if is_plain else order | {"refunds": refunds(order), "fulfillments": fulfillments(order)}


def _order_customer(dice: Dice, options: Options) -> Record | None:
    index = dice.below(max(options.customers, 1))
    is_guest = dice.below(40) == 0 and not options.plain_orders
    if is_guest or not options.customers:
        return None
    who = person(options.seed, index)
    return {
        "id": customer_id(index),
        "email": who.email,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "phone": who.phone,
    }


def _lines(facts: Facts, options: Options, *, count: int) -> tuple[list[Record], int]:
    """Return the lines and what they cost together, in cents."""
    lines: list[Record] = []
    subtotal = 0
    for position in range(count):
        product = facts.dice.below(max(options.products, 1))
        variant = facts.dice.below(variant_count(product))
        cents = variant_cents(options.seed, product, variant)
        quantity = 1 + (facts.dice.below(3) + facts.version) % 5
        subtotal += cents * quantity
        lines.append(
            {
                "id": LINE_IDS + facts.index * STRIDE + position,
                "product_id": product_id(product),
                "variant_id": variant_id(product, variant),
                "title": ware(options.seed, product).title,
                "sku": f"SKU-{product:05d}-{variant}",
                "quantity": quantity,
                "price": money(cents),
            }
        )
    return lines, subtotal


def _cycled(values: tuple[str, ...], dice: Dice, step: int) -> str:
    return values[(dice.below(len(values)) + step) % len(values)]
