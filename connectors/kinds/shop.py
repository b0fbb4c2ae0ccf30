"""Kinds of a shop: who buys, what is sold, what is in stock, what was ordered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from connectors.kinds.base import Kind
from connectors.kinds.money import Payment, Refund


class Location(Kind, frozen=True, kw_only=True):
    """A shop, a studio, a warehouse."""

    kind: ClassVar[str] = "location"

    name: str | None = None
    street: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    phone: str | None = None
    timezone: str | None = None
    is_active: bool | None = None


class Customer(Kind, frozen=True, kw_only=True):
    """A person or firm that buys, books or may do so one day: also a contact, a studio's user."""

    kind: ClassVar[str] = "customer"

    email: str | None = None
    name: str | None = None
    phone: str | None = None
    country: str | None = None
    #: The provider's word: enabled, lead, active.
    status: str | None = None
    company_name: str | None = None
    company_external_id: str | None = None
    owner_external_id: str | None = None


class InventoryItem(Kind, frozen=True, kw_only=True):
    """What is counted in stock; a variant points to it."""

    kind: ClassVar[str] = "inventory_item"

    sku: str | None = None
    cost: Decimal | None = None
    currency: str | None = None
    country_of_origin: str | None = None
    is_tracked: bool | None = None


class InventoryLevel(Kind, frozen=True, kw_only=True):
    """How much of an item there is at a location."""

    kind: ClassVar[str] = "inventory_level"

    inventory_item_external_id: str | None = None
    location_external_id: str | None = None
    available: Decimal | None = None
    on_hand: Decimal | None = None
    committed: Decimal | None = None
    incoming: Decimal | None = None


class ProductVariant(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "product_variant"

    product_external_id: str | None = None
    inventory_item_external_id: str | None = None
    title: str | None = None
    sku: str | None = None
    barcode: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    inventory_quantity: int | None = None


class ProductImage(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "product_image"

    product_external_id: str | None = None
    url: str | None = None
    alt: str | None = None
    position: int | None = None
    width: int | None = None
    height: int | None = None


class Product(Kind, frozen=True, kw_only=True):
    """Something sold; what is sold in one form only has one variant, which carries price and SKU."""

    kind: ClassVar[str] = "product"
    children: ClassVar[Mapping[str, str]] = {"variants": "product_variant", "images": "product_image"}

    title: str | None = None
    vendor: str | None = None
    product_type: str | None = None
    handle: str | None = None
    status: str | None = None
    variants: tuple[ProductVariant, ...] | None = None
    images: tuple[ProductImage, ...] | None = None


class OrderLine(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "order_line"

    order_external_id: str | None = None
    product_external_id: str | None = None
    variant_external_id: str | None = None
    title: str | None = None
    sku: str | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    #: What the line comes to, its discounts off.
    total_amount: Decimal | None = None
    currency: str | None = None


class Fulfillment(Kind, frozen=True, kw_only=True):
    """A parcel, or whatever else gives the customer what was ordered."""

    kind: ClassVar[str] = "fulfillment"

    order_external_id: str | None = None
    location_external_id: str | None = None
    status: str | None = None
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None


class Order(Kind, frozen=True, kw_only=True):
    """A sale: also a sales receipt, which is an order paid at once."""

    kind: ClassVar[str] = "order"
    children: ClassVar[Mapping[str, str]] = {
        "lines": "order_line",
        "payments": "payment",
        "refunds": "refund",
        "fulfillments": "fulfillment",
    }

    number: str | None = None
    customer_external_id: str | None = None
    location_external_id: str | None = None
    email: str | None = None
    status: str | None = None
    fulfillment_status: str | None = None
    currency: str | None = None
    total_amount: Decimal | None = None
    subtotal_amount: Decimal | None = None
    tax_amount: Decimal | None = None
    discount_amount: Decimal | None = None
    cancelled_at: datetime | None = None
    lines: tuple[OrderLine, ...] | None = None
    payments: tuple[Payment, ...] | None = None
    refunds: tuple[Refund, ...] | None = None
    fulfillments: tuple[Fulfillment, ...] | None = None
