"""Sources: how each stands, its settings and streams; sync now, full refresh, pause, resume."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from connectors.errors import ConfigError
from ingest import jobs, schedules
from ingest.admin import cells, payloads
from ingest.admin.base import Panel, RowList, SyncAdmin, Verb, facts
from ingest.admin.source_form import SourceForm
from ingest.admin.standing import COLOURS, LETTERS_COUNTED, Standing, standings
from ingest.admin.streams import StreamInline
from ingest.connecting import lay_out_streams
from ingest.models import CollectionJob, FailedSync, Source, SourceStream


def sync_now(request: HttpRequest, chosen: QuerySet[Source]) -> None:
    _start(request, chosen, full=False)


def full_refresh(request: HttpRequest, chosen: QuerySet[Source]) -> None:
    _start(request, chosen, full=True)


def _start(request: HttpRequest, chosen: QuerySet[Source], *, full: bool) -> None:
    for source in chosen.defer("config", "credentials").order_by("name"):
        if source.is_paused:
            messages.warning(request, f"{source.name} is paused: resume it first.")
            continue
        streams = list(source.streams.filter(is_enabled=True).order_by("name"))
        started = [jobs.start(stream, trigger=CollectionJob.Trigger.ADMIN, full=full) for stream in streams]
        _report(request, source, [is_new for _, is_new in started])


def _report(request: HttpRequest, source: Source, are_new: list[bool]) -> None:
    if not are_new:
        messages.warning(request, f"{source.name} has no enabled stream: enable one on its page.")
    if any(are_new):
        messages.success(request, f"{source.name}: {cells.plural(sum(are_new), 'new job')} within seconds.")
    if not all(are_new):
        waiting = len(are_new) - sum(are_new)
        told = f"{cells.plural(waiting, 'stream')} with a live job already: wait for it or cancel it."
        messages.warning(request, f"{source.name}: {told}")


def pause(request: HttpRequest, chosen: QuerySet[Source]) -> None:
    count = jobs.set_paused(chosen, paused=True)
    messages.success(
        request,
        f"{cells.plural(count, 'source')} paused. Live jobs stop at their next page and keep their place.",
    )


def resume(request: HttpRequest, chosen: QuerySet[Source]) -> None:
    count = jobs.set_paused(chosen, paused=False)
    messages.success(request, f"{cells.plural(count, 'source')} resumed. Waiting jobs go on within seconds.")


class SourceList(RowList):
    """The list, with the standing of the page's sources read at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        by_id = standings(self.result_list, now=timezone.now())
        for source in self.result_list:
            source.standing = by_id[source.pk]


