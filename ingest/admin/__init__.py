"""Staff's door: everything the sync does and holds, to look at and to steer."""

from __future__ import annotations

from ingest.admin import deadletters, jobs, pages, raw, records, sources

__all__ = ["deadletters", "jobs", "pages", "raw", "records", "sources"]
