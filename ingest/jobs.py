"""The life of a job: started once per stream, rung for, and asked to stop by people."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from connectors.errors import ConnectorError, NeedsReconnect
from ingest import schedules
from ingest.leases import Lease, write_fenced
from ingest.models import CollectionJob, Source, SourceStream

log = logging.getLogger(__name__)

# A message may wait in a busy queue; ringing again sooner would only lengthen the queue.
RING_AGAIN_AFTER = timedelta(seconds=30)
RING_AGAIN_WHEN_IDLE = timedelta(seconds=4)
# Sources that may be asked for something.
ASKABLE: dict[str, Any] = {"source__is_paused": False, "source__needs_reconnect_since__isnull": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Inclusive bounds on the provider's time of change; None is open."""

    start: datetime | None = None
    end: datetime | None = None


def start(
    stream: SourceStream,
    *,
    trigger: str,
    full: bool = False,
    window: Window | None = None,
) -> tuple[CollectionJob, bool]:
    """
    Return the stream's live job, making one if there is none; the flag tells whether it is new.

    A window makes it a backfill: the watermark stays where it is.
    """
    job = _draft(stream, trigger=trigger, full=full, window=window)
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:
        live = CollectionJob.objects.filter(stream=stream, status__in=CollectionJob.LIVE)
        running = live.exclude(mode=CollectionJob.Mode.REPLAY).first()
        if running is None:  # it ended just now
            return start(stream, trigger=trigger, full=full, window=window)
        return running, False
    return job, True


def _draft(stream: SourceStream, *, trigger: str, full: bool, window: Window | None) -> CollectionJob:
    modes = CollectionJob.Mode
    draft = CollectionJob(
        source_id=stream.source_id, stream=stream, trigger=trigger, created_at=Now(), next_run_at=Now()
    )
    if window:
        draft.mode, draft.window_start, draft.window_end = modes.BACKFILL, window.start, window.end
    elif full or stream.mode == SourceStream.Mode.FULL:
        draft.mode = modes.FULL
    else:
        draft.mode = modes.INCREMENTAL
        draft.window_start = stream.watermark and stream.watermark - stream.lookback
    return draft


def start_due(*, now: datetime) -> int:
    """Start a job for every stream whose time has come; return how many. Safe to run twice at once."""
    due = (
        SourceStream.objects.select_for_update(skip_locked=True, of=("self",))
        # No time yet means the schedule is new: run once at once, then by the schedule.
        .filter(Q(next_run_at__lte=now) | Q(next_run_at__isnull=True), is_enabled=True, **ASKABLE)
        .exclude(schedule="")
        .order_by("next_run_at")[:500]
    )
    started = 0
    with transaction.atomic():
        for stream in due:
            # One catch-up run however long we were away: the next time is counted from now.
            stream.next_run_at = _next_run(stream, now)
            stream.save(update_fields=["next_run_at"])
            started += start(stream, trigger=CollectionJob.Trigger.SCHEDULE)[1]
    return started


def _next_run(stream: SourceStream, now: datetime) -> datetime | None:
    try:
        return schedules.next_run(stream.schedule, after=now, spread_by=f"{stream.source_id}/{stream.name}")
    except schedules.BadSchedule:
        log.exception(
            "a stream has an unreadable schedule and will not start by itself", extra={"stream": stream.pk}
        )
        return None


def take_unrung(*, now: datetime, is_fetch_idle: bool, is_apply_idle: bool) -> list[CollectionJob]:
    """
    Return the jobs a worker should hear about, noting that they were rung.

    Where no message waits in the queues of a phase, one sent earlier for it is gone: jobs in that phase
    are rung again at once instead of after a while.
    """
    soon, late = now - RING_AGAIN_WHEN_IDLE, now - RING_AGAIN_AFTER
    waiting = CollectionJob.objects.filter(
        Q(rung_at__isnull=True)
        | Q(rung_at__gt=now + RING_AGAIN_AFTER)  # noted by a clock that was ahead
        | Q(is_fetched=False, rung_at__lt=soon if is_fetch_idle else late)
        | Q(is_fetched=True, rung_at__lt=soon if is_apply_idle else late),
        Q(lease_until__isnull=True),
        Q(**ASKABLE) | Q(is_fetched=True),
        status__in=CollectionJob.LIVE,
        next_run_at__lte=now,
    )
    with transaction.atomic():
        jobs = list(waiting.select_for_update(skip_locked=True, of=("self",)).order_by("next_run_at")[:500])
        CollectionJob.objects.filter(pk__in=[job.pk for job in jobs]).update(rung_at=now)
    return jobs


