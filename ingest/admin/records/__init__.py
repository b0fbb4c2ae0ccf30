"""Synced records of every kind: read-only, found by external id and e-mail, linked to related rows."""

from __future__ import annotations

from ingest.admin.records import books, content, crm, money, shop, studio

__all__ = ["books", "content", "crm", "money", "shop", "studio"]
