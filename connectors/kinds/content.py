"""Kinds of content and of whatever has no table of its own."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from connectors.kinds.base import Kind


class ContentItem(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "content_item"

    content_type: str | None = None
    title: str | None = None
    artist: str | None = None
    genre: str | None = None
    url: str | None = None
    is_available: bool = True


class CatalogItem(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "catalog_item"

    category_id: str | None = None
    capacity: str | None = None
    capacity_gb: Decimal | None = None
    price: Decimal | None = None
    currency: str | None = None
    content_count: int | None = None
    content_unit: str | None = None
    is_active: bool = True
    is_popular: bool = False


class GenericRecord(Kind, frozen=True, kw_only=True):
    """Anything without a table of its own; its fields stay reachable through the raw row."""

    kind: ClassVar[str] = "record"

    title: str | None = None
    url: str | None = None
    email: str | None = None
