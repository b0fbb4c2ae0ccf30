"""records: refined rows as JSON lines, any number of them, numbers exact."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from connectors.kinds import KIND_ALIASES
from ingest.management.base import Exit, SyncCommand, refuse, source_named
from ingest.management.moments import moment
from ingest.models import REFINED_MODELS, RefinedRecord, Source

ROWS_PER_FETCH = 2_000


class Command(SyncCommand):
    help = "Print the refined rows of a kind as JSON lines, oldest first. Money and amounts are JSON numbers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", help="one of: " + ", ".join(REFINED_MODELS))
        parser.add_argument("--source", help="only this source's")
        parser.add_argument("--limit", type=int, metavar="N", help="at most N")
        parser.add_argument(
            "--since", type=moment, metavar="D", help="synced at or after this ISO 8601 date or time (UTC)"
        )
        parser.add_argument("--json", action="store_true", default=True, help="records are always JSON lines")

    def act(
        self, *, kind: str, source: str | None, limit: int | None, since: datetime | None, **options: Any
    ) -> Exit:
        model = REFINED_MODELS.get(KIND_ALIASES.get(kind, kind))
        if model is None:
            refuse(f"There is no kind {kind!r}. Choose one of: {', '.join(REFINED_MODELS)}.")
        names = dict(Source.objects.values_list("pk", "name"))
        columns = _columns(model)
        rows = model._default_manager.order_by("pk").values_list("source_id", *columns)
        if source:
            rows = rows.filter(source=source_named(source))
        if since:
            rows = rows.filter(synced_at__gte=since)
        # The iterator reads through a cursor on the server, so that memory stays flat.
        for source_id, *values in rows[:limit].iterator(chunk_size=ROWS_PER_FETCH):
            self.write_json({"source": names.get(source_id), **dict(zip(columns, values, strict=True))})
        return Exit.OK


def _columns(model: type[RefinedRecord]) -> list[str]:
    left_out = {"source_id", "raw_id"}
    return [field.attname for field in model._meta.concrete_fields if field.attname not in left_out]
