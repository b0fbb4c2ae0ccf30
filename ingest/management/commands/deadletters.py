"""deadletters: the records that could not be synced, and why."""

from __future__ import annotations

from typing import Any

import msgspec
from django.core.management.base import CommandParser
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from ingest.management.base import Exit, SyncCommand, source_named, streams_named
from ingest.models import FailedSync

COLUMNS = [
    "letter",
    "source",
    "stream",
    "external id",
    "error type",
    "error",
    "attempts",
    "last failed",
    "resolution",
]
SHOWN = 50


class Command(SyncCommand):
    help = "List open dead letters, newest first. With --json each comes with its record."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--source", help="only this source's")
        parser.add_argument("--stream", help="only this stream's")
        parser.add_argument("--all", action="store_true", help="resolved ones too")
        parser.add_argument(
            "--limit", type=int, metavar="N", help=f"at most N (default: {SHOWN}; with --json all)"
        )

    def act(self, *, source: str | None, stream: str | None, limit: int | None, **options: Any) -> Exit:
        letters = FailedSync.objects.select_related("source", "stream").defer(
            "source__credentials", "raw_data"
        )
        if source or stream:
            streams = streams_named(source_named(source) if source else None, [stream] if stream else [])
            letters = letters.filter(stream__in=[one.pk for one in streams])
        if not options["all"]:
            letters = letters.filter(resolved_at__isnull=True)
        letters = letters.order_by("-id")
        if options["json"]:
            self._write_lines(letters[:limit])
        else:
            self._write_table(letters, SHOWN if limit is None else max(limit, 0))
        return Exit.OK

    def _write_lines(self, letters: QuerySet[FailedSync]) -> None:
        # As text and put in unread: no decoder on the way makes floats of money.
        for letter in letters.annotate(record=Cast("raw_data", TextField())).iterator(chunk_size=500):
            self.write_json(_described(letter))

    def _write_table(self, letters: QuerySet[FailedSync], limit: int) -> None:
        shown = list(letters[: limit + 1])
        if not shown:
            self.say("No dead letters.")
            return
        self.write_table(COLUMNS, [_row(letter) for letter in shown[:limit]])
        if len(shown) > limit:
            self.say(f"There are more than these {limit}; see them with --limit N or --json.")


def _row(letter: FailedSync) -> tuple[Any, ...]:
    return (
        str(letter.pk),
        letter.source.name,
        letter.stream.name,
        letter.external_id,
        letter.error_type,
        letter.error,
        letter.attempts,
        letter.last_failed_at,
        letter.resolution.lower() or "open",
    )


def _described(letter: Any) -> dict[str, Any]:
    return {
        "id": letter.pk,
        "source": letter.source.name,
        "stream": letter.stream.name,
        "kind": letter.kind,
        "external_id": letter.external_id,
        "error_type": letter.error_type,
        "error": letter.error,
        "attempts": letter.attempts,
        "job": letter.job_id,
        "created_at": letter.created_at,
        "last_failed_at": letter.last_failed_at,
        "resolved_at": letter.resolved_at,
        "resolution": letter.resolution,
        "raw_data": msgspec.Raw(letter.record.encode()),
    }
