"""
Deletes that a provider does not tell: what a complete full refresh no longer lists is gone.

Each landed page notes the ids it held. Once the run is complete, what we have and no page held gets a version
that says so, and goes the way of every other page. Too much at once waits for a person.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from connectors import exact_json
from connectors.base import SourceRecord
from ingest import deadletters
from ingest.checkpoints import NewPage
from ingest.models import CollectionJob, Page, Sighting

log = logging.getLogger(__name__)

HELD = "deletions_held"
TOMBSTONES_PER_PAGE = 1_000
_GONE = exact_json.dumps({"deleted_at": None, "reason": "a complete full refresh did not list it"}).decode()


def note(page: NewPage, records: Sequence[SourceRecord]) -> None:
    """Keep the ids of a landed page, in its transaction."""
    ids = [record.external_id for record in records if record.external_id]
    if not "".join(ids).isprintable():
        # Those that cannot be stored are dead letters, so that the run is not complete in any case.
        ids = [external_id for external_id in ids if deadletters.storable_text(external_id) == external_id]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingest_sighting (job_id, pass_number, page_number, external_ids)"
            " VALUES (%s, %s, %s, %s::text[])",
            [page.job_id, page.pass_number, page.number, ids],
        )


def sweep(job: CollectionJob) -> bool:
    """
    Land tombstones for what a complete full refresh did not list, all or none; tell whether there are any.

    To be called in the transaction that would end the job, with the job's row locked, once all is applied.
    """
    if not _is_complete(job):
        return False
    held, job.missing_objects = _find_missing(job)
    job.save(update_fields=["missing_objects"])
    if not job.missing_objects or _is_too_much(job, held):
        return False
    _land_tombstones(job)
    Sighting.objects.filter(job=job).delete()
    log.info("objects gone at the source", extra={"job": job.pk, "missing": job.missing_objects})
    return True


def _is_complete(job: CollectionJob) -> bool:
    if job.mode != CollectionJob.Mode.FULL or job.outcome or job.failed or job.missing_objects is not None:
        return False
    seen = Sighting.objects.filter(job=job, pass_number=job.pass_number).count()
    pages = Page.objects.filter(job=job, pass_number=job.pass_number, is_overlap=False)
    # Of a run that began under code that noted nothing, some pages are missing.
    return bool(seen) and seen == pages.count()


def _find_missing(job: CollectionJob) -> tuple[int, int]:
    """Put what is missing into a table of this transaction; return how many objects there were, and that."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS sweep_missing (external_id text, version int)"
            " ON COMMIT DROP"
        )
        cursor.execute("TRUNCATE sweep_missing")
        # The statistics of both tables may be old; a nested loop would then take hours.
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(
            """
            WITH latest AS MATERIALIZED (
                SELECT DISTINCT ON (external_id) external_id, version, is_deleted,
                       received_at >= %(since)s AS is_fresh
                  FROM ingest_rawrecord WHERE stream_id = %(stream)s
                 ORDER BY external_id, version DESC
            ), seen AS (
                SELECT unnest(external_ids) AS external_id FROM ingest_sighting
                 WHERE job_id = %(job)s AND pass_number = %(pass)s
            ), found AS (
                INSERT INTO sweep_missing
                -- What arrived after the run began may be younger than the page it would stand on.
                SELECT latest.external_id, latest.version FROM latest
                 WHERE NOT is_deleted AND NOT is_fresh
                   AND NOT EXISTS (SELECT 1 FROM seen WHERE seen.external_id = latest.external_id)
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM latest WHERE NOT is_deleted AND NOT (is_fresh AND version = 1)),
                   (SELECT count(*) FROM found)
            """,
            {
                "since": job.started_at,
                "stream": job.stream_id,
                "job": job.pk,
                "pass": job.pass_number,
            },
        )
        held, missing = cursor.fetchone()
        cursor.execute("SET LOCAL enable_nestloop = DEFAULT")
    return held, missing


