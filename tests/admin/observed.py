"""What the sync noticed beside the records of the shop: a report, a field that changed, a rate budget."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ingest.models import CollectionJob, FieldChange, RateBudget, ReportRun


def observed(job: CollectionJob, now: datetime, write: Callable[[str], str]) -> list[Any]:
    """Return a row of each that has a page; the budget is on the page of its source."""
    RateBudget.objects.create(
        source_id=job.source_id,
        name="rest",
        rate=2,
        burst=36,
        available=12,
        used_per_minute=60,
        daily_limit=1000,
        daily_used=250,
        daily_forecast=800,
        daily_reset_at=now + timedelta(hours=3),
        blocked_until=now + timedelta(minutes=1),
        seen_at=now,
    )
    report = ReportRun.objects.create(
        source_id=job.source_id,
        stream_id=job.stream_id,
        job=job,
        external_id=write("rep_1")[:255],
        state=ReportRun.State.EXPIRED,
        started_at=now,
        polls=3,
        error=write("not ready after 60 min"),
    )
    change = FieldChange.objects.create(
        stream_id=job.stream_id,
        path=write("customer.vip")[:255],
        change=FieldChange.Change.FIRST_SEEN,
        type="text",
        sample=write("yes"),
        external_id=write("1001")[:255],
        job=job,
    )
    return [report, change]
