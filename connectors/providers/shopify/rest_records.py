"""
What a record of the REST Admin API means.

Quirks, as of 2026-11-22:
- Products carry no currency: their prices are in the shop's (Shopify/shopify_python_api, test/fixtures).
- An order holds its lines, refunds and fulfillments, but not its transactions: those are a call per order.
- A refund has no amount of its own: it is what its transactions of kind refund paid back.
- An inventory level has no id: it is one item at one location.
- Ids are numbers; GraphQL ends its ids in the same ones, but for images (there: media).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from connectors import normal
from connectors.base import Json
from connectors.fields import Fields, Said
from connectors.kinds import (
    BalanceTransaction,
    Customer,
    Dispute,
    Fulfillment,
    InventoryItem,
    InventoryLevel,
    Location,
    Order,
    OrderLine,
    Payment,
    Payout,
    Product,
    ProductImage,
    ProductVariant,
    Refund,
)

Child = TypeVar("Child")
Parent = TypeVar("Parent")
REFUND, SUCCESS = "refund", "success"


def refine_customer(payload: Json) -> Customer:
    raw = Fields(payload)
    address = raw.inside("default_address")
    country = address.text("country_code")
    return Customer(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        email=normal.email(raw.text("email")),
        name=normal.full_name(raw.text("first_name"), raw.text("last_name")),
        phone=normal.phone(raw.text("phone"), country),
        country=country,
        status=raw.text("state"),
        company_name=normal.company_name(address.text("company")),
    )


def refine_product(payload: Json) -> Product:
    raw = Fields(payload)
    external_id = raw.identity()
    return Product(
        external_id=external_id,
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        title=raw.text("title"),
        vendor=raw.text("vendor"),
        product_type=raw.text("product_type"),
        handle=raw.text("handle"),
        status=raw.text("status"),
        variants=_children(raw, "variants", _variant, external_id),
        images=_children(raw, "images", _image, external_id),
    )


def _variant(raw: Fields, product_external_id: str) -> ProductVariant:
    return ProductVariant(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        product_external_id=product_external_id,
        inventory_item_external_id=raw.reference("inventory_item_id"),
        title=raw.text("title"),
        sku=raw.text("sku"),
        barcode=raw.text("barcode"),
        price=raw.decimal("price"),
        inventory_quantity=raw.integer("inventory_quantity"),
    )


def _image(raw: Fields, product_external_id: str) -> ProductImage:
    return ProductImage(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        product_external_id=product_external_id,
        url=raw.text("src"),
        alt=raw.text("alt"),
        position=raw.integer("position"),
        width=raw.integer("width"),
        height=raw.integer("height"),
    )


def refine_order(payload: Json) -> Order:
    raw = Fields(payload)
    order = Order(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        number=raw.text("name"),
        customer_external_id=raw.inside("customer").reference("id"),
        location_external_id=raw.reference("location_id"),
        email=raw.text("email"),
        status=raw.text("financial_status"),
        fulfillment_status=raw.text("fulfillment_status"),
        currency=raw.text("currency"),
        total_amount=raw.decimal("total_price"),
        subtotal_amount=raw.decimal("subtotal_price"),
        tax_amount=raw.decimal("total_tax"),
        discount_amount=raw.decimal("total_discounts"),
        cancelled_at=raw.moment("cancelled_at"),
    )
    return replace(
        order,
        lines=_children(raw, "line_items", _line, order),
        refunds=_children(raw, "refunds", _refund, order),
        fulfillments=_children(raw, "fulfillments", _fulfillment, order),
    )


def _line(raw: Fields, order: Order) -> OrderLine:
    price, quantity, discount = raw.decimal("price"), raw.decimal("quantity"), raw.decimal("total_discount")
    is_known = price is not None and quantity is not None and discount is not None
    return OrderLine(
        external_id=raw.identity(),
        occurred_at=order.occurred_at,
        updated_at=order.updated_at,
        order_external_id=order.external_id,
        product_external_id=raw.reference("product_id"),
        variant_external_id=raw.reference("variant_id"),
        title=raw.text("title"),
        sku=raw.text("sku"),
        quantity=quantity,
        unit_price=price,
        total_amount=price * quantity - discount if is_known else None,  # type: ignore[operator]
        currency=order.currency,
    )


def _refund(raw: Fields, order: Order) -> Refund:
    paid_back = [
        one
        for one in raw.each("transactions")
        if one.text("kind") == REFUND and one.text("status") == SUCCESS
    ]
    amounts = [one.decimal("amount") or Decimal(0) for one in paid_back]
    return Refund(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=order.updated_at,
        reason=raw.text("note"),
        currency=order.currency,
        amount=sum(amounts, Decimal(0)) if raw.said("transactions") is not Said.ABSENT else None,
        payment_external_id=paid_back[0].reference("parent_id") if paid_back else None,
        order_external_id=order.external_id,
    )


def _fulfillment(raw: Fields, order: Order) -> Fulfillment:
    return Fulfillment(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        order_external_id=order.external_id,
        location_external_id=raw.reference("location_id"),
        status=raw.text("status"),
        carrier=raw.text("tracking_company"),
        tracking_number=raw.text("tracking_number"),
        tracking_url=raw.text("tracking_url"),
    )


def refine_transaction(payload: Json) -> Payment:
    raw = Fields(payload)
    return Payment(
        external_id=raw.identity(),
        occurred_at=raw.moment("processed_at", "created_at"),
        type=raw.text("kind"),
        status=raw.text("status"),
        method=raw.text("gateway"),
        reference=raw.text("authorization"),
        currency=raw.text("currency"),
        amount=raw.decimal("amount"),
        order_external_id=raw.reference("order_id"),
        parent_external_id=raw.reference("parent_id"),
    )


def refine_inventory_item(payload: Json) -> InventoryItem:
    raw = Fields(payload)
    return InventoryItem(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        sku=raw.text("sku"),
        cost=raw.decimal("cost"),
        country_of_origin=raw.text("country_code_of_origin"),
        is_tracked=raw.boolean("tracked"),
    )


def refine_inventory_level(payload: Json) -> InventoryLevel:
    raw = Fields(payload)
    item, location = raw.identity("inventory_item_id"), raw.identity("location_id")
    return InventoryLevel(
        external_id=level_id(item, location),
        updated_at=raw.moment("updated_at"),
        inventory_item_external_id=item,
        location_external_id=location,
        available=raw.decimal("available"),
    )


def level_id(item: str, location: str) -> str:
    return f"{item}:{location}"


def refine_location(payload: Json) -> Location:
    raw = Fields(payload)
    streets = [raw.text("address1"), raw.text("address2")]
    return Location(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        name=raw.text("name"),
        street=", ".join(street for street in streets if street) or None,
        city=raw.text("city"),
        region=raw.text("province_code", "province"),
        postal_code=raw.text("zip"),
        country=raw.text("country_code", "country"),
        phone=normal.phone(raw.text("phone"), raw.text("country_code")),
        is_active=raw.boolean("active"),
    )


def refine_payout(payload: Json) -> Payout:
    raw = Fields(payload)
    return Payout(
        external_id=raw.identity(),
        occurred_at=raw.moment("date"),
        status=raw.text("status"),
        currency=raw.text("currency"),
        amount=raw.decimal("amount"),
    )


def refine_balance_transaction(payload: Json) -> BalanceTransaction:
    raw = Fields(payload)
    return BalanceTransaction(
        external_id=raw.identity(),
        occurred_at=raw.moment("processed_at"),
        type=raw.text("type"),
        status=raw.text("payout_status"),
        reference=raw.reference("source_id"),
        currency=raw.text("currency"),
        amount=raw.decimal("amount"),
        fee_amount=raw.decimal("fee"),
        net_amount=raw.decimal("net"),
        payout_external_id=raw.reference("payout_id"),
        payment_external_id=raw.reference("source_order_transaction_id"),
    )


def refine_dispute(payload: Json) -> Dispute:
    raw = Fields(payload)
    return Dispute(
        external_id=raw.identity(),
        occurred_at=raw.moment("initiated_at"),
        status=raw.text("status"),
        reason=raw.text("reason"),
        currency=raw.text("currency"),
        amount=raw.decimal("amount"),
        order_external_id=raw.reference("order_id"),
        due_at=raw.moment("evidence_due_by"),
    )


def _children(
    raw: Fields, name: str, made: Callable[[Fields, Parent], Child], parent: Parent
) -> tuple[Child, ...] | None:
    """Return the children; None where the payload does not speak of them, as with chosen fields."""
    return tuple([made(one, parent) for one in raw.each(name)]) if raw.has(name) else None
