"""The reports providers make for us, as rows for people to look at; the job's cursor is what counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from connectors.errors import ConnectorError, NotReady
from connectors.reports import ReportPlace, place_of
from ingest.models import CollectionJob, ReportRun

State = ReportRun.State


def note_landed(job: CollectionJob, following: str | None, *, rows: int) -> None:
    """Note what a page of the job's came to for its report, in the page's transaction."""
    here, next_place = place_of(job.cursor), place_of(following)
    if next_place is not None and (here is None or here.report != next_place.report):
        _begin(job, next_place)
    elif here is not None:
        state = State.DOWNLOADED if next_place is None else State.READY
        _write(job, here, state=state, rows=F("rows") + rows, next_poll_at=None, error="")


def note_refused(job_id: int, error: ConnectorError) -> None:
    """Note why the job reads no further in its report for now, or ever."""
    job = CollectionJob.objects.only("source", "stream", "cursor", "status", "is_fetched").get(pk=job_id)
    place = place_of(job.cursor)
    if place is None:
        return
    if isinstance(error, NotReady):
        next_poll = Now() + timedelta(seconds=error.retry_after)
        _write(job, place, state=State.RUNNING, polls=F("polls") + 1, next_poll_at=next_poll)
    elif job.is_fetched:
        _write(job, place, state=State.FAILED, next_poll_at=None, error=str(error))
    else:
        _write(job, place, error=str(error))


def _begin(job: CollectionJob, place: ReportPlace) -> None:
    with transaction.atomic():
        ReportRun.objects.filter(job=job, state__in=ReportRun.OPEN).update(
            state=place.before_state or State.EXPIRED,
            next_poll_at=None,
            error=place.before or "The run began again.",
            changed_at=Now(),
        )
        ReportRun.objects.get_or_create(
            job=job,
            external_id=place.report,
            defaults={
                "source_id": job.source_id,
                "stream_id": job.stream_id,
                "attempt": place.attempt,
                "started_at": place.started,
            },
        )


def _write(job: CollectionJob, place: ReportPlace, **values: Any) -> None:
    written: Mapping[str, Any] = {"changed_at": Now(), **values}
    ReportRun.objects.filter(job=job, external_id=place.report).update(**written)


def close(job: CollectionJob) -> None:
    """Note on a job that ends in the middle of a report that nobody will read it."""
    if place_of(job.cursor) is not None:
        ReportRun.objects.filter(job=job, state__in=ReportRun.OPEN).update(
            state=State.FAILED, next_poll_at=None, error="The job ended before it was read.", changed_at=Now()
        )
