"""The admin's first page: how the sources stand, what runs, what failed, records per day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from ingest.admin import cells, progress
from ingest.admin.base import table
from ingest.admin.paging import bounded_count
from ingest.admin.sources import freshness_label, letters_link
from ingest.admin.standing import COLOURS, Standing, standings
from ingest.models import CollectionJob, FailedSync, Source
from metrics.models import DailyMetric
from syncproject.chart import stacked_days

SOURCES_SHOWN = 25
#: Where not all fit, those in trouble come first.
SOURCES_LOOKED_AT = 200
TROUBLE = {"red": 2, "orange": 1}
JOBS_SHOWN = 10
JOBS_SUMMED = 20_000
LETTERS_COUNTED = 10_000
CHART_DAYS = 30


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the first page what this person may see."""
    now = timezone.now()
    tiles: list[tuple[str, object]] = []
    panels: list[Any] = []
    if _may_see(request, "ingest", "source"):
        _add_sources(tiles, panels, now)
    if _may_see(request, "ingest", "collectionjob"):
        _add_jobs(tiles, panels, now)
    if _may_see(request, "ingest", "failedsync"):
        open_ones = FailedSync.objects.filter(resolved_at__isnull=True)
        shown = cells.at_most(bounded_count(open_ones, limit=LETTERS_COUNTED), LETTERS_COUNTED)
        tiles.append(("open dead letters", cells.list_link(FailedSync, shown)))
    chart = _chart(now) if _may_see(request, "metrics", "dailymetric") else None
    flower_url = getattr(settings, "FLOWER_URL", "")
    return {
        **context,
        "title": "Dashboard",
        "tiles": tiles,
        "panels": panels,
        "chart": chart,
        "flower_url": flower_url,
    }


def _may_see(request: HttpRequest, app: str, model: str) -> bool:
    return any(request.user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))


def _add_sources(tiles: list[tuple[str, object]], panels: list[Any], now: datetime) -> None:
    sources = list(Source.objects.defer("config", "credentials").order_by("name")[:SOURCES_LOOKED_AT])
    by_id = standings(sources, now=now)
    if len(sources) > SOURCES_SHOWN:
        sources.sort(key=lambda source: -TROUBLE.get(COLOURS[by_id[source.pk].status], 0))
    oldest = [standing.freshness for standing in by_id.values() if standing.freshness is not None]
    tiles.append(("oldest freshness", cells.span(max(oldest, default=None))))
    panels.append(
        table(
            "Sources",
            headers=("Source", "Status", "Freshness", "Open dead letters", "Live jobs"),
            rows=[_source_row(source, by_id[source.pk]) for source in sources[:SOURCES_SHOWN]],
            more=cells.list_link(Source, "All sources") if len(sources) > SOURCES_SHOWN else "",
        )
    )


def _source_row(source: Source, standing: Standing) -> tuple[object, ...]:
    return (
        cells.change_link(Source, source.pk, source.name),
        cells.label(standing.status, COLOURS[standing.status]),
        freshness_label(standing),
        letters_link(source.pk, standing),
        standing.live_jobs,
    )


def _add_jobs(tiles: list[tuple[str, object]], panels: list[Any], now: datetime) -> None:
    live = list(
        CollectionJob.objects.filter(status__in=CollectionJob.LIVE)
        .select_related("source", "stream")
        .defer("cursor", "stream_state", "source__config", "source__credentials", "stream__state")
        .order_by("-id")[:200]
    )
    rates = [progress.records_per_second(job, now=now) or 0.0 for job in live]
    tiles += [("live jobs", len(live)), ("records/s of live jobs", f"{sum(rates):,.0f}")]
    tiles += _last_day(now)
    panels.append(
        table(
            "Live jobs",
            headers=("Job", "Source / stream", "Status", "Progress", "Records/s", "Duration"),
            rows=[_job_row(job, now) for job in live[:JOBS_SHOWN]],
            more=cells.list_link(CollectionJob, "All jobs"),
        )
    )


def _job_row(job: CollectionJob, now: datetime) -> tuple[object, ...]:
    moving = [progress.part(job, name, now=now) for name in ("status", "progress", "rate", "duration")]
    where = f"{job.source.name} / {job.stream.name}"
    return (cells.change_link(CollectionJob, job.pk, f"job {job.pk}"), where, *moving)


def _last_day(now: datetime) -> list[tuple[str, object]]:
    """Sum the runs that were active in the last 24 hours, among the newest JOBS_SUMMED."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(sum(inserted), 0)::bigint, coalesce(sum(updated), 0)::bigint,
                   coalesce(sum(failed), 0)::bigint
              FROM (SELECT inserted, updated, failed, progress_at FROM ingest_collectionjob
                     ORDER BY id DESC LIMIT %s) newest
             WHERE progress_at >= %s
            """,
            [JOBS_SUMMED, now - timedelta(hours=24)],
        )
        new, changed, failed = cursor.fetchone()
    counted = [("new", new), ("changed", changed), ("failed", failed)]
    return [(f"{name}, last 24 h", cells.number(value)) for name, value in counted]


def _chart(now: datetime) -> dict[str, Any] | None:
    newest = DailyMetric.objects.filter(day__lte=now.date(), records__gt=0).order_by("-day").first()
    if newest is None:
        return None
    first = newest.day - timedelta(days=CHART_DAYS - 1)
    counted = DailyMetric.objects.filter(day__gte=first, day__lte=newest.day).values_list(
        "day", "kind", "records"
    )
    return stacked_days(counted, first=first, days=CHART_DAYS)
