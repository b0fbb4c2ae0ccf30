"""Following jobs: by looking at their rows while workers run them, or by running them here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event, Thread

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from ingest import jobs, leases
from ingest.leases import Lease, LeaseLost
from ingest.models import CollectionJob, this_worker
from syncproject import pipeline
from syncproject.progress import Display, Standing, standings

LOOK_EVERY = 0.3  # seconds
PAUSE_WHEN_NOTHING_MOVES = 0.5
PATIENCE = 15.0
NO_WORKER = (
    f"Nothing has moved for {PATIENCE:.0f} s: it seems that no worker is running. Start one with "
    "`celery -A syncproject worker -Q fetch,upsert,metrics,default` and `celery -A syncproject beat`, "
    "or run the jobs in this process with --here."
)

Look = Callable[[datetime, Sequence[Standing]], None]


def follow(job_ids: Sequence[int], *, look: Look, stop: Event) -> None:
    """Look at the jobs again and again until all have ended; once more after `stop`, then no more."""
    is_last = False
    while True:
        now = timezone.now()
        found = standings(job_ids, now=now)
        look(now, found)
        if is_last or not any(one.is_live for one in found):
            return
        is_last = stop.wait(LOOK_EVERY)


class Patience:
    """Complains once when nothing has moved for a while."""

    def __init__(self, *, seconds: float, complain: Callable[[], None]) -> None:
        self._seconds = seconds
        self._complain = complain
        self._seen: Sequence[tuple[object, ...]] = ()
        self._moved_at: datetime | None = None

    def look(self, now: datetime, found: Sequence[Standing]) -> None:
        seen = [one.stage for one in found]
        is_told_to_wait = any(one.is_waiting for one in found)
        if seen != self._seen or is_told_to_wait or self._moved_at is None:
            self._seen, self._moved_at = seen, now
        elif (now - self._moved_at).total_seconds() >= self._seconds:
            self._moved_at = datetime.max.replace(tzinfo=UTC)
            self._complain()


def wait_for(job_ids: Sequence[int], *, display: Display) -> None:
    """Show the jobs until workers have ended them all."""
    patience = Patience(seconds=PATIENCE, complain=lambda: display.note(NO_WORKER))

    def look(now: datetime, found: Sequence[Standing]) -> None:
        display.show(now, found)
        patience.look(now, found)

    with display:
        follow(job_ids, look=look, stop=Event())


def run_here(job_ids: Sequence[int], *, display: Display) -> None:
    """
    Take turns at the jobs in this process until all have ended, and show them meanwhile.

    Ctrl-C gives the jobs back at once: any worker goes on from the latest page.
    """
    stop = Event()
    watcher = Thread(target=_watch, args=(job_ids, display, stop))
    watcher.start()
    try:
        with _given_back_on_interrupt():
            while live := _live(job_ids):
                if not _take_turns(live):
                    stop.wait(PAUSE_WHEN_NOTHING_MOVES)
    finally:
        stop.set()
        watcher.join()


def _watch(job_ids: Sequence[int], display: Display, stop: Event) -> None:
    try:
        with display:
            follow(job_ids, look=display.show, stop=stop)
    except (DatabaseError, InterfaceError):
        """The thread that does the work meets the same and tells."""
    finally:
        connection.close()


def _live(job_ids: Iterable[int]) -> list[CollectionJob]:
    return list(
        CollectionJob.objects.filter(pk__in=list(job_ids), status__in=CollectionJob.LIVE).order_by("pk")
    )


def _take_turns(live: Iterable[CollectionJob]) -> bool:
    """Give each job that is due a turn; tell whether any of them moved."""
    leases.reap()
    jobs.end_cancelled()
    jobs.end_disconnected()
    has_moved = False
    for job in live:
        if job.next_run_at <= timezone.now():
            jobs.note_rung(job.pk, now=timezone.now())  # nobody else need be called
            pipeline.run_here(job.pk, now=timezone.now)
            has_moved = has_moved or _moved_since(job)
    return has_moved


def _moved_since(job: CollectionJob) -> bool:
    now = CollectionJob.objects.get(pk=job.pk)
    return any(
        getattr(now, name) != getattr(job, name)
        for name in ("status", "pages_landed", "pages_applied", "is_fetched", "next_run_at", "pass_number")
    )


@contextmanager
def _given_back_on_interrupt() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        connection.close()  # whatever statement was cut short goes with it
        for job in CollectionJob.objects.filter(lease_holder=this_worker(), lease_until__isnull=False):
            _give_back(Lease(job.pk, job.lease_token))
        raise


def _give_back(lease: Lease) -> None:
    try:
        jobs.release(lease)
    except LeaseLost:
        """Someone has the job already."""
