"""Waiting: how long a job stays away from a provider that failed it, and its source's other jobs with it."""

from __future__ import annotations

import random
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest, Least, Now

from connectors.errors import ConnectorError, NotAsked, NotReady, RateLimited, TransientError
from ingest import jobs
from ingest.leases import Lease, write_fenced
from ingest.models import CollectionJob

BACKOFF_BASE = 2.0  # seconds
BACKOFF_CAP = 300.0
# Fewer happen by chance to a source that is well, more are too many requests to one that is down.
FAILURES_BEFORE_SPARING = 5
# So long that many streams ask hardly more often than one, so short that news of its return soon counts.
SPARED = timedelta(seconds=60)


def put_off(lease: Lease, job: CollectionJob, error: ConnectorError) -> None:
    """
    Give the job back after an error: to be tried again later, or, out of attempts, to end.

    :raises LeaseLost: if another worker has it
    """
    if isinstance(error, NotReady | NotAsked):
        _wait(lease, job, error, seconds=error.retry_after, attempts=F("attempts"))
    elif isinstance(error, RateLimited):
        _wait(
            lease, job, error, seconds=error.retry_after or _backoff(job.attempts), attempts=_patience(error)
        )
    elif job.attempts + 1 < error.max_attempts:
        hinted = error.retry_after if isinstance(error, TransientError) else None
        _wait(lease, job, error, seconds=hinted or _backoff(job.attempts), attempts=F("attempts") + 1)
    else:
        jobs.end_fetching(
            lease, outcome=CollectionJob.Status.FAILED, error_type=error.error_type, error=str(error)
        )


def _patience(error: RateLimited) -> Combinable:
    """Return the attempts after being told to wait: no failure, but asked seldom where no time was named."""
    if error.retry_after:
        return F("attempts")
    # Stops short of the last attempt: what fails the job must be a failure.
    return Greatest("attempts", Least(F("attempts") + 1, TransientError.max_attempts - 2))


def _wait(
    lease: Lease, job: CollectionJob, error: ConnectorError, *, seconds: float, attempts: Combinable
) -> None:
    write_fenced(
        lease,
        status=CollectionJob.Status.PENDING,
        next_run_at=Now() + timedelta(seconds=seconds),
        attempts=attempts,
        rate_limit_hits=F("rate_limit_hits") + int(isinstance(error, RateLimited)),
        error_type=error.error_type,
        error=str(error),
        lease_until=None,
        rung_at=None,
    )


def _backoff(attempts: int) -> float:
    """Return full-jitter seconds: many jobs that failed together must not come back together."""
    return random.uniform(0.5, min(BACKOFF_CAP, BACKOFF_BASE * 2**attempts))  # noqa: S311 - no secret


def spare(job: CollectionJob) -> None:
    """
    Let the other jobs of the job's source wait while it answers none; this one, which failed last, asks next.

    A page that lands sets the attempts of its job back, so one broken stream holds up no good one.
    """
    asking = CollectionJob.objects.filter(
        source=job.source_id, status__in=CollectionJob.LIVE, is_fetched=False
    )
    counts = asking.aggregate(
        failures=Coalesce(Sum("attempts"), 0), answered=Count("pk", filter=Q(attempts=0, pages_landed__gt=0))
    )
    if counts["failures"] < FAILURES_BEFORE_SPARING or counts["answered"]:
        return
    with transaction.atomic():
        others = asking.exclude(pk=job.pk).filter(lease_until__isnull=True)
        ids = [other.pk for other in others.select_for_update(skip_locked=True)]
        CollectionJob.objects.filter(pk__in=ids).update(next_run_at=Greatest("next_run_at", Now() + SPARED))
