"""How the rate budgets of a source stand, as a part of its page."""

from __future__ import annotations

from datetime import datetime

from ingest.admin import cells
from ingest.admin.base import Panel, table
from ingest.models import RateBudget, Source

SECONDS = 60


def panels(source: Source, *, now: datetime) -> list[Panel]:
    """Return the panel; none for a source that was never asked under a budget."""
    budgets = source.rate_budgets.order_by("name")
    rows = [_row(budget, now) for budget in budgets]
    if not rows:
        return []
    headers = ("Limit", "Rate", "Used in a minute", "Today", "Today's forecast", "Waits until", "As of")
    return [table("Rate budgets", headers=headers, rows=rows)]


def _row(budget: RateBudget, now: datetime) -> tuple[object, ...]:
    share = budget.used_per_minute / (budget.rate * SECONDS) if budget.rate else 0.0
    is_blocked = budget.blocked_until is not None and budget.blocked_until > now
    return (
        budget.name,
        f"{budget.rate:,g}/s, {budget.burst:,g} at once",
        f"{budget.used_per_minute:,.0f} ({share:.0%})",
        _of(budget.daily_used, budget.daily_limit),
        _of(budget.daily_forecast, budget.daily_limit),
        budget.blocked_until if is_blocked else None,
        budget.seen_at,
    )


def _of(value: int | None, limit: int | None) -> str:
    if value is None or not limit:
        return cells.EMPTY
    return f"{value:,} of {limit:,} ({value / limit:.0%})"
