"""Staff's door: everything the sync does and holds, to look at and to steer."""

from __future__ import annotations

from ingest.admin import deadletters, fields, jobs, pages, raw, records, reports, sources

__all__ = ["deadletters", "fields", "jobs", "pages", "raw", "records", "reports", "sources"]
