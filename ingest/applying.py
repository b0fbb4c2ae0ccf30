"""
Applying: landed pages become refined rows and dead letters, all of a page in one transaction.

A page is claimed by its row lock, which PostgreSQL lets go of when the worker dies.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import F
from django.db.models.functions import Now
from psycopg2.errors import QueryCanceled, ReadOnlySqlTransaction

from connectors import exact_json
from connectors.base import Json
from connectors.errors import ConfigError, RecordError
from connectors.kinds import Kind
from ingest import deadletters, refining, stopping, tables
from ingest.connecting import connector_for
from ingest.models import REFINED_MODELS, CollectionJob, Page

log = logging.getLogger(__name__)

# A page whose application was begun this often and never ended takes its worker down each time.
BEGINNINGS_BEFORE_GIVING_UP = 4
PAGES_PER_WRITE = 12
COUNTERS = ("inserted", "updated", "unchanged", "skipped", "failed")
GIVEN_UP = (
    f"This record's page could not be applied in {BEGINNINGS_BEFORE_GIVING_UP} attempts: its worker was "
    "lost or the database refused it. Look into the worker log for that time, then replay."
)


def apply_landed(
    job_id: int, *, now: Callable[[], datetime], until: datetime, after_batch: Callable[[int], bool | None]
) -> int:
    """
    Apply the job's landed pages, oldest first, until none is left or the time is over.

    Several workers may do so at once; each takes pages the others have not locked. `after_batch` hears
    how many pages wait still, and may say that this worker is wanted elsewhere. Returns how many pages
    were applied.
    """
    job = (
        CollectionJob.objects.select_related("source", "stream")
        .defer("source__credentials")
        .filter(pk=job_id)
        .first()
    )
    if job is None:
        log.warning("a message names a job that does not exist", extra={"job": job_id})
        return 0
    refine = _refiner(job)
    applied = 0
    page_ids: list[int] = []
    try:
        while page_ids := _begin(job_id):
            applied += _apply(job, refine, page_ids, now=now())
            if after_batch(pages_waiting(job_id)) or now() >= until or stopping.is_asked():
                break
    except (OperationalError, InterfaceError, InternalError) as error:
        # A deadlock, a lock held too long, PostgreSQL gone or read-only: not the pages' fault; the tick
        # comes again. Where it may well be their fault it counts, and the next try goes alone.
        log.exception("database error while applying", extra={"job": job_id})
        if not _may_be_the_pages_fault(error):
            _take_back(page_ids)
    return applied


def _refiner(job: CollectionJob) -> refining.Refine:
    """
    Return the function that understands the stream's records.

    Where the source's settings no longer name the stream, every record says so: what has landed must
    not wait for ever, and dead letters can be replayed.
    """
    try:
        connector = connector_for(job.source)
        try:
            return connector.stream(job.stream.name).refine
        finally:
            connector.close()
    except ConfigError as error:
        reason = str(error)
    except KeyError:
        reason = f"{job.source.name} has no stream {job.stream.name!r} any more"

    def refuse(payload: Json) -> Kind:
        raise RecordError(f"{reason}. Mend the source's settings, then replay.")

    return refuse


def _may_be_the_pages_fault(error: Exception) -> bool:
    """Tell whether PostgreSQL took too long over the statement, or tripped over it."""
    if isinstance(error, InternalError):
        return not isinstance(error.__cause__, ReadOnlySqlTransaction)
    return isinstance(error.__cause__, QueryCanceled)


def _take_back(page_ids: list[int]) -> None:
    """Forget that these pages were begun; best effort."""
    try:
        Page.objects.filter(pk__in=page_ids, state=Page.State.LANDED, attempts__gt=0).update(
            attempts=F("attempts") - 1, begun_at=None
        )
    except (DatabaseError, InterfaceError):
        log.warning("PostgreSQL is away; the beginning stays noted")


def pages_waiting(job_id: int) -> int:
    """Return how many pages have landed and are not applied."""
    return Page.objects.filter(job=job_id, state=Page.State.LANDED).count()


def _begin(job_id: int) -> list[int]:
    """
    Choose pages worth one write and note the beginning, so that a page that kills workers is found out.

    The note is committed at once; an application that ends well makes it meaningless.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH waiting AS (
                SELECT id, number, attempts, jsonb_array_length(raw_ids) AS size FROM ingest_page
                 WHERE job_id = %(job)s AND state = 'LANDED'
                   -- Else workers that meet at a page would count each other's beginnings as lost workers.
                   AND (begun_at IS NULL OR begun_at < clock_timestamp() - interval '2 seconds')
                 -- Not all there are: whoever looks at the same moment must find some, too.
                 ORDER BY number LIMIT %(pages)s FOR UPDATE SKIP LOCKED
            ), chosen AS (
                -- A page begun before is suspected: it goes alone.
                SELECT id, sum(size) OVER earlier AS records, sum(sign(attempts)) OVER earlier AS suspects,
                       row_number() OVER earlier AS place
                  FROM waiting WINDOW earlier AS (ORDER BY number)
            )
            UPDATE ingest_page page SET attempts = attempts + 1, begun_at = clock_timestamp()
              FROM chosen
             WHERE chosen.id = page.id AND (place = 1 OR (records <= %(records)s AND suspects = 0))
            RETURNING page.id
            """,
            {"job": job_id, "pages": PAGES_PER_WRITE, "records": settings.APPLY_BATCH_RECORDS},
        )
        return [row[0] for row in cursor.fetchall()]


def _apply(job: CollectionJob, refine: refining.Refine, page_ids: list[int], *, now: datetime) -> int:
    with transaction.atomic():
        # Waits rather than skips: a worker that only looks at a page in `_begin` locks it for a moment, and
        # a page skipped then would lie until the next tick.
        pages = list(
            Page.objects.select_for_update()
            .filter(pk__in=page_ids, state=Page.State.LANDED)
            .order_by("number")
        )
        raws = _read([raw_id for page in pages for raw_id in page.raw_ids])
        outcome = refining.Outcome()
        if any(page.attempts > BEGINNINGS_BEFORE_GIVING_UP for page in pages):
            refining.fail_all(job, raws, outcome, error_type="crash", reason=GIVEN_UP)
        else:
            refining.refine_batch(job, refine, raws, outcome, now=now)
        if pages:  # none where another worker closed them meanwhile
            _close_pages(job, pages, outcome, raws)
    return len(pages)


def _read(raw_ids: list[int]) -> list[refining.Raw]:
    with connection.cursor() as cursor:
        # payload as text: a JSON decoder of someone else's would make floats of money.
        cursor.execute(
            "SELECT id, external_id, version, payload::text, source_updated_at, is_deleted"
            "  FROM ingest_rawrecord WHERE id = ANY(%s)",
            [raw_ids],
        )
        return [
            refining.Raw(raw_id, external_id, version, payload.encode(), updated_at, is_deleted)
            for raw_id, external_id, version, payload, updated_at, is_deleted in cursor.fetchall()
        ]


def _close_pages(
    job: CollectionJob, pages: Sequence[Page], outcome: refining.Outcome, raws: Sequence[refining.Raw]
) -> None:
    """Write letters, counts and states; with the rows, in the caller's transaction."""
    deadletters.record(job, outcome.letters)
    landed_at = {raw_id: page.landed_at for page in pages for raw_id in page.raw_ids}
    understood = [raw for raw in raws if raw.id in outcome.understood]
    deadletters.resolve_synced(
        job, [deadletters.Understood(raw.external_id, raw.id, landed_at[raw.id]) for raw in understood]
    )
    counts = [_counts(page, outcome) for page in pages]
    totals = sum(counts, Counter())
    # The batch was one write, so its effects stand once, on its first page.
    effects = [outcome.effects(job.stream.kind, totals["failed"]), *({} for _ in pages[1:])]
    closed = [
        {"id": page.pk, "effects": effect, **count}
        for page, effect, count in zip(pages, effects, counts, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE ingest_page page
               SET state = 'APPLIED', applied_at = clock_timestamp(), effects = closed.effects,
                   inserted = closed.inserted, updated = closed.updated, unchanged = closed.unchanged,
                   skipped = closed.skipped, failed = closed.failed
              FROM json_to_recordset(%s::json) AS closed (id bigint, effects jsonb, inserted int, updated int,
                   unchanged int, skipped int, failed int)
             WHERE page.id = closed.id
            """,
            [exact_json.dumps(closed).decode()],
        )
    CollectionJob.objects.filter(pk=job.pk).update(
        pages_applied=F("pages_applied") + len(pages),
        progress_at=Now(),
        **{name: F(name) + count for name, count in totals.items()},
    )


def _counts(page: Page, outcome: refining.Outcome) -> Counter[str]:
    """Return the page's counters: what was known when it landed, and what became of the rest."""
    words = Counter(outcome.words.get(raw_id, "skipped") for raw_id in page.raw_ids)
    return Counter({name: getattr(page, name) + words[name] for name in COUNTERS})


def link_late(job: CollectionJob, kinds: Iterable[str], kinds_with_new: Iterable[str]) -> int:
    """
    Point rows at relations that arrived after them, or at the same time through another worker.

    Called when a run ends: by then both sides are committed, whichever came first.
    """
    linked = 0
    written, arrived = set(kinds), set(kinds_with_new)
    for kind in REFINED_MODELS:
        for relation in tables.relations(kind):
            if relation.target_kind in arrived or (kind in written and relation.has_dangling_index):
                linked += tables.link_waiting(relation, source_id=job.source_id)
    return linked
