"""The streams of a source whose latest run went wrong: why, and what to do."""

from __future__ import annotations

from django.db.models import OuterRef, Subquery

from ingest.admin import advice, cells, progress
from ingest.admin.base import Panel, table
from ingest.models import CollectionJob, Source

WRONG = (CollectionJob.Status.FAILED, CollectionJob.Status.QUARANTINED, CollectionJob.Status.PARTIAL)
SHOWN = 12
TOLD = 600


def panels(source: Source) -> list[Panel]:
    """Return the panel; none where every enabled stream's latest run came to its end in one piece."""
    ended = (
        CollectionJob.objects.filter(stream=OuterRef("pk"))
        .exclude(status__in=CollectionJob.LIVE)
        .exclude(mode=CollectionJob.Mode.REPLAY)
        .order_by("-id")
    )
    streams = source.streams.filter(is_enabled=True).annotate(latest=Subquery(ended.values("pk")[:1]))
    latest = [pk for pk in streams.values_list("latest", flat=True) if pk is not None]
    wrong = CollectionJob.objects.filter(pk__in=latest, status__in=WRONG).exclude(error="")
    jobs = wrong.select_related("stream").order_by("stream__name")
    found = list(jobs.defer("cursor", "stream_state", "stream__state"))
    if not found:
        return []
    # The same is wrong with most of them: what to do about it is told once.
    advised = " ".join(dict.fromkeys(advice.what_to_do(job.error_type) for job in found))
    left = cells.plural(len(found) - SHOWN, "more stream")
    more = f" The list of jobs has {left}." if len(found) > SHOWN else ""
    headers = ("Stream", "Latest run", "Came to", "Why")
    rows = [_row(job) for job in found[:SHOWN]]
    told = f"What to do: {advised}{more}"
    return [table("Latest runs that went wrong", headers=headers, rows=rows, more=told, ends_in_text=True)]


def _row(job: CollectionJob) -> tuple[object, ...]:
    return (
        job.stream.name,
        cells.change_link(CollectionJob, job.pk, f"job {job.pk}"),
        cells.label(job.get_status_display(), progress.COLOURS[job.status]),
        job.error[:TOLD],
    )
