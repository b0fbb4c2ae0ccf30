"""What must hold once everything has ended, whatever happened on the way."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Sum

from ingest.models import Page, SourceStream
from metrics import rollup
from metrics.models import DailyMetric, DailyRevenue
from sandbox import SandboxClient
from tests.story import shops


def assert_exact(world: SandboxClient, datasets: dict[SourceStream, str]) -> None:
    """Compare with the ledger, count for count, and the metrics with a recount."""
    shops.assert_exact(world, datasets)
    assert_metrics_are_recomputed()


def assert_metrics_are_recomputed() -> None:
    """Count everything anew and compare."""
    stored = metrics()
    days: dict[int, dict[str, set[str]]] = {}
    for source_id, kind, day in DailyMetric.objects.values_list("source_id", "kind", "day"):
        days.setdefault(source_id, {}).setdefault(kind, set()).add(day.isoformat())
    with transaction.atomic():
        for source_id, days_by_kind in days.items():
            rollup.recount(source_id, days_by_kind)
    assert metrics() == stored
    counted = DailyMetric.objects.filter(kind="order").aggregate(new=Sum("new"))["new"]
    inserted = Page.objects.filter(job__stream__kind="order").aggregate(new=Sum("inserted"))["new"]
    assert counted == inserted, "orders were counted twice or not at all"


def metrics() -> dict[str, list[tuple[Any, ...]]]:
    """Return what is counted; a recount writes rows anew, so their own ids say nothing."""
    by_kind = ("source_id", "kind", "day", "records", "new", "changed", "failed")
    by_currency = ("source_id", "day", "currency", "orders", "amount")
    return {
        "metrics": sorted(DailyMetric.objects.values_list(*by_kind)),
        "revenue": sorted(DailyRevenue.objects.values_list(*by_currency)),
    }
