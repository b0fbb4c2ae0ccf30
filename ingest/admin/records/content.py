"""Pages of content and of whatever has no table of its own."""

from __future__ import annotations

from django.contrib import admin

from ingest.admin.records.base import RefinedAdmin, money, text
from ingest.models import CatalogItem, ContentItem, GenericRecord


@admin.register(ContentItem)
class ContentItemAdmin(RefinedAdmin):
    columns = (text("title"), text("artist"), text("genre"), text("content_type", "Type"))


@admin.register(CatalogItem)
class CatalogItemAdmin(RefinedAdmin):
    columns = (
        text("category_id", "Category"),
        text("capacity"),
        money("price", "Price"),
        text("is_active", "Active"),
    )


@admin.register(GenericRecord)
class GenericRecordAdmin(RefinedAdmin):
    columns = (text("title"), text("email", "E-mail"), text("url", "URL"))
