"""jobs: the runs, newest first."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from ingest.management.base import Exit, SyncCommand, source_named, streams_named
from ingest.management.described import job_json
from ingest.models import CollectionJob

COLUMNS = [
    "job",
    "source",
    "stream",
    "mode",
    "status",
    "fetched",
    "new",
    "changed",
    "failed",
    "started",
    "error",
]


class Command(SyncCommand):
    help = "List jobs, newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--source", help="only this source's")
        parser.add_argument("--stream", help="only this stream's")
        parser.add_argument(
            "--status",
            type=str.upper,
            choices=[*CollectionJob.Status.values, "LIVE"],
            metavar="STATUS",
            help="one of "
            + ", ".join(CollectionJob.Status.values).lower()
            + "; or live: pending and running",
        )
        parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most N (default: 20)")

    def act(
        self, *, source: str | None, stream: str | None, status: str | None, limit: int, **options: Any
    ) -> Exit:
        found = CollectionJob.objects.select_related("source", "stream").defer("source__credentials")
        if source or stream:
            streams = streams_named(source_named(source) if source else None, [stream] if stream else [])
            found = found.filter(stream__in=[one.pk for one in streams])
        if status:
            found = found.filter(status__in=CollectionJob.LIVE if status == "LIVE" else [status])
        jobs = found.order_by("-id")[: max(limit, 0)]
        if options["json"]:
            for job in jobs:
                self.write_json(job_json(job))
        else:
            self.write_table(COLUMNS, [_row(job) for job in jobs])
        return Exit.OK


def _row(job: CollectionJob) -> tuple[Any, ...]:
    return (
        str(job.pk),
        job.source.name,
        job.stream.name,
        job.mode.lower(),
        job.status.lower(),
        job.fetched,
        job.inserted,
        job.updated,
        job.failed,
        job.started_at,
        job.error,
    )
