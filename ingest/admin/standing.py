"""How sources stand: one word, how fresh they are, what is open; three queries for any number of sources."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import OuterRef, Subquery

from connectors.errors import NotReady
from ingest import schedules
from ingest.models import CollectionJob, Source, SourceStream

LETTERS_COUNTED = 1_000

COLOURS = {
    "needs reconnect": "red",
    "ok": "green",
    "running": "blue",
    "waiting to retry": "orange",
    "partial": "orange",
    "failing": "red",
    "paused": "grey",
    "never synced": "grey",
}
FAILURES = (CollectionJob.Status.FAILED, CollectionJob.Status.QUARANTINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    status: str
    #: Since the last success of the enabled stream that waits longest; None when one never had any.
    freshness: timedelta | None
    #: An enabled stream missed its schedule twice.
    is_stale: bool
    open_letters: int
    live_jobs: int


def standings(sources: Sequence[Source], *, now: datetime) -> dict[int, Standing]:
    """Return each source's standing by its id."""
    ids = [source.pk for source in sources]
    streams = _streams(ids)
    live = _live_jobs(ids)
    letters = open_letters(ids)
    return {
        source.pk: Standing(
            status=_status(source, streams[source.pk], live[source.pk], now),
            freshness=_freshness(streams[source.pk], now),
            is_stale=any(is_stale(stream, now=now) for stream in streams[source.pk]),
            open_letters=letters[source.pk],
            live_jobs=len(live[source.pk]),
        )
        for source in sources
    }


def is_stale(stream: SourceStream, *, now: datetime) -> bool:
    """Tell whether the stream's last success is older than two turns of its schedule."""
    if stream.last_success_at is None:
        return False
    try:
        first = schedules.next_run(stream.schedule, after=stream.last_success_at)
        second = schedules.next_run(stream.schedule, after=first) if first else None
    except schedules.BadSchedule:
        return True
    return second is not None and second < now


def open_letters(source_ids: list[int]) -> Counter[int]:
    """Return how many dead letters are open by source, counting to LETTERS_COUNTED + 1 at most."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.id, (SELECT count(*) FROM (
                     SELECT 1 FROM ingest_failedsync letter
                      WHERE letter.source_id = wanted.id AND letter.resolved_at IS NULL LIMIT %s) few)
              FROM unnest(%s::bigint[]) wanted (id)
            """,
            [LETTERS_COUNTED + 1, source_ids],
        )
        return Counter(dict(cursor.fetchall()))


def _streams(source_ids: list[int]) -> dict[int, list[SourceStream]]:
    ended = (
        CollectionJob.objects.filter(stream=OuterRef("pk"))
        .exclude(status__in=CollectionJob.LIVE)
        .exclude(mode=CollectionJob.Mode.REPLAY)
        .order_by("-id")
    )
    streams = (
        SourceStream.objects.filter(source__in=source_ids, is_enabled=True)
        .defer("state")
        .annotate(latest_status=Subquery(ended.values("status")[:1]))
    )
    by_source: dict[int, list[SourceStream]] = defaultdict(list)
    for stream in streams:
        by_source[stream.source_id].append(stream)
    return by_source


def _live_jobs(source_ids: list[int]) -> dict[int, list[CollectionJob]]:
    jobs = CollectionJob.objects.filter(source__in=source_ids, status__in=CollectionJob.LIVE)
    by_source: dict[int, list[CollectionJob]] = defaultdict(list)
    for job in jobs.only("source", "stream", "status", "error_type", "next_run_at"):
        by_source[job.source_id].append(job)
    return by_source


def _status(
    source: Source, streams: Iterable[SourceStream], live: Iterable[CollectionJob], now: datetime
) -> str:
    if source.needs_reconnect_since or source.is_paused:
        return "needs reconnect" if source.needs_reconnect_since else "paused"
    if any(waits_to_retry(job, now=now) for job in live):
        return "waiting to retry"
    at_it = {job.stream_id for job in live}
    # An enabled stream that is being tried again right now is no longer called failing.
    latest = {getattr(stream, "latest_status", None) for stream in streams if stream.pk not in at_it}
    if latest & set(FAILURES):
        return "failing"
    if at_it:
        return "running"
    if CollectionJob.Status.PARTIAL in latest:
        return "partial"
    return "ok" if any(stream.last_success_at for stream in streams) else "never synced"


def waits_to_retry(job: CollectionJob, *, now: datetime) -> bool:
    """Tell whether it failed and waits; a report that is being made is no failure."""
    is_put_off = job.status == CollectionJob.Status.PENDING and job.next_run_at > now
    return is_put_off and job.error_type not in ("", NotReady.error_type)


def _freshness(streams: Sequence[SourceStream], now: datetime) -> timedelta | None:
    successes = [stream.last_success_at for stream in streams]
    known = [moment for moment in successes if moment is not None]
    if not known or len(known) < len(successes):
        return None
    return now - min(known)
