"""An order and its lines, with the columns our refined tables have."""

from __future__ import annotations

from typing import Any

from django.db import models

MONEY: dict[str, Any] = {"max_digits": 20, "decimal_places": 6, "null": True}


class PlainOrder(models.Model):
    external_id = models.CharField(max_length=255, unique=True)
    number = models.TextField()
    occurred_at = models.DateTimeField(null=True)
    source_updated_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    customer_external_id = models.CharField(max_length=255, null=True)
    email = models.CharField(max_length=320, null=True, db_index=True)
    status = models.TextField(null=True)
    fulfillment_status = models.TextField(null=True)
    currency = models.CharField(max_length=3, null=True)
    total_amount = models.DecimalField(**MONEY)
    subtotal_amount = models.DecimalField(**MONEY)
    tax_amount = models.DecimalField(**MONEY)
    discount_amount = models.DecimalField(**MONEY)
    payload = models.JSONField()

    class Meta:
        app_label = "plain"

    def __str__(self) -> str:
        return self.external_id


class PlainLine(models.Model):
    external_id = models.CharField(max_length=255, unique=True)
    order = models.ForeignKey(PlainOrder, on_delete=models.CASCADE, related_name="lines")
    product_external_id = models.CharField(max_length=255, null=True)
    variant_external_id = models.CharField(max_length=255, null=True)
    title = models.TextField(null=True)
    sku = models.TextField(null=True)
    quantity = models.DecimalField(**MONEY)
    unit_price = models.DecimalField(**MONEY)

    class Meta:
        app_label = "plain"

    def __str__(self) -> str:
        return self.external_id
