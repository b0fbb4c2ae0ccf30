"""The metrics as lists: what was there per source, kind and day, and what orders came to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from ingest.admin import cells
from ingest.admin.base import Panel, ReadOnlyAdmin, facts
from ingest.admin.filters import DayFilter, KindFilter, SourceFilter
from ingest.models import Source
from metrics.models import DailyMetric, DailyRevenue


class PerDayAdmin(ReadOnlyAdmin):
    list_select_related = ("source",)
    deferred = ("source__config", "source__credentials")
    ordering = ("-day", "-pk")

    @admin.display(description="Source")
    def source_shown(self, row: Any) -> SafeString:
        return cells.change_link(Source, row.source_id, row.source.name)

    @admin.display(description="Day (UTC)")
    def day_shown(self, row: Any) -> str:
        return str(row.day.isoformat())

    def panels(self, request: HttpRequest, row: Any) -> list[Panel]:
        own = [field for field in self.opts.concrete_fields if field.name not in ("id", "source", "day")]
        pairs = [(str(field.verbose_name).capitalize(), getattr(row, field.attname)) for field in own]
        return [facts(f"{row.day.isoformat()} (UTC)", [("Source", self.source_shown(row)), *pairs])]


@admin.register(DailyMetric)
class DailyMetricAdmin(PerDayAdmin):
    list_display = ("day_shown", "source_shown", "kind", "records", "new", "changed", "failed")
    list_filter = (SourceFilter, KindFilter, ("day", DayFilter))


@admin.register(DailyRevenue)
class DailyRevenueAdmin(PerDayAdmin):
    list_display = ("day_shown", "source_shown", "currency", "orders", "amount_shown")
    list_filter = (SourceFilter, ("day", DayFilter))

    @admin.display(description="Amount")
    def amount_shown(self, row: DailyRevenue) -> str:
        return cells.amount(row.amount, row.currency)
