"""cancel: stop jobs at their next page boundary; what arrived so far stays."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from ingest import finishing, jobs
from ingest.management.base import Exit, SyncCommand, refuse, source_named
from ingest.management.described import job_json
from ingest.models import CollectionJob


class Command(SyncCommand):
    help = (
        "Cancel jobs by id, or all live jobs of a source. They stop at their next page; what arrived stays."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("job_ids", nargs="*", type=int, metavar="JOB_ID")
        parser.add_argument("--source", help="all live jobs of this source")

    def act(self, *, job_ids: list[int], source: str | None, **options: Any) -> Exit:
        if bool(job_ids) == bool(source):
            refuse("Give either job ids (see: python manage.py jobs --status live) or --source NAME.")
        found = _live_jobs_of(source) if source else _jobs_with(job_ids)
        ended_before = [job for job in found if not job.is_live]
        jobs.request_cancel(found)
        jobs.end_cancelled()
        for job in found:
            finishing.finish(job.pk)  # those that no worker is at end here and now
        self._tell(_jobs_with([job.pk for job in found]), is_json=options["json"])
        return Exit.FAILED if ended_before else Exit.OK

    def _tell(self, found: list[CollectionJob], *, is_json: bool) -> None:
        for job in found:
            if is_json:
                self.write_json(job_json(job))
            else:
                state = "stops at its next page" if job.is_live else f"has ended: {job.status}"
                self.stdout.write(f"Job {job.pk} ({job.source.name}/{job.stream.name}) {state}")
        if not found and not is_json:
            self.say("No live jobs there.")


def _live_jobs_of(source: str) -> list[CollectionJob]:
    return list(CollectionJob.objects.filter(source=source_named(source), status__in=CollectionJob.LIVE))


def _jobs_with(job_ids: list[int]) -> list[CollectionJob]:
    """:raises CommandError: if one of them does not exist"""
    rows = (
        CollectionJob.objects.select_related("source", "stream")
        .defer("source__credentials")
        .filter(pk__in=job_ids)
    )
    found = {job.pk: job for job in rows}
    missing = [str(job_id) for job_id in job_ids if job_id not in found]
    if missing:
        refuse(f"There is no job {', '.join(missing)}. See: python manage.py jobs --status live")
    return [found[job_id] for job_id in dict.fromkeys(job_ids)]
