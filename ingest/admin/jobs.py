"""Jobs: how far each run is, what it came to, why it failed; cancel and sync again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ingest import jobs, sightings
from ingest.admin import cells, progress
from ingest.admin.base import Panel, ReadOnlyAdmin, Verb, facts, table
from ingest.admin.filters import SourceFilter, StreamFilter
from ingest.models import CollectionJob, FailedSync, Page, Source

PAGES_SHOWN = 10


def cancel(request: HttpRequest, chosen: QuerySet[CollectionJob]) -> None:
    asked = jobs.request_cancel(chosen)
    if asked:
        messages.success(
            request, f"{cells.plural(asked, 'job')} asked to stop at the next page. What arrived is kept."
        )
    else:
        messages.warning(request, "Nothing to cancel: none of these is live.")


def sync_again(request: HttpRequest, chosen: QuerySet[CollectionJob]) -> None:
    for job in chosen.select_related("stream").exclude(mode=CollectionJob.Mode.REPLAY):
        window = jobs.Window(start=job.window_start, end=job.window_end)
        again, is_new = jobs.start(
            job.stream,
            trigger=CollectionJob.Trigger.ADMIN,
            full=job.mode == CollectionJob.Mode.FULL,
            window=window if job.mode == CollectionJob.Mode.BACKFILL else None,
        )
        if is_new:
            messages.success(request, f"Stream {job.stream.name}: job {again.pk} starts within seconds.")
        else:
            messages.warning(
                request, f"Stream {job.stream.name}: job {again.pk} is live already; wait or cancel it."
            )


def accept_deletions(request: HttpRequest, chosen: QuerySet[CollectionJob]) -> None:
    for job in chosen:
        if sightings.accept(job.pk):
            messages.success(
                request, f"Job {job.pk}: what the source did not list is marked as gone within seconds."
            )
        else:
            messages.warning(
                request, f"Job {job.pk} has no deletions to accept, or another run of its stream is live."
            )


def _moving(name: str, title: str) -> Any:
    @admin.display(description=title)
    def column(job: CollectionJob) -> SafeString:
        return progress.part(job, name, now=timezone.now())

    return column


@admin.register(CollectionJob)
class CollectionJobAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        _moving("status", "Status"),
        "where",
        _moving("progress", "Progress"),
        _moving("rate", "Records/s"),
        _moving("changes", "Changes"),
        "dead_letters_link",
        "started",
        _moving("duration", "Duration"),
    )
    list_filter = (
        SourceFilter,
        StreamFilter,
        ("status", ChoicesDropdownFilter),
        ("mode", ChoicesDropdownFilter),
    )
    list_select_related = ("source", "stream")
    ordering = ("-id",)
    deferred = (
        "cursor",
        "stream_state",
        "source__config",
        "source__credentials",
        "stream__state",
    )
    verbs = (
        Verb(name="cancel", label="Cancel", icon="cancel", run=cancel, is_offered=lambda job: job.is_live),
        Verb(
            name="again",
            label="Sync again",
            icon="replay",
            run=sync_again,
            is_offered=lambda job: not job.is_live and job.mode != CollectionJob.Mode.REPLAY,
        ),
        Verb(
            name="accept",
            label="Accept deletions",
            icon="delete_sweep",
            run=accept_deletions,
            is_offered=sightings.may_be_accepted,
        ),
    )

    @admin.display(description="Source / stream")
    def where(self, job: CollectionJob) -> SafeString:
        where = cells.change_link(Source, job.source_id, f"{job.source.name} / {job.stream.name}")
        mode = "" if job.mode == CollectionJob.Mode.INCREMENTAL else cells.label(job.mode, "grey")
        # Below it, as a column of its own would push others out of the window.
        return format_html("{} {} {}", where, mode, progress.part(job, "error", now=timezone.now()))

    @admin.display(description="Dead letters")
    def dead_letters_link(self, job: CollectionJob) -> str:
        shown = progress.part(job, "failed", now=timezone.now())
        return _letters_link(job, shown) if job.failed else shown

    @admin.display(description="Started (UTC)")
    def started(self, job: CollectionJob) -> str:
        return cells.moment(job.started_at)

    # The detail page

    def panels(self, request: HttpRequest, row: CollectionJob) -> list[Panel]:
        now = timezone.now()
        live = {
            name: progress.part(row, name, now=now) for name in ("status", "progress", "counters", "trouble")
        }
        return [
            Panel(title="Progress", template="ingest/admin/live_job.html", values={"job": row, **live}),
            facts("The run", _facts(row)),
            facts("Checkpoint and lease", _inside(row)),
            _pages(row),
        ]

    # Live parts

    def get_urls(self) -> list[URLPattern]:
        live = path("live/", self.admin_site.admin_view(self.live_view), name="ingest_collectionjob_live")
        return [live, *super().get_urls()]

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """:raises PermissionDenied: unless the person may look at jobs"""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return progress.live_answer(request, self.model.objects.defer("cursor", "stream_state"))


def _letters_link(job: CollectionJob, text: object) -> SafeString:
    return cells.list_link(FailedSync, text, job__id__exact=job.pk, state="all")


def _facts(job: CollectionJob) -> list[tuple[str, object]]:
    return [
        ("Source", cells.change_link(Source, job.source_id, job.source.name)),
        ("Stream", job.stream.name),
        ("Mode", job.get_mode_display()),
        ("Started by", job.get_trigger_display()),
        ("Created", job.created_at),
        ("Started", job.started_at),
        ("Latest progress", job.progress_at),
        ("Finished", job.finished_at),
        ("Window from", job.window_start or "the beginning"),
        ("Window to", job.window_end or "now"),
        ("Newest change seen", job.high_water),
        ("Watermark of the stream", job.stream.watermark),
        ("Dead letters", _letters_link(job, f"{job.failed:,} in this run")),
        ("Not listed any more", cells.number(job.missing_objects)),
        ("Pages", cells.list_link(Page, f"{job.pages_landed:,} landed", job__id__exact=job.pk)),
    ]


def _inside(job: CollectionJob) -> list[tuple[str, object]]:
    return [
        ("Cursor", cells.short(job.cursor, 200)),
        ("Nothing left to fetch", job.is_fetched),
        ("Next page", job.next_page_number),
        ("Pass", job.pass_number),
        ("Next turn not before", job.next_run_at if job.is_live else None),
        ("Cancel requested", job.cancel_requested),
        ("Failures in a row", job.attempts),
        ("Lost workers", job.crashes),
        ("Told to wait", cells.plural(job.rate_limit_hits, "time")),
        ("Lease holder", job.lease_holder),
        ("Lease until", job.lease_until),
        ("Lease token", job.lease_token),
    ]


def _pages(job: CollectionJob) -> Panel:
    newest = job.pages.order_by("-number").only(
        "job",
        "number",
        "state",
        "fetched",
        "inserted",
        "updated",
        "unchanged",
        "skipped",
        "failed",
        "fetch_ms",
        "landed_at",
    )[:PAGES_SHOWN]
    return table(
        "Newest pages",
        headers=(
            "Page",
            "State",
            "Fetched",
            "New",
            "Changed",
            "Same",
            "Skipped",
            "Failed",
            "Fetch",
            "Landed",
        ),
        rows=[
            (
                cells.change_link(Page, page.pk, page.number),
                page.get_state_display(),
                page.fetched,
                page.inserted,
                page.updated,
                page.unchanged,
                page.skipped,
                page.failed,
                f"{page.fetch_ms:,} ms",
                page.landed_at,
            )
            for page in newest
        ],
        more=cells.list_link(Page, "All pages of this job", job__id__exact=job.pk),
    )


def job_link(job_id: int | None) -> object:
    """Return a link to the job, or its number where the job was pruned since."""
    if job_id is None:
        return None
    if not CollectionJob.objects.filter(pk=job_id).exists():
        return f"job {job_id}, past its retention"
    return cells.change_link(CollectionJob, job_id, f"job {job_id}")
