"""
What a record of the GraphQL Admin API means: the same rows as by REST, under the same ids.

Quirks, as of 2026-11-22 (fields as in fivetran/dbt_shopify, integration_tests/seeds; the rest unconfirmed):
- Ids are paths, gid://shopify/Order/450789469, and end in the number REST knows; an inventory level's path
  names its item behind a "?". Images are media here, with ids of their own.
- Words are in capitals: PAID is REST's paid, UNFULFILLED its null.
- Amounts come in the shop's and in the customer's currency; ours is the shop's, as in REST.
- Children stand in lists here, as `nested.py` of this room leaves them; what has none has no list.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from connectors import normal
from connectors.base import Json
from connectors.fields import Fields
from connectors.kinds import (
    Customer,
    Fulfillment,
    InventoryItem,
    InventoryLevel,
    Location,
    Order,
    OrderLine,
    Payment,
    Product,
    ProductImage,
    ProductVariant,
    Refund,
)
from connectors.providers.shopify.gids import number_of
from connectors.providers.shopify.graph_fields import id_in, shop_amount, shop_currency, word
from connectors.providers.shopify.rest_records import level_id

#: What REST calls them.
FULFILLMENT_STATUSES: Mapping[str, str | None] = {"unfulfilled": None, "partially_fulfilled": "partial"}


def refine_customer(payload: Json) -> Customer:
    raw = Fields(payload)
    address = raw.inside("defaultAddress")
    country = address.text("countryCodeV2")
    return Customer(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        email=normal.email(raw.inside("defaultEmailAddress").text("emailAddress")),
        name=normal.full_name(raw.text("firstName"), raw.text("lastName")),
        phone=normal.phone(raw.inside("defaultPhoneNumber").text("phoneNumber"), country),
        country=country,
        status=word(raw, "state"),
        company_name=normal.company_name(address.text("company")),
    )


def refine_product(payload: Json) -> Product:
    raw = Fields(payload)
    external_id = number_of(raw.identity())
    return Product(
        external_id=external_id,
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        title=raw.text("title"),
        vendor=raw.text("vendor"),
        product_type=raw.text("productType"),
        handle=raw.text("handle"),
        status=word(raw, "status"),
        variants=tuple(_variant(one, external_id) for one in raw.each("variants")),
        images=tuple(_image(one, external_id) for one in raw.each("media") if one.text("id")),
    )


def _variant(raw: Fields, product_external_id: str) -> ProductVariant:
    return ProductVariant(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        product_external_id=product_external_id,
        inventory_item_external_id=id_in(raw, "inventoryItem"),
        title=raw.text("title"),
        sku=raw.text("sku"),
        barcode=raw.text("barcode"),
        price=raw.decimal("price"),
        inventory_quantity=raw.integer("inventoryQuantity"),
    )


def _image(raw: Fields, product_external_id: str) -> ProductImage:
    image = raw.inside("image")
    return ProductImage(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        product_external_id=product_external_id,
        url=image.text("url"),
        alt=raw.text("alt"),
        width=image.integer("width"),
        height=image.integer("height"),
    )


def refine_order(payload: Json) -> Order:
    raw = Fields(payload)
    status = word(raw, "displayFulfillmentStatus")
    order = Order(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        number=raw.text("name"),
        customer_external_id=id_in(raw, "customer"),
        email=raw.text("email"),
        status=word(raw, "displayFinancialStatus"),
        fulfillment_status=FULFILLMENT_STATUSES.get(status, status) if status else None,
        currency=raw.text("currencyCode"),
        total_amount=shop_amount(raw, "totalPriceSet"),
        subtotal_amount=shop_amount(raw, "subtotalPriceSet"),
        tax_amount=shop_amount(raw, "totalTaxSet"),
        discount_amount=shop_amount(raw, "totalDiscountsSet"),
        cancelled_at=raw.moment("cancelledAt"),
    )
    return replace(
        order,
        lines=tuple(_line(one, order) for one in raw.each("lineItems")),
        payments=tuple(_payment(one, order) for one in raw.each("transactions")),
        refunds=tuple(_refund(one, order) for one in raw.each("refunds")),
        fulfillments=tuple(_fulfillment(one, order.external_id) for one in raw.each("fulfillments")),
    )


def _line(raw: Fields, order: Order) -> OrderLine:
    return OrderLine(
        external_id=number_of(raw.identity()),
        occurred_at=order.occurred_at,
        updated_at=order.updated_at,
        order_external_id=order.external_id,
        product_external_id=id_in(raw, "product"),
        variant_external_id=id_in(raw, "variant"),
        title=raw.text("title"),
        sku=raw.text("sku"),
        quantity=raw.decimal("quantity"),
        unit_price=shop_amount(raw, "originalUnitPriceSet"),
        total_amount=shop_amount(raw, "discountedTotalSet"),
        currency=order.currency,
    )


def _payment(raw: Fields, order: Order) -> Payment:
    return Payment(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("processedAt", "createdAt"),
        updated_at=order.updated_at,
        type=word(raw, "kind"),
        status=word(raw, "status"),
        method=raw.text("gateway"),
        reference=raw.text("authorizationCode"),
        currency=shop_currency(raw, "amountSet") or order.currency,
        amount=shop_amount(raw, "amountSet"),
        customer_external_id=order.customer_external_id,
        order_external_id=order.external_id,
        parent_external_id=id_in(raw, "parentTransaction"),
    )


def _refund(raw: Fields, order: Order) -> Refund:
    return Refund(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        reason=raw.text("note"),
        currency=order.currency,
        amount=shop_amount(raw, "totalRefundedSet"),
        order_external_id=order.external_id,
    )


def _fulfillment(raw: Fields, order_external_id: str) -> Fulfillment:
    tracking = next(raw.each("trackingInfo"), Fields({}))
    return Fulfillment(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        order_external_id=order_external_id,
        location_external_id=id_in(raw, "location"),
        status=word(raw, "status"),
        carrier=tracking.text("company"),
        tracking_number=tracking.text("number"),
        tracking_url=tracking.text("url"),
    )


def refine_inventory_item(payload: Json) -> InventoryItem:
    raw = Fields(payload)
    cost = raw.inside("unitCost")
    return InventoryItem(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        sku=raw.text("sku"),
        cost=cost.decimal("amount"),
        currency=cost.text("currencyCode"),
        country_of_origin=raw.text("countryCodeOfOrigin"),
        is_tracked=raw.boolean("tracked"),
    )


def refine_inventory_level(payload: Json) -> InventoryLevel:
    raw = Fields(payload)
    item = number_of(raw.inside("item").identity())
    location = number_of(raw.inside("location").identity())
    counted = {one.text("name"): one.decimal("quantity") for one in raw.each("quantities")}
    return InventoryLevel(
        external_id=level_id(item, location),
        updated_at=raw.moment("updatedAt"),
        inventory_item_external_id=item,
        location_external_id=location,
        available=counted.get("available"),
        on_hand=counted.get("on_hand"),
        committed=counted.get("committed"),
        incoming=counted.get("incoming"),
    )


def refine_location(payload: Json) -> Location:
    raw = Fields(payload)
    address = raw.inside("address")
    streets = [address.text("address1"), address.text("address2")]
    return Location(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        name=raw.text("name"),
        street=", ".join(street for street in streets if street) or None,
        city=address.text("city"),
        region=address.text("provinceCode", "province"),
        postal_code=address.text("zip"),
        country=address.text("countryCode"),
        phone=normal.phone(address.text("phone"), address.text("countryCode")),
        is_active=raw.boolean("isActive"),
    )
