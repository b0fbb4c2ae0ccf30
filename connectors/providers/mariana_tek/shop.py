"""What a studio sells: who buys, products, orders and their lines."""

from __future__ import annotations

from decimal import Decimal

from connectors import normal
from connectors.base import Json
from connectors.fields import Fields
from connectors.kinds import Customer, Order, OrderLine, Product
from connectors.providers.mariana_tek.resources import Resource

PUBLIC, HIDDEN = "public", "hidden"
ONE = Decimal(1)


def refine_user(payload: Json) -> Customer:
    one = Resource(payload)
    raw = one.attributes
    country = raw.text("country")
    return Customer(
        external_id=one.external_id,
        occurred_at=raw.moment("join_date", "date_joined"),
        email=normal.email(raw.text("email")),
        name=normal.full_name(raw.text("first_name"), raw.text("last_name"))
        or normal.full_name(raw.text("full_name")),
        phone=normal.phone(raw.text("phone_number"), country),
        country=country,
        status="archived" if raw.moment("archived_at") else None,
        company_name=normal.company_name(raw.text("company_name")),
    )


def refine_product(payload: Json) -> Product:
    one = Resource(payload)
    raw = one.attributes
    is_public = raw.boolean("is_public")
    return Product(
        external_id=one.external_id,
        occurred_at=raw.moment("date_created"),
        title=raw.text("title", "name"),
        vendor=raw.text("vendor"),
        product_type=raw.text("product_class_name", "product_class", "sub_category"),
        handle=raw.text("slug"),
        status=None if is_public is None else PUBLIC if is_public else HIDDEN,
    )


def refine_order(payload: Json) -> Order:
    """Return the order; its lines are a stream of their own, which is not spoken of here."""
    one = Resource(payload)
    raw = one.attributes
    return Order(
        external_id=one.external_id,
        occurred_at=raw.moment("date_placed"),
        number=raw.text("number"),
        customer_external_id=one.related("user"),
        location_external_id=one.related("location", "purchase_location"),
        email=normal.email(raw.text("guest_email")),
        status=raw.text("status"),
        currency=normal.currency(raw.text("currency", "currency_code")),
        total_amount=raw.decimal("total", "total_incl_tax"),
        subtotal_amount=raw.decimal("subtotal", "total_excl_tax"),
        tax_amount=raw.decimal("total_tax", "tax"),
        discount_amount=raw.decimal("total_discount", "discount_total"),
        cancelled_at=raw.moment("cancellation_datetime", "cancelled_at"),
    )


def refine_order_line(payload: Json) -> OrderLine:
    """Return the line with the price of the sale, without tax: never revenue deferred to a later month."""
    one = Resource(payload)
    raw = one.attributes
    quantity = raw.decimal("quantity")
    unit_price = raw.decimal("unit_price_excl_tax", "unit_price", "price")
    return OrderLine(
        external_id=one.external_id,
        occurred_at=raw.moment("date_placed", "created_at"),
        order_external_id=one.related("order"),
        product_external_id=one.related("product"),
        title=raw.text("title", "product_title"),
        sku=raw.text("partner_sku", "sku"),
        quantity=quantity,
        unit_price=unit_price,
        total_amount=_line_total(raw, quantity, unit_price),
        currency=normal.currency(raw.text("currency", "currency_code")),
    )


def _line_total(raw: Fields, quantity: Decimal | None, unit_price: Decimal | None) -> Decimal | None:
    told = raw.decimal("line_price_excl_tax", "line_subtotal")
    # Items of an order come one by one and have a price only.
    return unit_price if told is None and quantity in {None, ONE} else told
