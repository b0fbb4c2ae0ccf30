"""The place a run stopped at: moved with every page, in the page's transaction, by the lease holder alone."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings
from django.db import connection

from connectors import exact_json
from connectors.base import Page as FetchedPage
from ingest.leases import Lease, LeaseLost
from ingest.models import Page


class Standing(NamedTuple):
    """What a fetcher has to know of its job before it asks for one more page."""

    cancel_requested: bool
    is_paused: bool
    #: Landed and not yet applied.
    pages_waiting: int


# Progress renews the lease and makes earlier failures count no longer. The last page ends the fetching in
# the same write: a cursor of None must never be taken for the beginning.
_MOVE = """
    UPDATE ingest_collectionjob job
       SET cursor = %(cursor)s,
           next_page_number = next_page_number + 1,
           pages_landed = pages_landed + 1,
           pages_applied = pages_applied + %(applied)s,
           fetched = fetched + %(fetched)s,
           unchanged = unchanged + %(unchanged)s,
           skipped = skipped + %(skipped)s,
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
           stream_state = COALESCE(%(stream_state)s::jsonb, stream_state)
      FROM ingest_source source
     WHERE job.id = %(job)s AND job.lease_token = %(token)s AND job.lease_until IS NOT NULL
       AND source.id = job.source_id
    RETURNING job.cancel_requested, source.is_paused,
              (SELECT count(*) FROM ingest_page page WHERE page.job_id = job.id AND page.state = 'LANDED')
    """


def move(lease: Lease, fetched: FetchedPage, page: Page) -> Standing:
    """
    Note that the page has landed and where the next one starts.

    :raises LeaseLost: if another worker has the job; the transaction must then be rolled back
    """
    is_done = page.state == Page.State.COUNTED
    cut_short = fetched.cut_short and (
        f"Stopped although the source has more: {fetched.cut_short}. Raise it to get the rest."
    )
    state = fetched.stream_state
    values = {
        "cursor": fetched.next_cursor,
        "is_last": fetched.next_cursor is None,
        "fetched": page.fetched,
        # The rest of a page's counts is added when it is applied.
        "applied": int(is_done),
        "unchanged": page.unchanged if is_done else 0,
        "skipped": page.skipped if is_done else 0,
        "cut_short": cut_short or "",
        "high_water": max((one.updated_at for one in fetched.records if one.updated_at), default=None),
        "expected_total": fetched.expected_total,
        "stream_state": None if state is None else exact_json.dumps(state).decode(),
        "ttl": settings.LEASE_SECONDS,
        "job": lease.job_id,
        "token": lease.token,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, values)
        row = cursor.fetchone()
    if row is None:
        raise LeaseLost(lease)
    return Standing(*row)
