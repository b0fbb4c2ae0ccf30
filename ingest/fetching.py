"""Fetching: one worker's turn at a job, page after page until its slice is over or writers fall behind."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.models import OuterRef, Subquery

from connectors.base import Connector, FetchRequest
from connectors.base import Stream as OfferedStream
from connectors.errors import ConfigError, ConnectorError, CursorExpired, TransientError
from ingest import applying, jobs, landing, leases, stopping
from ingest.connecting import connector_for
from ingest.leases import Lease, LeaseLost
from ingest.models import CollectionJob, Page

log = logging.getLogger(__name__)

STILL = timedelta(minutes=1)
RENEW_EVERY = 5.0  # seconds, while a long answer comes in


@dataclass(slots=True)
class _Landed:
    """How many pages landed, also when the slice ended in an error."""

    pages: int = 0


@dataclass(frozen=True, slots=True)
class _NextPage:
    """Leave to fetch one more page."""

    job: CollectionJob
    #: Landed and not yet applied.
    pages_waiting: int


class _Renewal:
    """Renews the lease while bytes arrive, but not at each chunk."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.last = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self.last > RENEW_EVERY:
            leases.renew(self.lease)
            self.last = time.monotonic()


def fetch_slice(
    job_id: int, *, now: Callable[[], datetime], until: datetime, after_landing: Callable[[int], None]
) -> int:
    """
    Claim the job and fetch pages until the slice ends, the stream ends, or too many pages wait.

    `after_landing` hears how many pages waited before each new one. Whatever goes wrong ends on the
    job's row. Returns how many pages landed; 0 also if the job was not to be had.
    """
    lease = leases.claim(job_id)
    if lease is None:
        return 0
    job = _job(job_id)
    if job.pages_landed == 0 and job.attempts == 0:
        log.info("job started", extra={"job": job.pk, "source": job.source.name, "stream": job.stream.name})
    counter = _Landed()
    try:
        _fetch_pages(job, lease, counter, now=now, until=until, after_landing=after_landing)
    except LeaseLost as lost:
        log.warning("lease lost, nothing written", extra={"job": job_id, "reason": str(lost)})
    except ConnectorError as error:
        _note_failure(lease, error)
    except (DatabaseError, InterfaceError):
        # The lease runs out by itself if PostgreSQL is away; nothing of the page was written.
        log.exception("database error while landing", extra={"job": job_id})
        _note_failure(
            lease,
            TransientError("PostgreSQL was not available or refused the page; it will be fetched again."),
        )
    except SoftTimeLimitExceeded:
        _note_failure(
            lease, TransientError("The source answered too slowly for one page; it will be tried again.")
        )
    except Exception as error:
        log.exception("fetching failed", extra={"job": job_id})
        _note_bug(lease, job, error)
    return counter.pages


def _fetch_pages(
    job: CollectionJob,
    lease: Lease,
    landed: _Landed,
    *,
    now: Callable[[], datetime],
    until: datetime,
    after_landing: Callable[[int], None],
) -> None:
    connector = connector_for(job.source, on_progress=_Renewal(lease))
    try:
        offered = _offered(connector, job)
        if _lay_still(job, offered, now()):
            _land_overlap(job, lease, connector, offered)
        while following := _next_page(lease, now() < until):
            page = _land_next(following.job, lease, connector, offered)
            landed.pages += 1
            if page.state == Page.State.LANDED:
                after_landing(following.pages_waiting)
    finally:
        connector.close()


def _offered(connector: Connector, job: CollectionJob) -> OfferedStream:
    try:
        return connector.stream(job.stream.name)
    except KeyError:
        offered = ", ".join(stream.name for stream in connector.streams())
        raise ConfigError(
            f"{job.source.name} has no stream {job.stream.name!r} any more. It offers: {offered}. "
            "Disable the stream or mend the source's config."
        ) from None


def _next_page(lease: Lease, in_time: bool) -> _NextPage | None:
    """
    Return the job as it is now, or None to stop: ended, cancelled, paused, no time or no room.

    Looks at the row once per page, so that a word of the admin counts at the next page boundary.
    """
    job = _job(lease.job_id, pages_waiting=Subquery(applying.waiting_of(OuterRef("pk"))))
    if job.is_fetched or job.lease_token != lease.token:
        return None
    if job.cancel_requested:
        jobs.end_fetching(lease, outcome=CollectionJob.Status.CANCELLED)
        return None
    waiting: int = getattr(job, "pages_waiting") or 0  # noqa: B009 - annotated
    if not in_time or stopping.is_asked() or job.source.is_paused or waiting >= settings.MAX_PAGES_AHEAD:
        jobs.release(lease)
        return None
    return _NextPage(job, waiting)


def _job(job_id: int, **annotations: Any) -> CollectionJob:
    # The connector alone needs the credentials, and reads them where a lost key can be told.
    jobs_with_names = CollectionJob.objects.select_related("source", "stream").defer("source__credentials")
    return jobs_with_names.annotate(**annotations).get(pk=job_id)


def _land_next(job: CollectionJob, lease: Lease, connector: Connector, offered: OfferedStream) -> Page:
    """Fetch one page outside any transaction, land it inside one."""
    started = time.monotonic()
    fetched = connector.fetch(offered, _request(job, job.cursor))
    fetch_ms = int((time.monotonic() - started) * 1000)
    return landing.land(job, lease, fetched, fetch_ms=fetch_ms)


def _lay_still(job: CollectionJob, offered: OfferedStream, now: datetime) -> bool:
    """Tell whether rows may have moved between counted pages since the last one."""
    if offered.is_safely_resumable or job.cursor is None or job.progress_at is None:
        return False
    return now - job.progress_at > STILL


def _land_overlap(job: CollectionJob, lease: Lease, connector: Connector, offered: OfferedStream) -> None:
    """Read the page before the cursor again: rows that moved forward meanwhile would be missed."""
    previous = Page.objects.filter(job=job, pass_number=job.pass_number, is_overlap=False).latest("number")
    page = connector.fetch(offered, _request(job, previous.cursor))
    landing.land_overlap(job, lease, page)


def _request(job: CollectionJob, cursor: str | None) -> FetchRequest:
    is_incremental = job.mode == CollectionJob.Mode.INCREMENTAL
    return FetchRequest(
        cursor=cursor,
        window_start=job.window_start,
        window_end=job.window_end,
        page_size=job.stream.page_size,
        stream_state=job.stream.state if is_incremental else {},
    )


def _note_failure(lease: Lease, error: ConnectorError) -> None:
    job = CollectionJob.objects.get(pk=lease.job_id)
    log.warning("fetch failed", extra={"job": job.pk, "reason": str(error)})
    try:
        if isinstance(error, CursorExpired):
            jobs.start_over(lease, job, error)
        else:
            jobs.put_off(lease, job, error)
    except LeaseLost:
        log.warning("lease lost, failure not noted", extra={"job": job.pk})


def _note_bug(lease: Lease, job: CollectionJob, error: Exception) -> None:
    message = (
        f"{type(error).__name__} in the {job.source.connector} connector: {error}. This is a mistake in the "
        "connector; the worker log has the trace. What arrived so far is kept."
    )
    try:
        jobs.end_fetching(lease, outcome=CollectionJob.Status.FAILED, error_type="bug", error=message)
    except LeaseLost:
        log.warning("lease lost, failure not noted", extra={"job": job.pk})
