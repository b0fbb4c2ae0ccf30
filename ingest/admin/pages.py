"""Pages: what each answer of a provider came to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ingest.admin import cells
from ingest.admin.base import Panel, ReadOnlyAdmin, facts
from ingest.admin.jobs import job_link
from ingest.models import Page

COUNTERS = ("fetched", "inserted", "updated", "unchanged", "skipped", "failed")


@admin.register(Page)
class PageAdmin(ReadOnlyAdmin):
    list_display = ("number", "job_shown", "state", *COUNTERS, "took", "landed", "applied")
    ordering = ("-id",)
    deferred = ("cursor", "cursor_digest", "content_digest", "raw_ids", "effects")

    @admin.display(description="Job")
    def job_shown(self, page: Page) -> str:
        return f"job {page.job_id}"

    @admin.display(description="Fetch")
    def took(self, page: Page) -> str:
        return f"{page.fetch_ms:,} ms"

    @admin.display(description="Landed")
    def landed(self, page: Page) -> str:
        return cells.utc(page.landed_at)

    @admin.display(description="Applied")
    def applied(self, page: Page) -> str:
        return cells.utc(page.applied_at)

    def panels(self, request: HttpRequest, row: Page) -> list[Panel]:
        counted: list[tuple[str, Any]] = [
            (name.capitalize(), cells.number(getattr(row, name))) for name in COUNTERS
        ]
        about = [
            ("Job", job_link(row.job_id)),
            ("State", row.get_state_display()),
            ("Pass", row.pass_number),
            ("Cursor", cells.short(row.cursor, 200) if row.cursor is not None else "the first page"),
            ("Applying was begun", cells.plural(row.attempts, "time")),
            ("Raw versions to apply", f"{len(row.raw_ids):,}"),
            ("Fetch", f"{row.fetch_ms:,} ms"),
            ("Landed", row.landed_at),
            ("Applied", row.applied_at),
        ]
        return [facts("Counts", counted), facts("The page", about)]
