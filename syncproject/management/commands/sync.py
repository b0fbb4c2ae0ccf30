"""sync: start jobs for a source's streams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from ingest import jobs
from ingest.connecting import connector_for
from ingest.management.base import Exit, refuse, source_named, streams_named
from ingest.management.moments import end_moment, moment
from ingest.models import CollectionJob, Source, SourceStream
from syncproject.management.jobs_command import JobsCommand


class Command(JobsCommand):
    help = (
        "Start a job for each stream of a source: what changed since the latest sync, unless told otherwise."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("source", help="the source's name (see: python manage.py sources)")
        parser.add_argument(
            "--stream", action="append", default=[], metavar="S", help="only this stream; may be given again"
        )
        parser.add_argument("--full", action="store_true", help="everything, whatever was synced before")
        parser.add_argument(
            "--since",
            type=moment,
            metavar="D",
            help="backfill: changed at or after this ISO 8601 date or time (UTC)",
        )
        parser.add_argument(
            "--until",
            type=end_moment,
            metavar="D",
            help="backfill: changed at or before this date (its end) or time",
        )

    def act(
        self,
        *,
        source: str,
        stream: list[str],
        full: bool,
        since: datetime | None,
        until: datetime | None,
        **options: Any,
    ) -> Exit:
        window = _window(since, until, full=full)
        chosen = source_named(source)
        if chosen.is_paused:
            refuse(f"{source} is paused and fetches nothing. Resume it in the admin, then sync.")
        if chosen.needs_reconnect_since:
            refuse(
                f"{source} needs reconnecting: {chosen.needs_reconnect_reason} Then, or to find out more: "
                f"python manage.py testconnection {source}"
            )
        streams = _streams(chosen, stream)
        _check(chosen, streams, window)
        started = [self._start(one, full=full, window=window, options=options) for one in streams]
        return self.carry_out(started, again=f"python manage.py sync {source} --here", options=options)

    def _start(
        self, stream: SourceStream, *, full: bool, window: jobs.Window | None, options: dict[str, Any]
    ) -> CollectionJob:
        job, is_new = jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, full=full, window=window)
        label = f"{stream.source.name}/{stream.name}"
        if not is_new:
            self.say(f"{label}: job {job.pk} ({job.mode.lower()}) is live already; joining it.")
            if full or window:
                self.say(f"To have it your way: python manage.py cancel {job.pk}, then sync again.")
        elif not (options["json"] or options["wait"] or options["here"]):
            self.stdout.write(f"Started job {job.pk} for {label}")
        return job


def _window(since: datetime | None, until: datetime | None, *, full: bool) -> jobs.Window | None:
    """:raises CommandError: if the bounds make no sense"""
    if since is None and until is None:
        return None
    if full:
        refuse("--full means everything, so it goes with neither --since nor --until.")
    if since and until and since > until:
        refuse(f"--since ({since:%Y-%m-%d %H:%M}) is after --until ({until:%Y-%m-%d %H:%M}).")
    return jobs.Window(start=since, end=until)


def _streams(source: Source, names: list[str]) -> list[SourceStream]:
    """:raises CommandError: if there is no such stream, or none to sync"""
    found = streams_named(source, names)
    chosen = found if names else [stream for stream in found if stream.is_enabled]
    if not chosen:
        refuse(f"{source.name} has no enabled stream. Enable one in the admin, or name one with --stream.")
    return chosen


def _check(source: Source, streams: Sequence[SourceStream], window: jobs.Window | None) -> None:
    """
    Find out now what would only end the jobs later.

    :raises ConfigError: if the settings do not fit the connector
    :raises CommandError: if a stream is not offered, or cannot be listed by time
    """
    connector = connector_for(source)
    try:
        offered = {stream.name: stream for stream in connector.streams()}
    finally:
        connector.close()
    for stream in streams:
        if stream.name not in offered:
            refuse(
                f"{source.name} offers no stream {stream.name!r} any more. It offers: {', '.join(offered)}."
            )
        if window and not offered[stream.name].is_incremental:
            refuse(
                f"{source.name}/{stream.name} cannot be listed by time of change: "
                "leave out --since and --until, or choose other streams with --stream."
            )
