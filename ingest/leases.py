"""
Claims on a job's fetching phase: a lease that ends by itself and a token that fences late writers.

Every time here is PostgreSQL's own clock; workers' clocks may differ.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from ingest.models import CollectionJob, this_worker

log = logging.getLogger(__name__)

CRASHES_BEFORE_QUARANTINE = 3
QUARANTINED = (
    "Its worker was lost %s times in a row without a page in between (last: %s). Look for that process in "
    "the worker log (often: out of memory), then start the sync again."
)


class LeaseLost(Exception):
    """Another worker holds the job now, or it was ended: what this one wanted to write must not happen."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(f"job {lease.job_id} is no longer held with token {lease.token}")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a job's cursor, as long as nobody claimed the job since."""

    job_id: int
    token: int


def claim(job_id: int) -> Lease | None:
    """Take the job for fetching; None if it is not due, held, not to be asked for, or wholly fetched."""
    row = _one(
        """
        UPDATE ingest_collectionjob job
           SET lease_token = lease_token + 1,
               lease_until = clock_timestamp() + %(ttl)s * interval '1 second',
               lease_holder = %(holder)s,
               status = 'RUNNING',
               rung_at = NULL,  -- the message has arrived; the next one may be sent
               started_at = COALESCE(started_at, clock_timestamp())
          FROM ingest_source source
         WHERE job.id = %(job)s AND source.id = job.source_id
           AND NOT source.is_paused
           AND source.needs_reconnect_since IS NULL
           AND job.status IN ('PENDING', 'RUNNING')
           AND NOT job.is_fetched
           AND job.next_run_at <= clock_timestamp()
           AND job.lease_until IS NULL
        RETURNING job.lease_token
        """,
        {"job": job_id, "ttl": settings.LEASE_SECONDS, "holder": this_worker()},
    )
    return Lease(job_id, row[0]) if row else None


def renew(lease: Lease) -> None:
    """
    Push the lease's end out. Only progress may call this: a page landed, bytes of an answer arrived.

    :raises LeaseLost: if another worker has the job
    """
    row = _one(
        """
        UPDATE ingest_collectionjob
           SET lease_until = clock_timestamp() + %(ttl)s * interval '1 second'
         WHERE id = %(job)s AND lease_token = %(token)s AND lease_until IS NOT NULL
        RETURNING id
        """,
        {"job": lease.job_id, "token": lease.token, "ttl": settings.LEASE_SECONDS},
    )
    if row is None:
        raise LeaseLost(lease)


def write_fenced(lease: Lease, **values: Any) -> None:
    """
    Write columns of the job in one statement, on condition that the lease still holds.

    :raises LeaseLost: if it does not; the transaction must then be rolled back
    """
    held = CollectionJob.objects.filter(pk=lease.job_id, lease_token=lease.token, lease_until__isnull=False)
    if held.update(**values) != 1:
        raise LeaseLost(lease)


def reap() -> list[int]:
    """
    Take jobs back from workers that made no progress for a whole lease; return their ids.

    Three lost workers without a page in between and the job is quarantined: it would go on killing. That is
    an error in the log, for whatever raises alerts there.
    Rows another reaper is at are left to it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH stalled AS (
                SELECT job.id, source.name AS source, stream.name AS stream
                  FROM ingest_collectionjob job
                  JOIN ingest_source source ON source.id = job.source_id
                  JOIN ingest_sourcestream stream ON stream.id = job.stream_id
                 WHERE job.lease_until < clock_timestamp() AND job.status IN ('PENDING', 'RUNNING')
                   FOR UPDATE OF job SKIP LOCKED
            )
            UPDATE ingest_collectionjob job
               SET lease_until = NULL,
                   lease_token = lease_token + 1,
                   crashes = crashes + 1,
                   -- Spread out, as an outage of PostgreSQL ends many leases at once.
                   next_run_at = clock_timestamp() + random() * crashes * interval '2 seconds',
                   rung_at = NULL,
                   is_fetched = is_fetched OR crashes + 1 >= %(limit)s,
                   outcome = CASE WHEN crashes + 1 >= %(limit)s THEN 'QUARANTINED' ELSE outcome END,
                   error_type = CASE WHEN crashes + 1 >= %(limit)s THEN 'crash' ELSE error_type END,
                   error = CASE WHEN crashes + 1 >= %(limit)s
                                THEN format(%(message)s, crashes + 1, lease_holder) ELSE error END
              FROM stalled
             WHERE job.id = stalled.id
            RETURNING job.id, job.outcome, job.error, stalled.source, stalled.stream
            """,
            {"limit": CRASHES_BEFORE_QUARANTINE, "message": QUARANTINED},
        )
        taken_back = cursor.fetchall()
    for job_id, outcome, error, source, stream in taken_back:
        if outcome == CollectionJob.Status.QUARANTINED:
            facts = {"job": job_id, "source": source, "stream": stream, "reason": error}
            log.error("job quarantined", extra=facts)
    return [row[0] for row in taken_back]


def _one(sql: str, parameters: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()