def _is_too_much(job: CollectionJob, held: int) -> bool:
    if job.deletions_accepted:
        return False
    # A listing without anything in it is more likely lost rights than a shop without a single order.
    return not job.fetched or (job.missing_objects or 0) * 100 > job.stream.deletion_brake * held


def _land_tombstones(job: CollectionJob) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH gone AS (
                SELECT external_id, version + 1 AS version,
                       (row_number() OVER (ORDER BY external_id) - 1) / %(size)s AS place
                  FROM sweep_missing
            ), added AS (
                INSERT INTO ingest_rawrecord (stream_id, external_id, version, payload, body_hash,
                                              is_deleted, job_id)
                SELECT %(stream)s, external_id, version, %(body)s::json, sha256(%(body)s::bytea),
                       true, %(job)s
                  FROM gone ORDER BY external_id
                RETURNING id, external_id
            ), pages AS (
                SELECT place, count(*) AS size, jsonb_agg(added.id) AS raw_ids,
                       'deletions ' || place AS cursor
                  FROM gone JOIN added USING (external_id) GROUP BY place
            ), landed AS (
                INSERT INTO ingest_page (job_id, number, pass_number, cursor, cursor_digest, is_overlap,
                                         content_digest, state, attempts, raw_ids, fetched, inserted, updated,
                                         unchanged, skipped, failed, effects, fetch_ms)
                SELECT %(job)s, %(number)s + place, %(pass)s, cursor, sha256(cursor::bytea), false,
                       sha256(raw_ids::text::bytea), 'LANDED', 0, raw_ids, size, 0, 0, 0, 0, 0, '{}', 0
                  FROM pages
                RETURNING fetched
            ), total AS (
                SELECT count(*) AS pages, sum(fetched) AS records FROM landed
            )
            UPDATE ingest_collectionjob
               SET next_page_number = next_page_number + total.pages,
                   pages_landed = pages_landed + total.pages,
                   fetched = fetched + total.records,
                   progress_at = clock_timestamp(), next_run_at = clock_timestamp(), rung_at = NULL
              FROM total WHERE id = %(job)s
            """,
            {
                "size": TOMBSTONES_PER_PAGE,
                "stream": job.stream_id,
                "body": _GONE,
                "job": job.pk,
                "number": job.next_page_number,
                "pass": job.pass_number,
            },
        )


def close(job: CollectionJob) -> str:
    """Forget what a job that ends has seen, unless deletions wait for a person: then say so."""
    if job.mode != CollectionJob.Mode.FULL:
        return ""
    kept = Sighting.objects.filter(job=job)
    if job.missing_objects and kept.exists():
        # Of the runs before this one nobody needs to accept anything any more.
        Sighting.objects.filter(job__stream=job.stream_id, job__lt=job.pk).delete()
        return (
            f"{job.missing_objects:,} objects we hold were not listed any more, which is more than the "
            f"{job.stream.deletion_brake} % set for this stream. Nothing was deleted. Look at the source's "
            "credentials and filters; if the objects are really gone, accept the deletions."
        )
    kept.delete()
    if job.missing_objects is not None:
        Sighting.objects.filter(job__stream=job.stream_id, job__lt=job.pk).delete()
    return ""


def may_be_accepted(job: CollectionJob) -> bool:
    """Tell whether the job's deletions wait for a person still: a later full refresh knows better."""
    return job.error_type == HELD and Sighting.objects.filter(job=job).exists()


def accept(job_id: int) -> bool:
    """Let the job end by deleting what it did not find; False if that is no longer possible."""
    try:
        with transaction.atomic():
            job = CollectionJob.objects.select_for_update().filter(pk=job_id).first()
            if job is None or not may_be_accepted(job):
                return False
            CollectionJob.objects.filter(pk=job_id).update(
                status=CollectionJob.Status.RUNNING,
                deletions_accepted=True,
                missing_objects=None,
                error_type="",
                error="",
                finished_at=None,
                next_run_at=Now(),
                rung_at=None,
            )
    except IntegrityError:  # another run of the stream is live
        return False
    return True
