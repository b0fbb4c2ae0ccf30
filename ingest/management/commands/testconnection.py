"""testconnection: a fresh token and at once the data, step by step, with what each step says."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from ingest import probing
from ingest.management.base import Exit, SyncCommand, source_named
from ingest.management.text import one_line

PATIENCE = timedelta(minutes=5)


class Command(SyncCommand):
    help = (
        "Test the way in to a source: its credentials, a fresh token, the scopes, and one record of each "
        "enabled stream. Tells a stale token, a missing scope and the wrong kind of key apart."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("source", help="the source's name (see: python manage.py sources)")

    def act(self, *, source: str, **options: Any) -> Exit:
        until = timezone.now() + PATIENCE
        is_ok = True
        for check in probing.probe(source_named(source), now=timezone.now, until=until):
            is_ok = is_ok and check.is_ok
            if options["json"]:
                self.write_json({**asdict(check), "seconds": round(check.seconds, 3)})
            else:
                mark = "FAILED" if not check.is_ok else "ok    " if check.is_taken else "-     "
                self.stdout.write(f"{mark} {check.name} ({check.seconds:.2f} s): {one_line(check.told)}")
        return Exit.OK if is_ok else Exit.FAILED
