"""Reports that providers make for us: how long each takes, and what became of it."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ingest.admin import cells
from ingest.admin.base import Panel, ReadOnlyAdmin, facts
from ingest.admin.filters import SourceFilter, StreamFilter
from ingest.admin.jobs import job_link
from ingest.models import ReportRun, Source

COLOURS = {
    "STARTED": "blue",
    "RUNNING": "blue",
    "READY": "blue",
    "DOWNLOADED": "green",
    "FAILED": "red",
    "EXPIRED": "orange",
}


@admin.register(ReportRun)
class ReportRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "state_shown", "where", "shown_id", "polls", "rows_shown", "next_poll", "started")
    list_filter = (SourceFilter, StreamFilter, ("state", ChoicesDropdownFilter))
    list_select_related = ("source", "stream")
    deferred = ("source__config", "source__credentials", "stream__state")
    ordering = ("-id",)

    @admin.display(description="State")
    def state_shown(self, run: ReportRun) -> SafeString:
        return cells.label(run.get_state_display(), COLOURS[run.state])

    @admin.display(description="Source / stream")
    def where(self, run: ReportRun) -> str:
        return f"{run.source.name} / {run.stream.name}"

    @admin.display(description="Report")
    def shown_id(self, run: ReportRun) -> str:
        return cells.short(run.external_id, 40)

    @admin.display(description="Rows read")
    def rows_shown(self, run: ReportRun) -> str:
        return cells.number(run.rows)

    @admin.display(description="Next poll (UTC)")
    def next_poll(self, run: ReportRun) -> str:
        return cells.moment(run.next_poll_at)

    @admin.display(description="Started (UTC)")
    def started(self, run: ReportRun) -> str:
        return cells.moment(run.started_at)

    def panels(self, request: HttpRequest, row: ReportRun) -> list[Panel]:
        pairs = [
            ("State", cells.label(row.get_state_display(), COLOURS[row.state])),
            ("Reason", row.error),
            ("Source", cells.change_link(Source, row.source_id, row.source.name)),
            ("Stream", row.stream.name),
            ("Job", job_link(row.job_id)),
            ("The provider's id", row.external_id),
            ("Attempt", row.attempt),
            ("Started", row.started_at),
            ("Asked for", cells.plural(row.polls, "time")),
            ("Asked for next", row.next_poll_at),
            ("Rows read", cells.number(row.rows)),
            ("Latest change", row.changed_at),
        ]
        return [facts("The report", pairs)]
