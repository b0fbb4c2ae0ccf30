"""Tables of content and of whatever has no table of its own."""

from __future__ import annotations

from django.db import models

from ingest.models.refined.base import CURRENCY, EMAIL, MONEY, TEXT, RefinedRecord


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
    currency = models.CharField(**CURRENCY)
    content_count = models.BigIntegerField(null=True)
    content_unit = models.TextField(**TEXT)
    is_active = models.BooleanField(default=True)
    is_popular = models.BooleanField(default=False)

    class Meta(RefinedRecord.Meta):
        verbose_name = "catalog item"


class GenericRecord(RefinedRecord):
    title = models.TextField(**TEXT)
    url = models.TextField(**TEXT)
    email = models.CharField(**EMAIL)

    class Meta(RefinedRecord.Meta):
        verbose_name = "record"
        indexes = [*RefinedRecord.Meta.indexes, models.Index(fields=["email"], name="genericrecord_email")]
