"""What we understood: one typed table per kind, keyed by source and the provider's id."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models.functions import Now

from ingest.models.raw import RawRecord
from ingest.models.source import Source

MONEY: dict[str, Any] = {"max_digits": 20, "decimal_places": 6, "null": True}
TEXT: dict[str, Any] = {"null": True}


class RefinedRecord(models.Model):
    """
    What every kind has. Field names match `connectors.kinds`; the rest is reachable through `raw`.

    Null in a column means the source does not say, which is not the same as an empty text.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The unique constraint's index serves look-ups by source. No constraint in the database: every row
    # of a batch names the same source, and the page written with it names a job that names it for real.
    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_index=False, db_constraint=False)
    external_id = models.CharField(max_length=255)
    #: The version it was built from. Old versions are pruned, so this is a pointer, not a promise.
    raw = models.ForeignKey(
        RawRecord,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    occurred_at = models.DateTimeField(null=True)
    source_updated_at = models.DateTimeField(null=True, help_text="The provider's time of last change.")
    day = models.DateField(help_text="The UTC day it counts for: when it occurred, else when first synced.")
    #: Lets the upsert tell which day an update took the row away from, without reading the row first.
    previous_day = models.DateField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, help_text="When the provider said it is gone.")
    created_at = models.DateTimeField(db_default=Now())
    synced_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="one_%(class)s_per_external_id")
        ]
        # The day alone: an index that began with the source would tempt the planner, while its statistics
        # are old, to look ids up by reading the whole source.
        indexes = [models.Index(fields=["day"], name="%(class)s_day")]

    def __str__(self) -> str:
        return self.external_id


class Customer(RefinedRecord):
    email = models.CharField(max_length=320, **TEXT)
    name = models.TextField(**TEXT)
    phone = models.TextField(**TEXT)
    country = models.TextField(**TEXT)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, models.Index(fields=["email"], name="customer_email")]


class Product(RefinedRecord):
    title = models.TextField(**TEXT)
    vendor = models.TextField(**TEXT)
    product_type = models.TextField(**TEXT)
    handle = models.TextField(**TEXT)
    status = models.TextField(**TEXT)


class ProductVariant(RefinedRecord):
    product = models.ForeignKey(Product, null=True, on_delete=models.CASCADE, related_name="variants")
    product_external_id = models.CharField(max_length=255, **TEXT)
    title = models.TextField(**TEXT)
    sku = models.TextField(**TEXT)
    barcode = models.TextField(**TEXT)
    price = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=3, **TEXT)
    inventory_quantity = models.BigIntegerField(null=True)

    class Meta(RefinedRecord.Meta):
        verbose_name = "product variant"


class Order(RefinedRecord):
    number = models.TextField(**TEXT)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="orders")
    customer_external_id = models.CharField(max_length=255, **TEXT)
    email = models.CharField(max_length=320, **TEXT)
    status = models.TextField(**TEXT)
    fulfillment_status = models.TextField(**TEXT)
    currency = models.CharField(max_length=3, **TEXT)
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
        ]


class OrderLine(RefinedRecord):
    order = models.ForeignKey(Order, null=True, on_delete=models.CASCADE, related_name="lines")
    order_external_id = models.CharField(max_length=255, **TEXT)
    product = models.ForeignKey(
        Product, null=True, on_delete=models.SET_NULL, related_name="lines", db_index=False
    )
    product_external_id = models.CharField(max_length=255, **TEXT)
    variant = models.ForeignKey(
        ProductVariant, null=True, on_delete=models.SET_NULL, related_name="lines", db_index=False
    )
    variant_external_id = models.CharField(max_length=255, **TEXT)
    title = models.TextField(**TEXT)
    sku = models.TextField(**TEXT)
    quantity = models.DecimalField(**MONEY)
    unit_price = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=3, **TEXT)

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


class ContentItem(RefinedRecord):
    content_type = models.TextField(**TEXT)
    title = models.TextField(**TEXT)
    artist = models.TextField(**TEXT)
    genre = models.TextField(**TEXT)
    url = models.TextField(**TEXT)
    is_available = models.BooleanField(default=True)

    class Meta(RefinedRecord.Meta):
        verbose_name = "content item"


class CatalogItem(RefinedRecord):
    category_id = models.TextField(**TEXT)
    capacity = models.TextField(**TEXT)
    capacity_gb = models.DecimalField(**MONEY)
    price = models.DecimalField(**MONEY)
    currency = models.CharField(max_length=3, **TEXT)
    content_count = models.BigIntegerField(null=True)
    content_unit = models.TextField(**TEXT)
    is_active = models.BooleanField(default=True)
    is_popular = models.BooleanField(default=False)

    class Meta(RefinedRecord.Meta):
        verbose_name = "catalog item"


class GenericRecord(RefinedRecord):
    title = models.TextField(**TEXT)
    url = models.TextField(**TEXT)
    email = models.CharField(max_length=320, **TEXT)

    class Meta(RefinedRecord.Meta):
        verbose_name = "record"
        indexes = [*RefinedRecord.Meta.indexes, models.Index(fields=["email"], name="genericrecord_email")]


#: The table of each kind, by the kind's name.
REFINED_MODELS: dict[str, type[RefinedRecord]] = {
    "customer": Customer,
    "product": Product,
    "product_variant": ProductVariant,
    "order": Order,
    "order_line": OrderLine,
    "content_item": ContentItem,
    "catalog_item": CatalogItem,
    "record": GenericRecord,
}
