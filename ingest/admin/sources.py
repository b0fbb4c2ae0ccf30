"""Sources: how each stands, its settings and streams; sync now, full refresh, pause, resume."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString

from connectors.errors import ConfigError
from ingest import schedules, tokens
from ingest.admin import budgets, cells, connect, failures, payloads, testing
from ingest.admin.base import Panel, RowList, SyncAdmin, facts
from ingest.admin.source_form import SourceForm
from ingest.admin.source_verbs import VERBS
from ingest.admin.standing import COLOURS, LETTERS_COUNTED, Standing, standings
from ingest.admin.streams import StreamInline
from ingest.connecting import lay_out_streams
from ingest.models import CollectionJob, FailedSync, Source, SourceStream


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
    verbs = VERBS

    class Media:
        js = ("ingest/guide.js",)

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

    # Connecting

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "connected/",
                self.admin_site.admin_view(self.connected_view),
                name="ingest_source_connected",
            ),
            path(
                "<int:source_id>/connect/",
                self.admin_site.admin_view(self.connect_view),
                name="ingest_source_connect",
            ),
        ]
        return [*own, *super().get_urls()]

    def connect_view(self, request: HttpRequest, source_id: int) -> HttpResponse:
        """Send the person to the provider. :raises PermissionDenied: unless they may change sources"""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.may_act(request):
            raise PermissionDenied
        return connect.begin(request, get_object_or_404(Source.objects.defer("credentials"), pk=source_id))

    def connected_view(self, request: HttpRequest) -> HttpResponse:
        """Take the person back. :raises PermissionDenied: unless they may change sources"""
        if not self.may_act(request):
            raise PermissionDenied
        return connect.finish(request)

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
        if given:
            tokens.let_ask_again(obj.pk)

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
        access = Panel(
            title="Access",
            template="ingest/admin/connect.html",
            values=connect.panel_values(request, row),
        )
        limits = budgets.panels(row, now=timezone.now())
        settings = [] if self.may_act(request) else [_settings(row)]
        tested = testing.panels(request, row)
        wrong = failures.panels(row) if request.user.has_perm("ingest.view_collectionjob") else []
        return [*tested, facts("How it stands", pairs), *wrong, access, *limits, *settings]


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
    secrets = sorted((name, value) for name, value in held.items() if name != "mode")
    return "set: " + ", ".join(f"{name}{_tail(value)}" for name, value in secrets)


def _tail(value: object) -> str:
    # Four characters of a short secret would be much of it.
    return f" …{value[-4:]}" if isinstance(value, str) and len(value) >= 16 else ""
