"""Fetching: one worker's turn at a job, page after page until its slice is over or writers fall behind."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from connectors.base import Connector, Deletes, FetchRequest
from connectors.base import Stream as OfferedStream
from connectors.errors import (
    ConfigError,
    ConnectorError,
    CursorExpired,
    NeedsReconnect,
    PaginationLoop,
    TransientError,
)
from ingest import applying, budgets, jobs, landing, leases, reports, stopping, tokens, waiting
from ingest.checkpoints import NewPage, Standing
from ingest.connecting import connector_for
from ingest.leases import Lease, LeaseLost
from ingest.models import CollectionJob, Page
from ingest.reading import Ahead, Progress, Read, Reader

log = logging.getLogger(__name__)

STILL = timedelta(minutes=1)
# Below this an answer is there before a thread is worth its while.
WORTH_ASKING_AHEAD = 0.002  # seconds
# From here on always, but so late that landing is done before the answer is there.
FAR_AWAY = 0.02  # seconds
# One landing that was held up says little about the next; two are enough to go by.
LANDINGS_REMEMBERED = 2


@dataclass(slots=True)
class _Landed:
    """How many pages landed, also when the slice ended in an error."""

    pages: int = 0


class _Turn:
    """A worker's time for one job: its slice, or less if others wait for a worker."""

    def __init__(self, landed: _Landed, *, now: Callable[[], datetime], until: datetime) -> None:
        self._landed = landed
        self._now = now
        self._until = until
        self._look_at = time.monotonic() + settings.SHARE_SECONDS
        self._is_over = False

    def is_over(self) -> bool:
        """Tell whether no further page is to be asked for; once over, it stays so."""
        self._is_over = self.is_out_of_time() or self._makes_way()
        return self._is_over

    def is_out_of_time(self) -> bool:
        """Tell the same without a look at who waits, which is for the worker's own thread."""
        return self._is_over or self._now() >= self._until or stopping.is_asked()

    def _makes_way(self) -> bool:
        # With nothing landed it would come back as it went, and again, as long as the others wait.
        if not self._landed.pages or time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + settings.SHARE_SECONDS  # fast sources have many pages a second
        return jobs.anyone_waits(now=self._now())


class _Pace:
    """When the next page is to be asked for, by how long pages took to come and to land."""

    def __init__(self, job: CollectionJob, turn: _Turn) -> None:
        self._job = job
        self._turn = turn
        self._landings: deque[float] = deque(maxlen=LANDINGS_REMEMBERED)
        self.standing = _standing(job)

    def note_landing(self, seconds: float, standing: Standing) -> None:
        self._landings.append(seconds)
        self.standing = standing

    def ahead_of(self, read: Read) -> Ahead | None:
        """Return what to ask for while this page lands; called while nothing else lands."""
        after = _seconds_before_asking_ahead(read, self._landings, self.standing)
        if after is None or self._turn.is_out_of_time():
            return None
        return Ahead(_request(self._job, read.page.next_cursor), after)


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
        _note_refusal(lease, job, error)
    except (DatabaseError, InterfaceError):
        # Nothing of the page was written.
        log.exception("database error while landing", extra={"job": job_id})
        _forget_a_dead_connection()
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
    turn = _Turn(landed, now=now, until=until)
    progress = Progress(lease)
    connector = connector_for(job.source, on_progress=progress)
    reader = None
    try:
        offered = _offered(connector, job)
        if _lay_still(job, offered, now()):
            _land_overlap(job, lease, connector, offered)
        pace = _Pace(job, turn)
        reader = Reader(connector, offered, progress, pace.ahead_of)
        while _may_go_on(lease, pace.standing, has_time=not turn.is_over() or reader.has_asked_ahead):
            read = reader.read(_request(job, job.cursor))
            started = time.monotonic()
            page, standing = _land(job, lease, read, offered)
            pace.note_landing(time.monotonic() - started, standing)
            landed.pages += 1
            if page.state == Page.State.LANDED:
                after_landing(standing.pages_waiting - 1)
            if job.cursor is None:
                return
    finally:
        if reader is not None:
            reader.close()
        connector.close()
        budgets.note(job.source_id)


