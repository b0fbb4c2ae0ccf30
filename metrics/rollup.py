"""Rollups are recomputed for the days a run touched, never incremented: run twice, same numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Min

from ingest.models import REFINED_MODELS, CollectionJob, Page


@dataclass(slots=True)
class Touched:
    """What a set of pages changed, per kind."""

    days: dict[str, set[str]] = field(default_factory=dict)
    kinds_with_new: set[str] = field(default_factory=set)


def count_job(job: CollectionJob, *, now: datetime, at_most_every: timedelta) -> Touched | None:
    """
    Recount the days touched by the job's applied pages and mark those pages counted.

    While the run goes on this waits until the oldest uncounted page is older than `at_most_every`, and in
    long runs longer: a first load touches the same days all the time, and counting them anew every half
    minute would grow with the square of its length. Returns what was touched, None if nothing was due.
    """
    applied = Page.objects.filter(job=job, state=Page.State.APPLIED)
    oldest = applied.aggregate(oldest=Min("applied_at"))["oldest"]
    if oldest is None:
        return None
    is_drained = job.is_fetched and not Page.objects.filter(job=job, state=Page.State.LANDED).exists()
    if not is_drained and now - oldest < _patience(job, now, at_most_every):
        return None
    with transaction.atomic():
        pages = list(applied.select_for_update(skip_locked=True))
        touched = _touched(pages)
        recount(job.source_id, touched.days)
        Page.objects.filter(pk__in=[page.pk for page in pages]).update(state=Page.State.COUNTED)
    return touched


def _patience(job: CollectionJob, now: datetime, at_most_every: timedelta) -> timedelta:
    so_far = now - job.started_at if job.started_at else timedelta(0)
    return max(at_most_every, min(so_far / 4, at_most_every * 20))


def _touched(pages: Iterable[Page]) -> Touched:
    touched = Touched()
    for page in pages:
        for kind, effect in page.effects.items():
            days = touched.days.setdefault(kind, set())
            days.update(effect["days"])
            if page.applied_at:
                days.add(page.applied_at.date().isoformat())
            if effect["new"]:
                touched.kinds_with_new.add(kind)
    return touched


def recount(source_id: int, days_by_kind: dict[str, set[str]]) -> None:
    """Write the metrics of these days anew from refined rows and pages, in the caller's transaction."""
    for kind, days in sorted(days_by_kind.items()):
        ordered = sorted(date.fromisoformat(day) for day in days)
        if not ordered:
            continue
        # Two workers must not write an older count over a newer one; whoever waits reads afresh.
        _run("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"metrics {source_id} {kind}"])
        _recount_records(source_id, kind, ordered)
        _recount_activity(source_id, kind, ordered)
        if kind == "order":
            _recount_revenue(source_id, ordered)


def _recount_records(source_id: int, kind: str, days: list[date]) -> None:
    _run(
        f"""
        INSERT INTO metrics_dailymetric (source_id, kind, day, records, new, changed, failed)
        SELECT %(source)s, %(kind)s, wanted.day, COALESCE(counted.records, 0), 0, 0, 0
          FROM unnest(%(days)s::date[]) wanted (day)
          -- Counted before it is joined: joined row by row a first load of lines took seconds.
          LEFT JOIN (
            SELECT day, count(*) AS records FROM {REFINED_MODELS[kind]._meta.db_table}
             WHERE source_id = %(source)s AND day = ANY(%(days)s::date[]) AND deleted_at IS NULL
             GROUP BY day
          ) counted ON counted.day = wanted.day
         ORDER BY wanted.day
        ON CONFLICT (source_id, kind, day) DO UPDATE SET records = EXCLUDED.records
        """,  # noqa: S608 - our own table name
        {"source": source_id, "kind": kind, "days": days},
    )


def _recount_activity(source_id: int, kind: str, days: list[date]) -> None:
    # Pages are pruned after a while; only days that still have pages are counted again.
    _run(
        """
        UPDATE metrics_dailymetric metric
           SET new = counted.new, changed = counted.changed, failed = counted.failed
          FROM (
            SELECT (page.applied_at AT TIME ZONE 'UTC')::date AS day,
                   sum((page.effects -> %(kind)s ->> 'new')::bigint) AS new,
                   sum((page.effects -> %(kind)s ->> 'changed')::bigint) AS changed,
                   sum((page.effects -> %(kind)s ->> 'failed')::bigint) AS failed
              FROM ingest_page page JOIN ingest_collectionjob job ON job.id = page.job_id
             WHERE job.source_id = %(source)s AND page.effects ? %(kind)s
               AND page.applied_at >= %(first)s AND page.applied_at < %(last)s::date + 1
             GROUP BY 1
          ) counted
         WHERE metric.source_id = %(source)s AND metric.kind = %(kind)s
           AND metric.day = counted.day AND metric.day = ANY(%(days)s::date[])
        """,
        {"source": source_id, "kind": kind, "days": days, "first": days[0], "last": days[-1]},
    )


def _recount_revenue(source_id: int, days: list[date]) -> None:
    parameters = {"source": source_id, "days": days}
    _run(
        "DELETE FROM metrics_dailyrevenue WHERE source_id = %(source)s AND day = ANY(%(days)s::date[])",
        parameters,
    )
    _run(
        """
        INSERT INTO metrics_dailyrevenue (source_id, day, currency, orders, amount)
        SELECT source_id, day, currency, count(*), sum(total_amount)
          FROM ingest_order
         WHERE source_id = %(source)s AND day = ANY(%(days)s::date[]) AND deleted_at IS NULL
           AND cancelled_at IS NULL AND currency IS NOT NULL AND total_amount IS NOT NULL
         GROUP BY source_id, day, currency ORDER BY day, currency
        """,
        parameters,
    )


def _run(sql: str, parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
