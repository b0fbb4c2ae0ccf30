"""sources: what is configured, and how each source is doing."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from ingest.management.base import Exit, SyncCommand
from ingest.models import CollectionJob, FailedSync, Source, SourceStream

COLUMNS = [
    "source",
    "connector",
    "streams",
    "live jobs",
    "latest job",
    "synced up to",
    "dead letters",
    "stopped",
]


class Command(SyncCommand):
    help = "List sources: their streams, live jobs, latest success, open dead letters."

    def act(self, **options: Any) -> Exit:
        sources = Source.objects.defer("credentials").prefetch_related("streams").order_by("name")
        live = _counted(CollectionJob.objects.filter(status__in=CollectionJob.LIVE))
        letters = _counted(FailedSync.objects.filter(resolved_at__isnull=True))
        found = [
            _described(source, live_jobs=live[source.pk], dead_letters=letters[source.pk])
            for source in sources
        ]
        if options["json"]:
            for one in found:
                self.write_json(one)
        elif found:
            self.write_table(COLUMNS, [_row(one) for one in found])
        else:
            self.say(
                "There are no sources yet. Make one: python manage.py addsource NAME CONNECTOR --config ..."
            )
        return Exit.OK


def _counted(rows: Any) -> Counter[int]:
    return Counter(dict(rows.order_by().values_list("source").annotate(Count("pk"))))


def _described(source: Source, *, live_jobs: int, dead_letters: int) -> dict[str, Any]:
    streams = sorted(source.streams.all(), key=lambda stream: stream.name)
    successes = [stream.last_success_at for stream in streams if stream.is_enabled]
    latest = source.jobs.filter(~Q(status__in=CollectionJob.LIVE)).order_by("-id").first()
    return {
        "name": source.name,
        "connector": source.connector,
        "is_paused": source.is_paused,
        "needs_reconnect_since": source.needs_reconnect_since,
        "live_jobs": live_jobs,
        "latest_status": latest.status if latest else None,
        "last_success_at": _furthest_behind(successes),
        "open_dead_letters": dead_letters,
        "streams": [_stream(stream) for stream in streams],
    }


def _furthest_behind(successes: list[datetime | None]) -> datetime | None:
    """Return the success of the stream that is furthest behind; None if one never succeeded."""
    known = [success for success in successes if success is not None]
    return min(known, default=None) if len(known) == len(successes) else None


def _stream(stream: SourceStream) -> dict[str, Any]:
    return {
        "name": stream.name,
        "kind": stream.kind,
        "mode": stream.mode,
        "schedule": stream.schedule,
        "is_enabled": stream.is_enabled,
        "watermark": stream.watermark,
        "last_success_at": stream.last_success_at,
        "next_run_at": stream.next_run_at,
    }


def _row(one: dict[str, Any]) -> tuple[Any, ...]:
    return (
        one["name"],
        one["connector"],
        ", ".join(stream["name"] for stream in one["streams"]),
        one["live_jobs"],
        one["latest_status"],
        one["last_success_at"] or "never",
        one["open_dead_letters"],
        "needs reconnecting" if one["needs_reconnect_since"] else "paused" if one["is_paused"] else "no",
    )
