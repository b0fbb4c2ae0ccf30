"""
Questions about counters, metrics and jobs, each an SQL statement that lists what is wrong.

Every row is a difference: what kind, where, what exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingest.models import REFINED_MODELS

COUNTERS = ("fetched", "inserted", "updated", "unchanged", "skipped", "failed")

JOBS = """
    SELECT 'jobs', 'job ' || id, 'is still ' || status FROM ingest_collectionjob
     WHERE status IN ('PENDING', 'RUNNING')
    UNION ALL
    SELECT 'jobs', 'job ' || id, 'is ' || status || ' and has a lease until ' || lease_until
      FROM ingest_collectionjob WHERE lease_until IS NOT NULL
    UNION ALL
    SELECT 'jobs', 'job ' || job_id, 'page ' || number || ' is still ' || state
      FROM ingest_page WHERE state <> 'COUNTED'
"""

PAGES = """
    SELECT 'counters', 'job ' || job_id, 'page ' || number || ' fetched ' || fetched || ' and accounts for '
           || inserted + updated + unchanged + skipped + failed
      FROM ingest_page WHERE fetched <> inserted + updated + unchanged + skipped + failed
"""

JOB_COUNTERS = f"""
    SELECT 'counters', 'job ' || job.id, 'counts ' || job.counted::text || ', its pages ' || page.summed::text
      FROM (SELECT id, ARRAY[{", ".join(COUNTERS)}, pages_landed, pages_applied]::numeric[] AS counted
              FROM ingest_collectionjob) job
      LEFT JOIN (SELECT job_id, ARRAY[{", ".join(f"sum({name})" for name in COUNTERS)}, count(*),
                        count(*) FILTER (WHERE state <> 'LANDED')]::numeric[] AS summed
                   FROM ingest_page GROUP BY job_id) page ON page.job_id = job.id
     WHERE job.counted <> COALESCE(page.summed, array_fill(0::numeric, ARRAY[{len(COUNTERS) + 2}]))
"""

VERSIONS = """
    SELECT 'doubled', 'raw of stream ' || stream_id,
           external_id || ' v' || version || ' repeats the one before'
      FROM (SELECT stream_id, external_id, version, payload::jsonb AS content, is_deleted,
                   lag(payload::jsonb) OVER earlier AS before, lag(is_deleted) OVER earlier AS was_deleted
              FROM ingest_rawrecord
            WINDOW earlier AS (PARTITION BY stream_id, external_id ORDER BY version)) raw
     WHERE content = before AND is_deleted = was_deleted
    UNION ALL
    SELECT 'doubled', 'raw of stream ' || stream_id, external_id || ' v' || version
      FROM ingest_rawrecord GROUP BY stream_id, external_id, version HAVING count(*) > 1
    UNION ALL
    SELECT 'lost', 'raw of stream ' || stream_id, external_id || ' has gaps in its versions'
      FROM ingest_rawrecord GROUP BY stream_id, external_id HAVING max(version) <> count(DISTINCT version)
"""

LETTERS = """
    SELECT 'doubled', 'letters of stream ' || stream_id, external_id || ' has several open letters'
      FROM ingest_failedsync WHERE resolved_at IS NULL
     GROUP BY stream_id, external_id, fingerprint HAVING count(*) > 1
"""

REVENUE = """
    SELECT 'metrics', 'revenue of source ' || COALESCE(held.source_id, counted.source_id),
           COALESCE(held.day, counted.day) || ': ' || COALESCE(held.sums, '') || ', counted again '
           || COALESCE(counted.sums, '')
      FROM (SELECT source_id, day, currency, orders || ' orders ' || trim_scale(amount) AS sums
              FROM metrics_dailyrevenue) held
      FULL JOIN (SELECT source_id, day, currency,
                        count(*) || ' orders ' || trim_scale(sum(total_amount)) AS sums
                   FROM ingest_order
                  WHERE deleted_at IS NULL AND cancelled_at IS NULL
                    AND currency IS NOT NULL AND total_amount IS NOT NULL
                  GROUP BY source_id, day, currency) counted USING (source_id, day, currency)
     WHERE held.sums IS DISTINCT FROM counted.sums
"""


def _twice(kind: str) -> str:
    table = REFINED_MODELS[kind]._meta.db_table
    return f"""
        SELECT 'doubled', '{table} of source ' || source_id, external_id
          FROM {table} GROUP BY source_id, external_id HAVING count(*) > 1
    """


def _activity(kind: str) -> str:
    """What the syncs of each day did, from the pages themselves."""
    sums = ", ".join(
        f"sum((effects -> '{kind}' ->> '{name}')::bigint) AS {name}" for name in ("new", "changed", "failed")
    )
    return f"""
        SELECT job.source_id, (page.applied_at AT TIME ZONE 'UTC')::date AS day, {sums}
          FROM ingest_page page JOIN ingest_collectionjob job ON job.id = page.job_id
         WHERE page.effects ? '{kind}' GROUP BY 1, 2
    """


def _metrics(kind: str) -> str:
    table = REFINED_MODELS[kind]._meta.db_table
    return f"""
        WITH there AS (
            SELECT source_id, day, count(*) AS records FROM {table} WHERE deleted_at IS NULL GROUP BY 1, 2
        ), done AS ({_activity(kind)}), counted AS (
            SELECT source_id, day, ARRAY[COALESCE(records, 0), COALESCE(new, 0), COALESCE(changed, 0),
                                         COALESCE(failed, 0)]::numeric[] AS sums
              FROM there FULL JOIN done USING (source_id, day)
        ), held AS (
            SELECT source_id, day, ARRAY[records, new, changed, failed]::numeric[] AS sums
              FROM metrics_dailymetric WHERE kind = '{kind}'
        )
        SELECT 'metrics', '{kind} of source ' || source_id,
               day || ': ' || COALESCE(held.sums::text, 'no row') || ', counted again ' || counted.sums::text
          FROM held FULL JOIN counted USING (source_id, day)
         WHERE COALESCE(held.sums, '{{0,0,0,0}}') <> COALESCE(counted.sums, '{{0,0,0,0}}')
    """


def _all() -> Iterator[str]:
    yield from (JOBS, PAGES, JOB_COUNTERS, VERSIONS, LETTERS, REVENUE)
    for kind in REFINED_MODELS:
        yield from (_twice(kind), _metrics(kind))


QUESTIONS = tuple(_all())
