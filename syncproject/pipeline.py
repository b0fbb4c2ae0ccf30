"""
The whole story, left to right:

    tick -> due streams -> CollectionJob -> chain(fetch_page -> upsert_batch -> aggregate_metrics)

Steps talk through rows, never through messages: the broker carries a job's id only, so any step may be
run again by anyone, at any time, and a lost message costs one tick. Fetching and applying overlap: a
fetch rings for writers as soon as a page has landed, a writer rings for fetchers as soon as there is room.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from celery import Signature, chain, current_app, shared_task
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from ingest import applying, fetching, finishing, jobs, leases, pruning
from ingest.models import CollectionJob
from metrics import rollup

log = logging.getLogger(__name__)

QUIET_SECONDS = 0.25
UNATTENDED_SECONDS = 0.5


def page_chain(job_id: int) -> Signature:
    """Return one turn of a job: fetch what there is room for, apply it, count it."""
    return chain(
        fetch_page.si(job_id=job_id), upsert_batch.si(job_id=job_id), aggregate_metrics.si(job_id=job_id)
    )


@shared_task
def tick(**_: Any) -> None:
    """Every 5 s: hand back stalled jobs, start due streams, ring for every job that waits for a worker."""
    leases.reap()
    jobs.end_cancelled()
    jobs.end_disconnected()
    jobs.start_due(now=timezone.now())
    idle = idle_queues()
    due = jobs.take_unrung(
        now=timezone.now(),  # later than the jobs just started, else they would not be due yet
        is_fetch_idle="fetch" in idle,
        is_apply_idle={"upsert", "metrics"} <= idle,
    )
    for job in due:
        ring(page_chain(job.pk))


@shared_task
def fetch_page(*, job_id: int, **_: Any) -> None:
    """Land pages from the job's cursor on, until the slice is over or too many wait to be applied."""

    bell = WritersBell(job_id)
    fetching.fetch_slice(job_id, now=timezone.now, until=slice_end(), after_landing=bell.page_landed)


class WritersBell:
    """Rings for writers when a page landed where none waited, or where none was applied for a while."""

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id
        self._is_owed = False
        self._rung_at = 0.0
        self._waiting = 0
        self._applied_at = time.monotonic()

    def page_landed(self, pages_waiting: int) -> None:
        """Hear how many pages waited before this one."""
        now = time.monotonic()
        if pages_waiting < self._waiting:
            self._applied_at = now
        self._waiting = pages_waiting + 1
        # A writer that found nothing more, just before this page was committed, has gone home although the
        # pages it was closing at that moment counted as waiting.
        is_unattended = now - self._applied_at > UNATTENDED_SECONDS
        self._is_owed = self._is_owed or pages_waiting == 0 or is_unattended
        # Fast sources with little news would ring for each page; a moment later writers find several.
        if self._is_owed and now - self._rung_at > QUIET_SECONDS:
            ring(chain(upsert_batch.si(job_id=self._job_id), aggregate_metrics.si(job_id=self._job_id)))
            self._is_owed, self._rung_at, self._applied_at = False, now, now


@shared_task
def upsert_batch(*, job_id: int, **_: Any) -> None:
    """Turn landed pages into refined rows and dead letters."""
    bell = FetchersBell(job_id)
    applying.apply_landed(job_id, now=timezone.now, until=slice_end(), after_batch=bell.batch_applied)


class FetchersBell:
    """Rings for fetchers as soon as there is room for their pages."""

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id
        self._is_rung = False

    def batch_applied(self, pages_waiting: int) -> bool:
        """Hear how many pages wait still; return whether to let go, as every other worker is busy, too."""
        if pages_waiting > settings.MAX_PAGES_AHEAD // 2:
            return False
        if self._is_rung and jobs.wants_fetching(self._job_id, now=timezone.now()):
            return True  # a whole batch later nobody has answered
        self._is_rung = ring_if_unheld(self._job_id) or self._is_rung
        return False


@shared_task
def aggregate_metrics(*, job_id: int, **_: Any) -> None:
    """Recount the days touched, end the job if all is done, else take the next turn."""
    close_turn(job_id, now=timezone.now, metrics_every=timedelta(seconds=settings.METRICS_SECONDS))
    ring_if_unheld(job_id)


def close_turn(job_id: int, *, now: Callable[[], datetime], metrics_every: timedelta) -> CollectionJob | None:
    """Count what was applied; return the job if that ended it."""
    job = CollectionJob.objects.filter(pk=job_id).first()
    if job is None:
        return None
    with transaction.atomic():
        touched = rollup.count_job(job, now=now(), at_most_every=metrics_every)
        if touched:
            applying.link_late(job, touched.days, touched.kinds_with_new)
    return finishing.finish(job_id)


def run_here(job_id: int, *, now: Callable[[], datetime]) -> CollectionJob | None:
    """Take one turn of a job in this process; return the job if that ended it."""

    def ring_nobody(pages_waiting: int) -> None:
        """The next turn comes from the caller."""

    fetching.fetch_slice(job_id, now=now, until=slice_end(), after_landing=ring_nobody)
    applying.apply_landed(job_id, now=now, until=slice_end(), after_batch=ring_nobody)
    return close_turn(job_id, now=now, metrics_every=timedelta(0))


@shared_task
def prune(**_: Any) -> None:
    """Daily: let go of what is past its retention."""
    pruning.prune(now=timezone.now(), job_days=settings.JOB_RETENTION_DAYS)


def slice_end() -> datetime:
    return timezone.now() + timedelta(seconds=settings.SLICE_SECONDS)


def ring_if_unheld(job_id: int) -> bool:
    """
    Start the job's next turn unless a worker is at it, it has to wait, or nothing is left to fetch.

    Returns whether a message was sent.
    """
    if jobs.wants_fetching(job_id, now=timezone.now()) and jobs.note_rung(job_id, now=timezone.now()):
        ring(page_chain(job_id))
        return True
    return False


def ring(signature: Signature) -> None:
    """Send a message, best effort: without it the tick finds the row."""
    try:
        signature.apply_async()
    except OperationalError:
        log.warning("broker not reached; the tick will find the job")


def idle_queues() -> set[str]:
    """Return the queues in which no message waits; none when Redis does not say."""
    broker = current_app.connection_for_read()
    try:
        with broker:
            client = broker.default_channel.client
            return {queue for queue in settings.QUEUES if not client.llen(queue)}
    except (OperationalError, *broker.recoverable_connection_errors):
        return set()
