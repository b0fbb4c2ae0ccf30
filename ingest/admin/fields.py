"""Field changes: what came, went, or changed its type in the payloads of a stream."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from ingest.admin import cells
from ingest.admin.base import Panel, ReadOnlyAdmin, facts
from ingest.admin.filters import Choices, RawSourceFilter, StreamFilter
from ingest.admin.jobs import job_link
from ingest.models import FieldChange, RawRecord, Source

COLOURS = {"FIRST_SEEN": "blue", "VANISHED": "red", "RETYPED": "orange"}


class SinceFilter(DropdownFilter):
    """Changes unless asked otherwise: the fields that were there from the first run on are no news."""

    title = "since"
    parameter_name = "since"
    all_option = None

    def value(self) -> str:
        return super().value() or "later"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("later", "After the first run"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() == "all" else queryset.filter(is_initial=False)


@admin.register(FieldChange)
class FieldChangeAdmin(ReadOnlyAdmin):
    list_display = ("path", "change_shown", "type", "where", "sample_shown", "seen")
    list_filter = (SinceFilter, RawSourceFilter, StreamFilter, ("change", ChoicesDropdownFilter))
    list_select_related = ("stream", "stream__source")
    deferred = ("stream__state", "stream__source__config", "stream__source__credentials")
    ordering = ("-id",)
    list_before_template = "ingest/admin/fields_note.html"

    @admin.display(description="Change")
    def change_shown(self, change: FieldChange) -> SafeString:
        return cells.label(change.get_change_display(), COLOURS[change.change])

    @admin.display(description="Source / stream")
    def where(self, change: FieldChange) -> str:
        return f"{change.stream.source.name} / {change.stream.name}"

    @admin.display(description="Sample")
    def sample_shown(self, change: FieldChange) -> str:
        return cells.short(change.sample, 32)

    @admin.display(description="Noted (UTC)")
    def seen(self, change: FieldChange) -> str:
        return cells.moment(change.seen_at)

    def panels(self, request: HttpRequest, row: FieldChange) -> list[Panel]:
        stream = row.stream
        earlier = FieldChange.objects.filter(stream=stream, path=row.path).exclude(pk=row.pk)
        pairs = [
            ("Field", row.path),
            ("Change", cells.label(row.get_change_display(), COLOURS[row.change])),
            ("Type", row.type),
            ("Sample", row.sample),
            ("In the record", _record_link(row)),
            ("Share of records with it", f"{row.share:.0%}"),
            ("Source", cells.change_link(Source, stream.source_id, stream.source.name)),
            ("Stream", stream.name),
            ("Noted", row.seen_at),
            ("By", job_link(row.job_id)),
            *((f"Also {one.get_change_display().lower()}", f"{one.type}, {cells.utc(one.seen_at)}")
              for one in earlier.order_by("id")),
        ]  # fmt: skip
        return [facts("The change", pairs)]


def _record_link(change: FieldChange) -> object:
    if not change.external_id:
        return None
    found = RawRecord.objects.filter(stream=change.stream_id, external_id=change.external_id)
    latest = found.order_by("-version").only("pk").first()
    return cells.change_link(RawRecord, latest.pk, change.external_id) if latest else change.external_id
