"""
The place a run stopped at: moved with every page, in one statement with the page's row.

The lease holder alone moves it. A replay has no lease and no cursor; its pages only add to its counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from connectors import exact_json
from connectors.base import Page as FetchedPage
from ingest.leases import Lease, LeaseLost
from ingest.models import Page
from ingest.prepared import Prepared


class NewPage(NamedTuple):
    """What a page's row is made of."""

    job_id: int
    number: int
    pass_number: int
    cursor: str | None
    cursor_digest: bytes
    #: None where a repetition means nothing.
    content_digest: bytes | None
    is_overlap: bool
    raw_ids: Sequence[int]
    fetched: int
    unchanged: int
    skipped: int
    failed: int
    fetch_ms: int

    @property
    def state(self) -> Page.State:
        """LANDED, or COUNTED where there is nothing to do for the later steps."""
        return Page.State.LANDED if self.raw_ids or self.failed else Page.State.COUNTED


class Standing(NamedTuple):
    """What a fetcher has to know of its job before it asks for one more page."""

    cancel_requested: bool
    is_paused: bool
    #: Landed and not yet applied.
    pages_waiting: int


# One statement, as each costs PostgreSQL more to plan than to run. The page is made from the row that was
# moved: where the lease is lost there is none. The count does not see the new page.
_LAND = """
    WITH moved AS (
        UPDATE ingest_collectionjob job
           SET next_page_number = next_page_number + 1,
               pages_landed = pages_landed + 1,
               fetched = fetched + %(fetched)s,
               -- What of a page is known only when it is applied is added then, with the rest.
               pages_applied = pages_applied + %(is_done)s::int,
               unchanged = unchanged + %(is_done)s::int * %(unchanged)s,
               skipped = skipped + %(is_done)s::int * %(skipped)s
               {place}
          FROM ingest_source source
         WHERE job.id = %(job_id)s AND source.id = job.source_id {fence}
        RETURNING job.id, job.cancel_requested, source.is_paused
    ), landed AS (
        INSERT INTO ingest_page
               (job_id, number, pass_number, cursor, cursor_digest, is_overlap, content_digest, state,
                attempts, raw_ids, fetched, inserted, updated, unchanged, skipped, failed, effects,
                fetch_ms, landed_at, applied_at)
        SELECT id, %(number)s, %(pass_number)s, %(cursor)s, %(cursor_digest)s, %(is_overlap)s,
               %(content_digest)s, %(state)s, 0, %(raw_ids)s, %(fetched)s, 0, 0, %(unchanged)s, %(skipped)s,
               %(failed)s, '{{}}', %(fetch_ms)s, statement_timestamp(),
               CASE WHEN %(is_done)s THEN statement_timestamp() END
          FROM moved
    )
    SELECT cancel_requested, is_paused, (NOT %(is_done)s)::int +
           (SELECT count(*) FROM ingest_page page WHERE page.job_id = moved.id AND page.state = 'LANDED')
      FROM moved
    """

# Progress renews the lease and makes earlier failures count no longer. The last page ends the fetching in
# the same write: a cursor of None must never be taken for the beginning.
_PLACE = """,
               cursor = %(next_cursor)s,
               progress_at = clock_timestamp(),
               is_fetched = %(is_last)s,
               lease_until = CASE WHEN NOT %(is_last)s
                                  THEN clock_timestamp() + %(ttl)s * interval '1 second' END,
               attempts = 0,
               crashes = 0,
               outcome = CASE WHEN %(cut_short)s = '' THEN outcome ELSE 'PARTIAL' END,
               error_type = CASE WHEN %(cut_short)s = '' THEN '' ELSE 'cut_short' END,
               error = %(cut_short)s,
               high_water = GREATEST(high_water, %(high_water)s::timestamptz),
               expected_total = COALESCE(%(expected_total)s, expected_total),
               stream_state = COALESCE(%(stream_state)s::jsonb, stream_state)"""
_OF_PAGE = {
    "job_id": "bigint",
    "number": "integer",
    "pass_number": "integer",
    "cursor": "text",
    "cursor_digest": "bytea",
    "is_overlap": "boolean",
    "content_digest": "bytea",
    "state": "text",
    "is_done": "boolean",
    "raw_ids": "jsonb",
    "fetched": "integer",
    "unchanged": "integer",
    "skipped": "integer",
    "failed": "integer",
    "fetch_ms": "integer",
}
_OF_PLACE = {
    "token": "bigint",
    "ttl": "double precision",
    "next_cursor": "text",
    "is_last": "boolean",
    "cut_short": "text",
    "high_water": "timestamptz",
    "expected_total": "bigint",
    "stream_state": "jsonb",
}
_MOVE = Prepared(
    "move_checkpoint",
    _LAND.format(place=_PLACE, fence="AND job.lease_token = %(token)s AND job.lease_until IS NOT NULL"),
    _OF_PAGE | _OF_PLACE,
)
_ADD = Prepared("add_page", _LAND.format(place="", fence=""), _OF_PAGE)


def move(lease: Lease, fetched: FetchedPage, page: NewPage) -> Standing:
    """
    Write the page and where the next one starts.

    :raises LeaseLost: if another worker has the job; the transaction must then be rolled back
    """
    cut_short = fetched.cut_short and f"Stopped although the source has more: {fetched.cut_short}."
    state = fetched.stream_state
    place = {
        "next_cursor": fetched.next_cursor,
        "is_last": fetched.next_cursor is None,
        "cut_short": cut_short or "",
        "high_water": max((one.updated_at for one in fetched.records if one.updated_at), default=None),
        "expected_total": fetched.expected_total,
        "stream_state": None if state is None else exact_json.dumps(state).decode(),
        "ttl": settings.LEASE_SECONDS,
        "token": lease.token,
    }
    with connection.cursor() as cursor:
        _MOVE.execute(cursor, _row(page) | place)
        row = cursor.fetchone()
    if row is None:
        raise LeaseLost(lease)
    return Standing(*row)


def add(page: NewPage) -> None:
    """Write a page of a replay."""
    with connection.cursor() as cursor:
        _ADD.execute(cursor, _row(page))


def _row(page: NewPage) -> dict[str, Any]:
    state = page.state
    return page._asdict() | {
        "state": state,
        "is_done": state == Page.State.COUNTED,
        "raw_ids": exact_json.dumps(page.raw_ids).decode(),
    }