def note_rung(job_id: int, *, now: datetime) -> bool:
    """Claim the right to send the job's next message; False while one that was sent is on its way."""
    return (
        CollectionJob.objects.filter(
            Q(rung_at__isnull=True)
            | Q(rung_at__gt=now + RING_AGAIN_AFTER)
            | Q(rung_at__lt=now - RING_AGAIN_WHEN_IDLE),
            pk=job_id,
        ).update(rung_at=now)
        == 1
    )


def wants_fetching(job_id: int, *, now: datetime) -> bool:
    """Tell whether the job could be claimed for fetching right now."""
    return _fetchable(now).filter(pk=job_id).exists()


def anyone_waits(*, now: datetime) -> bool:
    """Tell whether a job that was rung for could be fetched, had it a worker."""
    return _fetchable(now).filter(rung_at__isnull=False).exists()


def _fetchable(now: datetime) -> QuerySet[CollectionJob]:
    return CollectionJob.objects.filter(
        status__in=CollectionJob.LIVE,
        is_fetched=False,
        lease_until__isnull=True,
        next_run_at__lte=now,
        **ASKABLE,
    )


def release(lease: Lease) -> None:
    """
    Give the job back at a page boundary, to go on as soon as someone has time.

    :raises LeaseLost: if another worker has it
    """
    write_fenced(lease, lease_until=None)


def end_fetching(lease: Lease, *, outcome: str = "", error_type: str = "", error: str = "") -> None:
    """
    Note that nothing more will be fetched; what has landed is still applied before the job ends.

    :raises LeaseLost: if another worker has the job
    """
    write_fenced(
        lease,
        is_fetched=True,
        outcome=outcome,
        error_type=error_type,
        error=error,
        lease_until=None,
    )


def start_over(lease: Lease, job: CollectionJob, error: ConnectorError) -> None:
    """
    Begin the window again from its first page, as the provider forgot the cursor; once too often, end.

    :raises LeaseLost: if another worker has the job
    """
    # Passes, not attempts: a pass lands its first pages again, which would set attempts back each time.
    if job.pass_number >= error.max_attempts:
        end_fetching(
            lease, outcome=CollectionJob.Status.FAILED, error_type=error.error_type, error=str(error)
        )
        return
    write_fenced(
        lease,
        cursor=None,
        pass_number=F("pass_number") + 1,
        attempts=F("attempts") + 1,
        error_type=error.error_type,
        error=str(error),
        lease_until=None,
        rung_at=None,
    )


def request_cancel(jobs: Iterable[CollectionJob]) -> int:
    """Ask jobs to stop at their next page boundary; return how many were live."""
    return CollectionJob.objects.filter(
        pk__in=[job.pk for job in jobs], status__in=CollectionJob.LIVE
    ).update(cancel_requested=True, next_run_at=Now(), rung_at=None)


def end_cancelled() -> int:
    """Close the fetching phase of cancelled jobs that no worker holds; return how many."""
    unheld = CollectionJob.objects.filter(
        status__in=CollectionJob.LIVE, cancel_requested=True, is_fetched=False, lease_until__isnull=True
    )
    return unheld.update(is_fetched=True, outcome=CollectionJob.Status.CANCELLED, rung_at=None)


def end_disconnected() -> int:
    """
    Close the fetching phase of jobs that no worker holds and whose source a person has to connect again.

    They would wait for ever; the next run starts at the watermark all the same. Return how many.
    """
    unheld = CollectionJob.objects.filter(
        status__in=CollectionJob.LIVE,
        source__needs_reconnect_since__isnull=False,
        is_fetched=False,
        lease_until__isnull=True,
    )
    reason = Source.objects.filter(pk=OuterRef("source_id")).values("needs_reconnect_reason")
    return unheld.update(
        is_fetched=True,
        outcome=CollectionJob.Status.FAILED,
        error_type=NeedsReconnect.error_type,
        error=Subquery(reason),
        rung_at=None,
    )


def set_paused(sources: Iterable[Source], *, paused: bool) -> int:
    """Pause or resume sources; running jobs stop at their next page and go on from there later."""
    return Source.objects.filter(pk__in=[source.pk for source in sources]).update(is_paused=paused)
