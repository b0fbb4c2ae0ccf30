"""The end of a job: whether all has arrived, what it is called, and how far the stream has come by it."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Coalesce, Now

from ingest import reports, sightings
from ingest.models import CollectionJob, Page, RawRecord

log = logging.getLogger(__name__)


def finish(job_id: int) -> CollectionJob | None:
    """End the job if nothing is left to fetch, apply or count; None if something is."""
    with transaction.atomic():
        job = (
            CollectionJob.objects.select_for_update(of=("self",))
            .select_related("source", "stream")
            .defer("source__credentials")
            .filter(pk=job_id, status__in=CollectionJob.LIVE, is_fetched=True)
            .first()
        )
        if job is None or job.pages.filter(state__in=Page.OPEN).exists():
            return None
        missing = _missing(job)
        if not missing and sightings.sweep(job):
            return None  # with pages to apply that say what is gone
        _close(job, missing)
    job.refresh_from_db(fields=["finished_at"])
    log.info("job ended", extra=_facts(job))
    return job


def _facts(job: CollectionJob) -> dict[str, object]:
    counts = ("fetched", "inserted", "updated", "unchanged", "skipped", "failed", "rate_limit_hits")
    seconds = (
        (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else None
    )
    return {
        "job": job.pk,
        "source": job.source.name,
        "stream": job.stream.name,
        "status": job.status,
        **{name: getattr(job, name) for name in counts},
        "seconds": seconds,
        "error_type": job.error_type,
    }


def _close(job: CollectionJob, missing: str) -> None:
    statuses = CollectionJob.Status
    held = sightings.close(job)
    reports.close(job)
    doubt = missing or held
    job.status = job.outcome or (statuses.PARTIAL if job.failed or doubt else statuses.SUCCEEDED)
    if not job.outcome:
        job.error_type = "incomplete" if missing else sightings.HELD if held else ""
        job.error = doubt
    job.finished_at = Now()
    job.save(update_fields=["status", "error_type", "error", "finished_at"])
    is_whole = not job.outcome and not doubt
    if is_whole and job.mode in (CollectionJob.Mode.INCREMENTAL, CollectionJob.Mode.FULL):
        _advance_watermark(job)


def _missing(job: CollectionJob) -> str:
    if job.mode == CollectionJob.Mode.FULL and not job.fetched and _has_records(job) and not _is_seen(job):
        return (
            "The source listed nothing at all, though there were records before. What we have stays. Check "
            "what its credentials may still read, and its filters; if it is really empty now, all is well."
        )
    if job.expected_total is None:
        return ""
    # An earlier pass listed the same records: it must not fill the gaps of the one that counts.
    pages = job.pages.filter(pass_number=job.pass_number)
    arrived = pages.aggregate(sum=Coalesce(Sum(F("fetched") - F("skipped")), 0))["sum"]
    if arrived >= job.expected_total:
        return ""
    return (
        f"The source says it has {job.expected_total} records, {arrived} arrived. The watermark stays; "
        "run a full refresh, and if that falls short too, look at the source's filters and permissions."
    )


def _is_seen(job: CollectionJob) -> bool:
    """Tell whether the run noted what it saw: what it did not see is then another question."""
    return job.sightings.exists()


def _has_records(job: CollectionJob) -> bool:
    return RawRecord.objects.filter(stream=job.stream_id, is_deleted=False).exists()


def _advance_watermark(job: CollectionJob) -> None:
    # A record dated in the future must not make us skip everything until then.
    high_water = min(filter(None, (job.high_water, job.started_at)), default=None) if job.high_water else None
    job.stream.complete_window(high_water=high_water, state=job.stream_state)
