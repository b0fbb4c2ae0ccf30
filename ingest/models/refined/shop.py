"""Tables of a shop: who buys, what is sold, what is in stock, what was ordered."""

from __future__ import annotations

from django.db import models

from ingest.models.refined.base import CURRENCY, EMAIL, ID, LINK, MONEY, PARENT, TEXT, RefinedRecord, links


class Location(RefinedRecord):
    name = models.TextField(**TEXT)
    street = models.TextField(**TEXT)
    city = models.TextField(**TEXT)
    region = models.TextField(**TEXT)
    postal_code = models.TextField(**TEXT)
    country = models.TextField(**TEXT)
    phone = models.TextField(**TEXT)
    timezone = models.TextField(**TEXT)
    is_active = models.BooleanField(null=True)


class Customer(RefinedRecord):
    email = models.CharField(**EMAIL)
    name = models.TextField(**TEXT)
    phone = models.TextField(**TEXT)
    country = models.TextField(**TEXT)
    status = models.TextField(**TEXT)
    company_name = models.TextField(**TEXT)
    company = models.ForeignKey("ingest.Company", related_name="customers", **LINK)
    company_external_id = models.CharField(**ID)
    owner = models.ForeignKey("ingest.Employee", related_name="customers", **LINK)
    owner_external_id = models.CharField(**ID)

    class Meta(RefinedRecord.Meta):
        indexes = [
            *RefinedRecord.Meta.indexes,
            models.Index(fields=["email"], name="customer_email"),
            *links("customer", "company", "owner"),
        ]


class Product(RefinedRecord):
    title = models.TextField(**TEXT)
    vendor = models.TextField(**TEXT)
    product_type = models.TextField(**TEXT)
    handle = models.TextField(**TEXT)
    status = models.TextField(**TEXT)


class ProductVariant(RefinedRecord):
    product = models.ForeignKey(Product, null=True, on_delete=models.CASCADE, related_name="variants")
    product_external_id = models.CharField(**ID)
    inventory_item = models.ForeignKey("ingest.InventoryItem", related_name="variants", **LINK)
    inventory_item_external_id = models.CharField(**ID)
    title = models.TextField(**TEXT)
    sku = models.TextField(**TEXT)
    barcode = models.TextField(**TEXT)
    price = models.DecimalField(**MONEY)
    currency = models.CharField(**CURRENCY)
    inventory_quantity = models.BigIntegerField(null=True)

    class Meta(RefinedRecord.Meta):
        verbose_name = "product variant"
        indexes = [*RefinedRecord.Meta.indexes, *links("variant", "inventory_item")]


class ProductImage(RefinedRecord):
    product = models.ForeignKey(Product, related_name="images", **PARENT)
    product_external_id = models.CharField(**ID)
    url = models.TextField(**TEXT)
    alt = models.TextField(**TEXT)
    position = models.BigIntegerField(null=True)
    width = models.BigIntegerField(null=True)
    height = models.BigIntegerField(null=True)

    class Meta(RefinedRecord.Meta):
        verbose_name = "product image"
        indexes = [*RefinedRecord.Meta.indexes, *links("image", "product")]


class InventoryItem(RefinedRecord):
    sku = models.TextField(**TEXT)
    cost = models.DecimalField(**MONEY)
    currency = models.CharField(**CURRENCY)
    country_of_origin = models.TextField(**TEXT)
    is_tracked = models.BooleanField(null=True)

    class Meta(RefinedRecord.Meta):
        verbose_name = "inventory item"


class InventoryLevel(RefinedRecord):
    inventory_item = models.ForeignKey(InventoryItem, related_name="levels", **LINK)
    inventory_item_external_id = models.CharField(**ID)
    location = models.ForeignKey(Location, related_name="inventory_levels", **LINK)
    location_external_id = models.CharField(**ID)
    available = models.DecimalField(**MONEY)
    on_hand = models.DecimalField(**MONEY)
    committed = models.DecimalField(**MONEY)
    incoming = models.DecimalField(**MONEY)

    class Meta(RefinedRecord.Meta):
        verbose_name = "inventory level"
        indexes = [*RefinedRecord.Meta.indexes, *links("level", "inventory_item", "location")]


class Order(RefinedRecord):
    number = models.TextField(**TEXT)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="orders")
    customer_external_id = models.CharField(**ID)
    location = models.ForeignKey(Location, related_name="orders", **LINK)
    location_external_id = models.CharField(**ID)
    email = models.CharField(**EMAIL)
    status = models.TextField(**TEXT)
    fulfillment_status = models.TextField(**TEXT)
    currency = models.CharField(**CURRENCY)
    total_amount = models.DecimalField(**MONEY)
    subtotal_amount = models.DecimalField(**MONEY)
    tax_amount = models.DecimalField(**MONEY)
    discount_amount = models.DecimalField(**MONEY)
    cancelled_at = models.DateTimeField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [
            *RefinedRecord.Meta.indexes,
            models.Index(fields=["email"], name="order_email"),
            # Orders whose customer has not arrived yet are found without reading the table.
            models.Index(
                fields=["source", "customer_external_id"],
                condition=models.Q(customer__isnull=True, customer_external_id__isnull=False),
                name="order_awaits_customer",
            ),
            *links("order", "location"),
        ]


class OrderLine(RefinedRecord):
    order = models.ForeignKey(Order, null=True, on_delete=models.CASCADE, related_name="lines")
    order_external_id = models.CharField(**ID)
    product = models.ForeignKey(Product, related_name="lines", **LINK)
    product_external_id = models.CharField(**ID)
    variant = models.ForeignKey(ProductVariant, related_name="lines", **LINK)
    variant_external_id = models.CharField(**ID)
    title = models.TextField(**TEXT)
    sku = models.TextField(**TEXT)
    quantity = models.DecimalField(**MONEY)
    unit_price = models.DecimalField(**MONEY)
    total_amount = models.DecimalField(**MONEY)
    currency = models.CharField(**CURRENCY)

    class Meta(RefinedRecord.Meta):
        verbose_name = "order line"
        indexes = [
            *RefinedRecord.Meta.indexes,
            # For deleting products and variants, which asks for their lines; a line without costs nothing.
            models.Index(
                fields=["product"], condition=models.Q(product__isnull=False), name="orderline_product"
            ),
            models.Index(
                fields=["variant"], condition=models.Q(variant__isnull=False), name="orderline_variant"
            ),
        ]


class Fulfillment(RefinedRecord):
    order = models.ForeignKey(Order, related_name="fulfillments", **PARENT)
    order_external_id = models.CharField(**ID)
    location = models.ForeignKey(Location, related_name="fulfillments", **LINK)
    location_external_id = models.CharField(**ID)
    status = models.TextField(**TEXT)
    carrier = models.TextField(**TEXT)
    tracking_number = models.TextField(**TEXT)
    tracking_url = models.TextField(**TEXT)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("fulfillment", "order", "location")]
