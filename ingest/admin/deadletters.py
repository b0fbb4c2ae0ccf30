"""Dead letters: the record, the reason, and the two ways out: replay and resolve by hand."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ingest import deadletters, replaying
from ingest.admin import cells, payloads
from ingest.admin.base import FoundByExternalId, Panel, ReadOnlyAdmin, Verb, facts
from ingest.admin.filters import KindFilter, OpenFilter, SourceFilter, StreamFilter
from ingest.admin.jobs import job_link
from ingest.models import REFINED_MODELS, CollectionJob, FailedSync, RawRecord, Source


def replay(request: HttpRequest, chosen: QuerySet[FailedSync]) -> None:
    runs = replaying.replay(chosen, trigger=CollectionJob.Trigger.ADMIN)
    for run in runs:
        messages.success(
            request, f"Job {run.pk} replays {run.fetched:,} through the current code within seconds."
        )
    if not runs:
        messages.warning(request, "Nothing to replay: all of these are resolved.")


def resolve(request: HttpRequest, chosen: QuerySet[FailedSync]) -> None:
    resolved = deadletters.resolve_by_hand(chosen)
    messages.success(
        request, f"{resolved:,} resolved by hand. A later sync of the same object may open it again."
    )


def _is_open(letter: FailedSync) -> bool:
    return letter.resolved_at is None


@admin.register(FailedSync)
class FailedSyncAdmin(FoundByExternalId, ReadOnlyAdmin):
    list_display = ("id", "state", "where", "shown_id", "reason", "attempts", "created")
    list_filter = (OpenFilter, SourceFilter, StreamFilter, KindFilter, ("resolution", ChoicesDropdownFilter))
    list_select_related = ("source", "stream")
    deferred = ("raw_data", "source__config", "source__credentials", "stream__state")
    ordering = ("-id",)
    search_fields = ("external_id",)
    search_help_text = "Whole external id"
    verbs = (
        Verb(name="replay", label="Replay", icon="replay", run=replay, is_offered=_is_open, is_main=True),
        Verb(name="resolve", label="Resolve by hand", icon="done", run=resolve, is_offered=_is_open),
    )

    @admin.display(description="State")
    def state(self, letter: FailedSync) -> SafeString:
        return cells.label("open", "red") if _is_open(letter) else cells.label("resolved", "green")

    @admin.display(description="Source / stream")
    def where(self, letter: FailedSync) -> str:
        return cells.over(f"{letter.source.name} / {letter.stream.name}", letter.kind)

    @admin.display(description="External id")
    def shown_id(self, letter: FailedSync) -> str:
        return cells.short(letter.external_id, 40)

    @admin.display(description="Error")
    def reason(self, letter: FailedSync) -> str:
        return cells.over(cells.short(letter.error, 100), letter.error_type)

    @admin.display(description="Created (UTC)")
    def created(self, letter: FailedSync) -> str:
        return cells.moment(letter.created_at)

    def panels(self, request: HttpRequest, row: FailedSync) -> list[Panel]:
        shown = payloads.pretty(FailedSync.objects.filter(pk=row.pk), "raw_data")
        reason = {"error_type": row.error_type, "error": row.error, "is_open": _is_open(row)}
        return [
            Panel(title="Why", template="ingest/admin/reason.html", values=reason),
            facts("The letter", _facts(row)),
            Panel(title="The record", template="ingest/admin/payload.html", values={"text": shown}),
        ]


def _facts(letter: FailedSync) -> list[tuple[str, object]]:
    return [
        ("External id", letter.external_id or "none"),
        ("Kind", letter.kind),
        ("Source", cells.change_link(Source, letter.source_id, letter.source.name)),
        ("Stream", letter.stream.name),
        ("Attempts", letter.attempts),
        ("Created", letter.created_at),
        ("Failed last", letter.last_failed_at),
        ("Resolved", letter.resolved_at),
        ("Resolution", letter.get_resolution_display()),
        ("Job", job_link(letter.job_id)),
        (
            "Raw version",
            cells.change_link(RawRecord, letter.raw_id, "as received") if letter.raw_id else "none was kept",
        ),
        ("Refined row", _refined_link(letter)),
    ]


def _refined_link(letter: FailedSync) -> object:
    model = REFINED_MODELS.get(letter.kind)
    if model is None or not letter.external_id:
        return None
    row = (
        model._default_manager.filter(source=letter.source_id, external_id=letter.external_id)
        .only("pk")
        .first()
    )
    return cells.change_link(model, row.pk, "an earlier version") if row else "none yet"
