"""What sync and replay share: ring for workers, wait for them, or do the work here; then tell how it went."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from ingest import jobs
from ingest.management.base import Exit, SyncCommand, log_from
from ingest.management.described import job_json
from ingest.models import CollectionJob
from syncproject import following, pipeline
from syncproject.progress import display_for

COLUMNS = ["job", "stream", "status", "fetched", "new", "changed", "unchanged", "dead letters", "error"]


class JobsCommand(SyncCommand):
    """A command that starts jobs."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        how = parser.add_mutually_exclusive_group()
        how.add_argument(
            "--wait", action="store_true", help="wait until the workers are done, showing progress"
        )
        how.add_argument("--here", action="store_true", help="do the work in this process; needs no worker")

    def carry_out(self, started: Sequence[CollectionJob], *, again: str, options: dict[str, Any]) -> Exit:
        """Run the jobs as the options say; `again` is the command that goes on after an interruption."""
        job_ids = [job.pk for job in started]
        try:
            if options["here"]:
                with log_from(logging.ERROR):  # the display tells what the warnings say
                    following.run_here(job_ids, display=display_for(self.aside))
            else:
                _ring_for(job_ids)
                if options["wait"]:
                    following.wait_for(job_ids, display=display_for(self.aside))
        except KeyboardInterrupt:
            self._tell_interrupted(job_ids, again=again, is_here=options["here"])
            return Exit.INTERRUPTED
        ended = _loaded(job_ids)
        if options["json"]:
            for job in ended:
                self.write_json(job_json(job))
        elif options["here"] or options["wait"]:
            self.write_table(COLUMNS, [_row(job) for job in ended])
        return _exit_code(ended)

    def _tell_interrupted(self, job_ids: Sequence[int], *, again: str, is_here: bool) -> None:
        named, ids = ", ".join(map(str, job_ids)), " ".join(map(str, job_ids))
        if is_here:
            self.say(f"Interrupted. Every page that arrived is kept; go on from there with: {again}")
        else:
            self.say(
                f"No longer watching; workers go on with {named}. To stop: python manage.py cancel {ids}"
            )


def _ring_for(job_ids: Sequence[int]) -> None:
    for job_id in job_ids:
        if jobs.note_rung(job_id, now=timezone.now()):
            pipeline.ring(pipeline.page_chain(job_id))


def _loaded(job_ids: Sequence[int]) -> list[CollectionJob]:
    rows = CollectionJob.objects.select_related("source", "stream").defer("source__credentials")
    return list(rows.filter(pk__in=job_ids).order_by("pk"))


def _exit_code(ended: Sequence[CollectionJob]) -> Exit:
    statuses = CollectionJob.Status
    found = {job.status for job in ended}
    if found & {statuses.FAILED, statuses.CANCELLED, statuses.QUARANTINED}:
        return Exit.FAILED
    return Exit.PARTIAL if statuses.PARTIAL in found else Exit.OK


def _row(job: CollectionJob) -> tuple[Any, ...]:
    return (
        str(job.pk),
        f"{job.source.name}/{job.stream.name}",
        job.status,
        job.fetched,
        job.inserted,
        job.updated,
        job.unchanged,
        job.failed,
        job.error,
    )