@admin.register(Source)
class SourceAdmin(SyncAdmin):
    form = SourceForm
    inlines = (StreamInline,)
    list_display = ("name", "connector", "status", "freshness", "open_letters", "live_jobs", "created")
    ordering = ("name",)
    search_fields = ("name",)
    # Reading them decrypts them, which fails where a key is missing; the list must not.
    deferred = ("credentials",)
    verbs = (
        Verb(
            name="sync",
            label="Sync now",
            icon="sync",
            run=sync_now,
            is_main=True,
            is_offered=lambda s: not s.is_paused,
        ),
        Verb(
            name="full",
            label="Full refresh",
            icon="cached",
            run=full_refresh,
            is_offered=lambda s: not s.is_paused,
        ),
        Verb(name="pause", label="Pause", icon="pause", run=pause, is_offered=lambda s: not s.is_paused),
        Verb(
            name="resume",
            label="Resume",
            icon="play_arrow",
            run=resume,
            is_main=True,
            is_offered=lambda s: s.is_paused,
        ),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RowList]:
        return SourceList

    @admin.display(description="Status")
    def status(self, source: Any) -> SafeString:
        standing: Standing = source.standing
        return cells.label(standing.status, COLOURS[standing.status])

    @admin.display(description="Freshness")
    def freshness(self, source: Any) -> SafeString:
        return freshness_label(source.standing)

    @admin.display(description="Open dead letters")
    def open_letters(self, source: Any) -> str:
        return letters_link(source.pk, source.standing)

    @admin.display(description="Live jobs")
    def live_jobs(self, source: Any) -> SafeString:
        return cells.list_link(CollectionJob, f"{source.standing.live_jobs}", source=source.pk)

    @admin.display(description="Created")
    def created(self, source: Source) -> str:
        return cells.utc(source.created_at)

    # The form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": ("name", "connector")})]
        return [(None, {"fields": ("name", "connector", "config", "new_credentials")})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        # Another connector's records would mix with those that are here.
        return ("connector",) if obj is not None else ()

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.inlines if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        given = form.cleaned_data["new_credentials"]
        if given:
            obj.credentials = given
        if not change:
            obj.save()
            return
        changed = [name for name in form.changed_data if name != "new_credentials"]
        obj.save(update_fields=[*changed, *(["credentials"] if given else [])])

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Write the changed columns only: a worker may be moving the watermark in the same row."""
        formset.save(commit=False)
        for stream, changed in formset.changed_objects:
            if "schedule" in changed:
                stream.next_run_at = _next_run(stream)
                changed = [*changed, "next_run_at"]
            stream.save(update_fields=changed)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        source = form.instance
        try:
            streams = lay_out_streams(source)
        except ConfigError as error:
            messages.error(request, f"{source.name} is saved, but its streams could not be laid out: {error}")
            return
        fresh = [stream for stream in streams if stream.next_run_at is None and stream.schedule]
        for stream in fresh:
            SourceStream.objects.filter(pk=stream.pk).update(next_run_at=_next_run(stream))
        if not change:
            names = ", ".join(stream.name for stream in streams)
            messages.info(
                request, f"Streams: {names}. They start by their schedules; Sync now starts them at once."
            )

    def panels(self, request: HttpRequest, row: Source) -> list[Panel]:
        standing = standings([row], now=timezone.now())[row.pk]
        pairs = [
            ("Status", cells.label(standing.status, COLOURS[standing.status])),
            ("Freshness", freshness_label(standing)),
            ("Open dead letters", letters_link(row.pk, standing)),
            ("Live jobs", f"{standing.live_jobs}"),
            ("All jobs", cells.list_link(CollectionJob, "of this source", source=row.pk)),
            ("Credentials", credentials_shown(row)),
            ("Created", row.created_at),
        ]
        return [facts("How it stands", pairs), *([] if self.may_act(request) else [_settings(row)])]


def _settings(source: Source) -> Panel:
    shown = payloads.pretty(Source.objects.filter(pk=source.pk), "config")
    return Panel(title="Settings", template="ingest/admin/payload.html", values={"text": shown})


def _next_run(stream: SourceStream) -> Any:
    return schedules.next_run(
        stream.schedule, after=timezone.now(), spread_by=f"{stream.source_id}/{stream.name}"
    )


def freshness_label(standing: Standing) -> SafeString:
    if standing.freshness is None:
        return cells.label("never", "grey")
    return cells.label(cells.span(standing.freshness), "red" if standing.is_stale else "green")


def letters_link(source_id: int, standing: Standing) -> str:
    shown = cells.at_most(standing.open_letters, LETTERS_COUNTED)
    if not standing.open_letters:
        return shown
    return cells.list_link(FailedSync, cells.label(shown, "red"), source=source_id)


def credentials_shown(source: Source) -> str:
    """Return which credentials are set, the last four characters of long ones, or why nobody knows."""
    try:
        held = source.credentials
    except ImproperlyConfigured as error:
        return str(error)
    if not held:
        return "none set"
    return "set: " + ", ".join(f"{name}{_tail(value)}" for name, value in sorted(held.items()))


def _tail(value: object) -> str:
    # Four characters of a short secret would be much of it.
    return f" …{value[-4:]}" if isinstance(value, str) and len(value) >= 16 else ""
