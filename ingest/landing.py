"""
Landing: keep what the provider said, and the place we stopped, in one transaction.

The page is compared with the latest version of each object; only what changed is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from connectors import exact_json
from connectors.base import Page as FetchedPage
from connectors.base import SourceRecord
from connectors.errors import PaginationLoop
from ingest import checkpoints, comparing, deadletters, isolating, reports, sightings, versions
from ingest.checkpoints import Standing
from ingest.comparing import Sorted
from ingest.leases import Lease
from ingest.models import CollectionJob, Page
from ingest.versions import NewVersion

PAGES_COMPARED = 10
EMPTY_PAGES = 500
ONE_PAGE_PER_CURSOR = "one_page_per_cursor"


def land(
    job: CollectionJob, lease: Lease, fetched: FetchedPage, *, fetch_ms: int, keeps_ids: bool = False
) -> tuple[Page, Standing]:
    """
    Store the page at the job's cursor and move the cursor, all or nothing; `job` moves along.

    `keeps_ids`: what the whole run did not list will count as gone.

    :raises LeaseLost: if another worker has the job; nothing is written then
    :raises PaginationLoop: if this page or the cursor it stands at was seen before in this run
    """
    body_hashes = comparing.hashes_of(fetched)
    try:
        with transaction.atomic():
            _refuse_repetition(job, fetched, _page_digest(fetched, body_hashes))
            page = _land_records(job, fetched, body_hashes, cursor=job.cursor, fetch_ms=fetch_ms)
            if keeps_ids:
                sightings.note(page, fetched.records)
            reports.note_landed(job, fetched.next_cursor, rows=len(fetched.records))
            standing = checkpoints.move(lease, fetched, page)
    except IntegrityError as error:
        if ONE_PAGE_PER_CURSOR not in str(error):
            raise
        # The page that led back here is new itself and was kept.
        raise PaginationLoop(
            f"The source led page {job.next_page_number} back to a cursor it gave before; going on would "
            "never end. What arrived is kept. Report it to the provider, or use another paging kind."
        ) from None
    job.cursor, job.next_page_number = fetched.next_cursor, job.next_page_number + 1
    return page, standing


def land_again(job: CollectionJob, again: FetchedPage, *, beyond_help: int) -> Page:
    """
    Store a page of a replay: no provider was asked, so there is no cursor to move and no lease.

    `beyond_help` records could not even be tried; they count as failed.
    """
    marker = f"replay {job.next_page_number}"
    page = _land_records(job, again, comparing.hashes_of(again), cursor=marker, fetch_ms=0)
    if beyond_help:
        page.fetched, page.failed = page.fetched + beyond_help, page.failed + beyond_help
        page.state = Page.State.LANDED
        page.save(update_fields=["fetched", "failed", "state"])
    CollectionJob.objects.filter(pk=job.pk).update(**_page_counts(page))
    job.refresh_from_db()
    return page


def land_overlap(job: CollectionJob, lease: Lease, fetched: FetchedPage) -> Page:
    """
    Store a page that was read a second time; the cursor stays, and what did not change counts as skipped.

    :raises LeaseLost: if another worker has the job; nothing is written then
    """
    body_hashes = comparing.hashes_of(fetched)
    with transaction.atomic():
        marker = f"overlap before page {job.next_page_number}"
        page = _land_records(job, fetched, body_hashes, cursor=marker, fetch_ms=0)
        page.is_overlap = True
        page.skipped, page.unchanged = page.skipped + page.unchanged, 0
        page.save(update_fields=["is_overlap", "skipped", "unchanged"])
        checkpoints.move(lease, replace(fetched, next_cursor=job.cursor), page)
    job.next_page_number += 1
    return page


def cursor_digest(cursor: str | None) -> bytes:
    # The first page has no cursor; the marker keeps it apart from an empty one.
    return hashlib.sha256(b"first page" if cursor is None else b"cursor " + cursor.encode()).digest()


def _page_digest(fetched: FetchedPage, body_hashes: Sequence[bytes]) -> bytes:
    digest = hashlib.sha256(b"".join(body_hashes))
    # Equal lines of a file are no loop: their line numbers differ.
    digest.update("".join([record.position for record in fetched.records]).encode())
    for tombstone in fetched.tombstones:
        digest.update(tombstone.external_id.encode(errors="replace"))
    return digest.digest()


def _refuse_repetition(job: CollectionJob, fetched: FetchedPage, content_digest: bytes) -> None:
    if not fetched.records and not fetched.tombstones:
        _refuse_endless_emptiness(job)
        return
    number = job.next_page_number
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM ingest_page WHERE job_id = %s AND number >= %s AND pass_number = %s"
            " AND content_digest = %s",
            [job.pk, number - PAGES_COMPARED, job.pass_number, content_digest],
        )
        if cursor.fetchone():
            raise PaginationLoop(
                f"Page {number} holds the very records of an earlier page; "
                "going on would never end. Check the paging settings of this stream."
            )


def _refuse_endless_emptiness(job: CollectionJob) -> None:
    # Some sources answer empty pages for quiet days; none for this long.
    number = job.next_page_number
    if number <= EMPTY_PAGES:
        return
    lately = Page.objects.filter(job=job, pass_number=job.pass_number, number__gte=number - EMPTY_PAGES)
    if not lately.filter(fetched__gt=0).exists():
        raise PaginationLoop(
            f"{EMPTY_PAGES} pages in a row were empty, each naming a next one; going on would never end. "
            "Check the paging settings of this stream."
        )


def _land_records(
    job: CollectionJob,
    fetched: FetchedPage,
    body_hashes: Sequence[bytes],
    *,
    cursor: str | None,
    fetch_ms: int,
) -> Page:
    found = comparing.compare(job, fetched, body_hashes)
    raw_ids = _write_versions(job, found) + found.retried
    page = Page(
        job=job,
        number=job.next_page_number,
        pass_number=job.pass_number,
        cursor=cursor,
        cursor_digest=cursor_digest(cursor),
        content_digest=_page_digest(fetched, body_hashes),
        raw_ids=raw_ids,
        fetched=len(fetched.records) + len(fetched.tombstones),
        unchanged=found.unchanged,
        skipped=found.skipped,
        failed=len(found.rejected),
        fetch_ms=fetch_ms,
    )
    if not raw_ids and not found.rejected:
        page.state = Page.State.COUNTED  # nothing to do for the later steps
    _insert(page)
    deadletters.record_rejected(job, found.rejected)
    return page


def _insert(page: Page) -> None:
    # By hand, as the checkpoint is: Django takes longer to put such a statement together than PostgreSQL
    # to run it, and there is one per page.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ingest_page
                   (job_id, number, pass_number, cursor, cursor_digest, is_overlap, content_digest, state,
                    attempts, raw_ids, fetched, inserted, updated, unchanged, skipped, failed, effects,
                    fetch_ms, landed_at, applied_at)
            VALUES (%s, %s, %s, %s, %s, false, %s, %s, 0, %s, %s, 0, 0, %s, %s, %s, '{}',
                    %s, statement_timestamp(), CASE WHEN %s THEN statement_timestamp() END)
            RETURNING id
            """,
            [
                page.job_id,
                page.number,
                page.pass_number,
                page.cursor,
                bytes(page.cursor_digest),
                bytes(page.content_digest),
                page.state,
                exact_json.dumps(page.raw_ids).decode(),
                page.fetched,
                page.unchanged,
                page.skipped,
                page.failed,
                page.fetch_ms,
                page.state == Page.State.COUNTED,
            ],
        )
        (page.pk,) = cursor.fetchone()
    page._state.adding = False


def _write_versions(job: CollectionJob, found: Sorted) -> list[int]:
    """Add the rows, sorted by key, and return their ids; what PostgreSQL refuses is rejected."""
    found.new.sort(key=lambda new: new.external_id)
    written: list[int] = []

    def write(batch: Sequence[NewVersion]) -> None:
        written.extend(versions.add(job, batch))

    for new, error in isolating.write_all(found.new, write):
        record = SourceRecord(body=new.body, external_id=new.external_id, updated_at=new.updated_at)
        found.rejected.append(deadletters.Rejected(record, isolating.reason(error)))
    return written


def _page_counts(page: Page) -> dict[str, Any]:
    """Return what a landed page adds to its job; the rest is added when it is applied."""
    counts: dict[str, Any] = {
        "next_page_number": F("next_page_number") + 1,
        "pages_landed": F("pages_landed") + 1,
        "fetched": F("fetched") + page.fetched,
    }
    if page.state == Page.State.COUNTED:
        counts |= {
            "pages_applied": F("pages_applied") + 1,
            "unchanged": F("unchanged") + page.unchanged,
            "skipped": F("skipped") + page.skipped,
        }
    return counts
