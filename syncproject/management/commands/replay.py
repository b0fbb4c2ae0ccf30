"""replay: send dead letters through the current code again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from ingest import replaying
from ingest.management.base import Exit, refuse, source_named, streams_named
from ingest.models import CollectionJob, FailedSync
from syncproject.management.jobs_command import JobsCommand


class Command(JobsCommand):
    help = "Replay open dead letters: all of them, or those of a source, of a stream, or with given ids."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--source", help="only this source's")
        parser.add_argument("--stream", help="only this stream's")
        parser.add_argument(
            "--ids", nargs="+", type=int, metavar="ID", help="only these (see: python manage.py deadletters)"
        )

    def act(self, *, source: str | None, stream: str | None, ids: list[int] | None, **options: Any) -> Exit:
        letters = FailedSync.objects.filter(resolved_at__isnull=True)
        if source or stream:
            streams = streams_named(source_named(source) if source else None, [stream] if stream else [])
            letters = letters.filter(stream__in=[one.pk for one in streams])
        if ids:
            missing = sorted(set(ids) - set(letters.filter(pk__in=ids).values_list("pk", flat=True)))
            if missing:
                refuse(f"Not open there: {', '.join(map(str, missing))}. See: python manage.py deadletters")
            letters = letters.filter(pk__in=ids)
        started = replaying.replay(letters, trigger=CollectionJob.Trigger.COMMAND)
        if not started:
            self.say("There are no open dead letters to replay.")
            return Exit.OK
        if not (options["json"] or options["wait"] or options["here"]):
            for job in started:
                self.stdout.write(f"Started job {job.pk} over {job.fetched} dead letters")
        return self.carry_out(started, again="python manage.py replay --here", options=options)
