"""Raw versions: what the source said about one object, and what changed from one version to the next."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from ingest.admin import cells, payloads
from ingest.admin.base import FoundByExternalId, Panel, ReadOnlyAdmin, facts
from ingest.admin.filters import RawSourceFilter, StreamFilter
from ingest.admin.jobs import job_link
from ingest.admin.records.base import versions_link
from ingest.models import FailedSync, RawRecord, Source


@admin.register(RawRecord)
class RawRecordAdmin(FoundByExternalId, ReadOnlyAdmin):
    list_display = ("shown_id", "version", "where", "received", "digest", "state")
    list_filter = (RawSourceFilter, StreamFilter)
    list_select_related = ("stream", "stream__source")
    deferred = ("payload", "stream__state", "stream__source__config", "stream__source__credentials")
    ordering = ("-id",)
    search_fields = ("external_id",)
    search_help_text = "Whole external id"

    @admin.display(description="External id")
    def shown_id(self, raw: RawRecord) -> str:
        return cells.short(raw.external_id, 40)

    @admin.display(description="Source / stream")
    def where(self, raw: RawRecord) -> str:
        return f"{raw.stream.source.name} / {raw.stream.name}"

    @admin.display(description="Received")
    def received(self, raw: RawRecord) -> str:
        return cells.utc(raw.received_at)

    @admin.display(description="Hash")
    def digest(self, raw: RawRecord) -> str:
        return bytes(raw.body_hash).hex()[:16]

    @admin.display(description="State")
    def state(self, raw: RawRecord) -> str:
        return cells.label("deleted", "red") if raw.is_deleted else cells.EMPTY

    def panels(self, request: HttpRequest, row: RawRecord) -> list[Panel]:
        shown = payloads.pretty(RawRecord.objects.filter(pk=row.pk), "payload")
        return [
            facts("The version", _facts(row)),
            *_changes(row),
            Panel(title="Payload", template="ingest/admin/payload.html", values={"text": shown}),
        ]


def _facts(raw: RawRecord) -> list[tuple[str, object]]:
    letters = FailedSync.objects.filter(stream=raw.stream_id, external_id=raw.external_id).exists()
    return [
        ("External id", raw.external_id),
        ("Version", raw.version),
        ("Source", cells.change_link(Source, raw.stream.source_id, raw.stream.source.name)),
        ("Stream", raw.stream.name),
        ("Received", raw.received_at),
        ("Changed at the source", raw.source_updated_at),
        ("Deleted at the source", raw.is_deleted),
        ("Came with", job_link(raw.job_id)),
        ("Other versions", versions_link(raw)),
        ("Dead letters", _letters_link(raw) if letters else None),
        ("Hash of its bytes (sha256)", bytes(raw.body_hash).hex()),
    ]


def _letters_link(raw: RawRecord) -> object:
    return cells.list_link(
        FailedSync,
        "of this object",
        stream__id__exact=raw.stream_id,
        external_id=raw.external_id,
        state="all",
    )


def _changes(raw: RawRecord) -> list[Panel]:
    same_object = RawRecord.objects.filter(stream=raw.stream_id, external_id=raw.external_id)
    before = same_object.filter(version__lt=raw.version).order_by("-version").defer("payload").first()
    if before is None:
        return []
    lines = payloads.difference(_text(before), _text(raw))
    link = cells.change_link(RawRecord, before.pk, f"version {before.version}")
    values = {"lines": lines, "before": link}
    return [Panel(title="Changed since the version before", template="ingest/admin/diff.html", values=values)]


def _text(raw: RawRecord) -> str:
    return payloads.pretty(RawRecord.objects.filter(pk=raw.pk), "payload", limit=payloads.COMPARED_CHARACTERS)
