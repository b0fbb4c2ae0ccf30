"""Rows as the JSON that commands print; programs rely on these keys."""

from __future__ import annotations

from typing import Any

from ingest.models import CollectionJob

_AS_THEY_ARE = (
    "mode",
    "trigger",
    "status",
    "fetched",
    "inserted",
    "updated",
    "unchanged",
    "skipped",
    "failed",
    "expected_total",
    "pages_landed",
    "pages_applied",
    "window_start",
    "window_end",
    "rate_limit_hits",
    "error_type",
    "error",
    "created_at",
    "started_at",
    "finished_at",
)


def job_json(job: CollectionJob) -> dict[str, Any]:
    """Return a job whose source and stream are loaded."""
    values = {name: getattr(job, name) for name in _AS_THEY_ARE}
    return {"id": job.pk, "source": job.source.name, "stream": job.stream.name, **values}
