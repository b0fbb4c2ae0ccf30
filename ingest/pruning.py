"""
Retention: old runs go, and old versions of objects; the latest version of an object always stays.

Samples of changed fields are pieces of payloads, people's data in places: they go as early, while the note
that the field changed stays. Whoever erases a person's data before that finds them by stream and external_id.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from ingest.models import CollectionJob, FieldChange

BATCH = 5_000


def prune(*, now: datetime, job_days: int) -> dict[str, int]:
    """Delete what is older than the given days; return how many rows went, by table."""
    before = now - timedelta(days=job_days)
    return {
        "jobs": _prune_jobs(before),
        "raw_versions": _prune_versions(before),
        "samples": _prune_samples(before),
    }


def _prune_jobs(before: datetime) -> int:
    ended = CollectionJob.objects.exclude(status__in=CollectionJob.LIVE).filter(finished_at__lt=before)
    count = 0
    while ids := list(ended.order_by("pk").values_list("pk", flat=True)[:100]):
        CollectionJob.objects.filter(pk__in=ids).delete()
        count += len(ids)
    return count


def _prune_samples(before: datetime) -> int:
    # At most a thousand per stream: no batches.
    old = FieldChange.objects.filter(seen_at__lt=before).exclude(sample="", external_id="")
    return old.update(sample="", external_id="")


def _prune_versions(before: datetime) -> int:
    """Delete superseded versions in small batches, so that nobody waits for a lock."""
    count = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                DELETE FROM ingest_rawrecord WHERE id IN (
                    SELECT old.id FROM ingest_rawrecord old
                     WHERE old.received_at < %s AND EXISTS (
                        SELECT 1 FROM ingest_rawrecord newer
                         WHERE newer.stream_id = old.stream_id AND newer.external_id = old.external_id
                           AND newer.version > old.version
                     )
                       AND NOT EXISTS (SELECT 1 FROM ingest_failedsync letter WHERE letter.raw_id = old.id)
                     LIMIT %s
                )
                """,
                [before, BATCH],
            )
            deleted = int(cursor.rowcount)
        count += deleted
        if deleted < BATCH:
            return count