def _land(job: CollectionJob, lease: Lease, read: Read, offered: OfferedStream) -> tuple[NewPage, Standing]:
    keeps_ids = job.mode == CollectionJob.Mode.FULL and offered.deletes is Deletes.FULL_PASS
    try:
        return landing.land(job, lease, read.page, fetch_ms=int(read.seconds * 1000), keeps_ids=keeps_ids)
    except PaginationLoop:
        # Who lost the job meanwhile meets the pages of the next worker: a lost lease, no loop.
        leases.renew(lease)
        raise


def _seconds_before_asking_ahead(read: Read, landings: Sequence[float], standing: Standing) -> float | None:
    """
    Return when the next page is to be asked for while this one lands; None if only after it has landed.

    Only if the page will have room, too: what was asked for is landed, unless the worker dies.
    """
    has_room = standing.pages_waiting + 1 < settings.MAX_PAGES_AHEAD
    if not landings or not has_room or read.page.next_cursor is None or read.seconds < WORTH_ASKING_AHEAD:
        return None
    if read.seconds >= FAR_AWAY:
        return max(0.0, max(landings) - read.seconds)
    # Only where landing is done before the answer comes: a worker's death then costs one page that had come.
    return 0.0 if read.seconds > landings[-1] else None


def _offered(connector: Connector, job: CollectionJob) -> OfferedStream:
    try:
        return connector.stream(job.stream.name)
    except KeyError:
        offered = ", ".join(stream.name for stream in connector.streams())
        raise ConfigError(
            f"{job.source.name} has no stream {job.stream.name!r} any more. It offers: {offered}. "
            "Disable the stream or mend the source's config."
        ) from None


def _standing(job: CollectionJob) -> Standing:
    return Standing(job.cancel_requested, job.source.is_paused, applying.pages_waiting(job.pk))


def _may_go_on(lease: Lease, standing: Standing, *, has_time: bool) -> bool:
    """
    Tell whether one more page is to be fetched; if not, give the job back.

    The job's row is looked at with every page, so that a word of the admin counts at the next page boundary.
    """
    if standing.cancel_requested:
        jobs.end_fetching(lease, outcome=CollectionJob.Status.CANCELLED)
        return False
    is_full = standing.pages_waiting >= settings.MAX_PAGES_AHEAD
    if not has_time or standing.is_paused or is_full:
        jobs.release(lease)
        return False
    return True


def _job(job_id: int) -> CollectionJob:
    # The connector alone needs the credentials, and reads them where a lost key can be told.
    jobs_with_names = CollectionJob.objects.select_related("source", "stream").defer("source__credentials")
    return jobs_with_names.get(pk=job_id)


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


def _note_refusal(lease: Lease, job: CollectionJob, error: ConnectorError) -> None:
    """Note what the provider did to this job, and spare it the source's other jobs while it is down."""
    with _noting(lease):
        if isinstance(error, NeedsReconnect):
            tokens.needs_reconnect(job.source_id, str(error), access_version=job.source.access_version)
        _put_off(lease, error)
        reports.note_refused(job.pk, error)
        if isinstance(error, TransientError):
            waiting.spare(job)


def _note_failure(lease: Lease, error: ConnectorError) -> None:
    with _noting(lease):
        _put_off(lease, error)


def _put_off(lease: Lease, error: ConnectorError) -> None:
    log.warning("fetch failed", extra={"job": lease.job_id, "reason": str(error)})
    job = CollectionJob.objects.get(pk=lease.job_id)
    if isinstance(error, CursorExpired):
        jobs.start_over(lease, job, error)
    else:
        waiting.put_off(lease, job, error)


def _note_bug(lease: Lease, job: CollectionJob, error: Exception) -> None:
    message = (
        f"{type(error).__name__} in the {job.source.connector} connector: {error}. This is a mistake in the "
        "connector; the worker log has the trace. What arrived so far is kept."
    )
    with _noting(lease):
        jobs.end_fetching(lease, outcome=CollectionJob.Status.FAILED, error_type="bug", error=message)


def _forget_a_dead_connection() -> None:
    # Inside a caller's transaction Django would take this for a reason to give it up.
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


@contextmanager
def _noting(lease: Lease) -> Iterator[None]:
    """Write on the job's row how its turn ended, as far as that can be done."""
    try:
        yield
    except LeaseLost:
        log.warning("lease lost, failure not noted", extra={"job": lease.job_id})
    except (DatabaseError, InterfaceError):
        log.warning("PostgreSQL is away; the lease runs out by itself", extra={"job": lease.job_id})
