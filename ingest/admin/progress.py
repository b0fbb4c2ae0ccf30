"""The parts of a job that move while it runs; drawn in the page first, then again every two seconds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ingest.admin import advice, cells
from ingest.admin.standing import waits_to_retry
from ingest.models import CollectionJob

COLOURS = {
    "PENDING": "grey",
    "RUNNING": "blue",
    "SUCCEEDED": "green",
    "PARTIAL": "orange",
    "FAILED": "red",
    "CANCELLED": "grey",
    "QUARANTINED": "red",
}
JOBS_PER_REQUEST = 200
_ASKED = re.compile(r"^\w+: (?:GET|POST) \S+: ")
COUNTERS = (
    "fetched",
    "inserted",
    "updated",
    "unchanged",
    "skipped",
    "failed",
    "pages_landed",
    "pages_applied",
)


def part(job: CollectionJob, name: str, *, now: datetime) -> SafeString:
    """Return one part wrapped so that the page can renew it while the job is live."""
    url = reverse("admin:ingest_collectionjob_live") if job.is_live else ""
    content = _PARTS[name](job, now)
    return format_html(
        '<span class="sync-part" data-job="{}" data-part="{}" data-live="{}">{}</span>',
        job.pk,
        name,
        url,
        content,
    )


def live_answer(request: HttpRequest, jobs: QuerySet[CollectionJob]) -> JsonResponse:
    """Return every part of the jobs asked for with ?ids=1,2,3, as escaped HTML."""
    asked = [text for text in request.GET.get("ids", "").split(",") if text.isascii() and text.isdigit()]
    ids = [int(text) for text in asked if len(text) < 19][:JOBS_PER_REQUEST]
    now = timezone.now()
    answer = {str(job.pk): _all_parts(job, now) for job in jobs.filter(pk__in=ids)}
    return JsonResponse({"jobs": answer})


def _all_parts(job: CollectionJob, now: datetime) -> dict[str, Any]:
    return {"is_live": job.is_live, "parts": {name: draw(job, now) for name, draw in _PARTS.items()}}


def records_per_second(job: CollectionJob, *, now: datetime) -> float | None:
    end = job.finished_at or now
    if job.started_at is None or end <= job.started_at or not job.fetched:
        return None
    return job.fetched / (end - job.started_at).total_seconds()


def _status(job: CollectionJob, now: datetime) -> str:
    if waits_to_retry(job, now=now):
        return cells.label("Waiting to retry", "orange")
    if job.is_live and job.cancel_requested:
        return cells.label("Cancelling", "grey")
    return cells.label(job.get_status_display(), COLOURS[job.status])


def _progress(job: CollectionJob, now: datetime) -> str:
    share = 1.0 if job.status == CollectionJob.Status.SUCCEEDED else job.progress
    values = {
        "percent": None if share is None else int(share * 100),
        "is_live": job.is_live,
        "fetched": cells.number(job.fetched),
        "expected": None if job.expected_total is None else cells.number(job.expected_total),
    }
    return render_to_string("ingest/admin/progress.html", values)


def _rate(job: CollectionJob, now: datetime) -> str:
    rate = records_per_second(job, now=now)
    return cells.EMPTY if rate is None else f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _changes(job: CollectionJob, now: datetime) -> str:
    return format_html(
        '<span class="sync-changes" title="new, changed, unchanged">+{} ~{} ={}</span>',
        cells.number(job.inserted),
        cells.number(job.updated),
        cells.number(job.unchanged),
    )


def _failed(job: CollectionJob, now: datetime) -> str:
    return cells.label(cells.number(job.failed), "red") if job.failed else "0"


def _duration(job: CollectionJob, now: datetime) -> str:
    return cells.span((job.finished_at or now) - job.started_at) if job.started_at else cells.EMPTY


def _error(job: CollectionJob, now: datetime) -> str:
    # Who was asked for what takes all the room there is, and the line above names the source.
    gist = _ASKED.sub("", job.error, count=1)
    return format_html('<small class="sync-below">{}</small>', cells.short(gist, 45)) if gist else ""


def _counters(job: CollectionJob, now: datetime) -> str:
    pairs = [(name.replace("_", " "), cells.number(getattr(job, name))) for name in COUNTERS]
    rate = _rate(job, now)
    pairs += [("records/s", rate), ("duration", _duration(job, now))]
    return render_to_string("ingest/admin/counters.html", {"pairs": pairs})


def _trouble(job: CollectionJob, now: datetime) -> str:
    values = {
        "job": job,
        "advice": advice.what_to_do(job.error_type),
        "next_try": cells.utc(job.next_run_at) if waits_to_retry(job, now=now) else "",
    }
    return render_to_string("ingest/admin/trouble.html", values)


_PARTS = {
    "status": _status,
    "progress": _progress,
    "rate": _rate,
    "changes": _changes,
    "failed": _failed,
    "duration": _duration,
    "error": _error,
    "counters": _counters,
    "trouble": _trouble,
}
LIST_PARTS: Sequence[str] = ("status", "progress", "rate", "changes", "failed", "duration", "error")
