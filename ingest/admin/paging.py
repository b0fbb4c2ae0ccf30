"""Paging that never counts millions of rows: a bounded count, and the planner's estimate beyond it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet

COUNTED = 10_000
# Beyond this PostgreSQL would read and throw away more rows than a page may take time for.
REACHABLE = 1_000_000


class BoundedPaginator(Paginator):
    """Counts to COUNTED; longer lists are reached by filters and search, or, unfiltered, by the estimate."""

    template_name = "ingest/admin/pagination.html"
    object_list: QuerySet[Any]

    @cached_property
    def counted(self) -> int:
        return bounded_count(self.object_list, limit=COUNTED)

    @cached_property
    def estimate(self) -> int | None:
        """The planner's row count of the whole table, where that is what is listed."""
        if self.counted <= COUNTED or self.object_list.query.where:
            return None
        return max(estimated_rows(self.object_list.model._meta.db_table), self.counted)

    @cached_property
    def count(self) -> int:
        if self.estimate is not None:
            return min(self.estimate, REACHABLE)
        return min(self.counted, COUNTED)

    @property
    def label(self) -> str:
        if self.estimate is not None:
            return f"about {self.estimate:,}"
        return f"{COUNTED:,}+" if self.counted > COUNTED else f"{self.counted:,}"


def bounded_count(rows: QuerySet[Any], *, limit: int) -> int:
    """Return how many rows there are, or limit + 1 when there are more."""
    return rows.order_by().values("pk")[: limit + 1].count()


def estimated_rows(table: str) -> int:
    """Return what the last ANALYZE or VACUUM saw; -1 before the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])
