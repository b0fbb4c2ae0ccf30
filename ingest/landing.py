"""
Landing: keep what the provider said, and the place we stopped, in one transaction.

The page is compared with the latest version of each object; only what changed is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import psycopg2
from django.db import IntegrityError, transaction

from connectors.base import Page as FetchedPage
from connectors.base import SourceRecord
from connectors.errors import PaginationLoop
from ingest import checkpoints, comparing, deadletters, isolating, reports, sightings, versions
from ingest.checkpoints import NewPage, Standing
from ingest.comparing import Sorted
from ingest.leases import Lease
from ingest.models import CollectionJob, Page
from ingest.versions import NewVersion

EMPTY_PAGES = 500
#: What a page means that repeats an earlier one of its run, by the constraint that refuses it.
CIRCLES = {
    # The page that led back here is new itself and was kept.
    "one_page_per_cursor": (
        "The source led page {number} back to a cursor it gave before; going on would never end. What "
        "arrived is kept. Report it to the provider, or use another paging kind."
    ),
    "one_page_per_content": (
        "Page {number} holds the very records of an earlier page; going on would never end. Check the "
        "paging settings of this stream."
    ),
}


def land(
    job: CollectionJob, lease: Lease, fetched: FetchedPage, *, fetch_ms: int, keeps_ids: bool = False
) -> tuple[NewPage, Standing]:
    """
    Store the page at the job's cursor and move the cursor, all or nothing; `job` moves along.

    `keeps_ids`: what the whole run did not list will count as gone.

    :raises LeaseLost: if another worker has the job; nothing is written then
    :raises PaginationLoop: if this page or the cursor it stands at was seen before in this run
    """
    body_hashes = comparing.hashes_of(fetched)
    content_digest = _content_digest(fetched, body_hashes)
    if content_digest is None:
        _refuse_endless_emptiness(job)
    try:
        with transaction.atomic():
            found = comparing.compare(job, fetched, body_hashes)
            page = _write_records(
                job, fetched, found, cursor=job.cursor, content_digest=content_digest, fetch_ms=fetch_ms
            )
            if keeps_ids:
                sightings.note(page, fetched.records)
            reports.note_landed(job, fetched.next_cursor, rows=len(fetched.records))
            standing = checkpoints.move(lease, fetched, page)
            deadletters.record_rejected(job, found.rejected)
    except IntegrityError as error:
        if circle := CIRCLES.get(_constraint(error)):
            raise PaginationLoop(circle.format(number=job.next_page_number)) from None
        raise
    job.cursor, job.next_page_number = fetched.next_cursor, job.next_page_number + 1
    return page, standing


def land_again(job: CollectionJob, again: FetchedPage, *, beyond_help: int) -> None:
    """
    Store a page of a replay: no provider was asked, so there is no cursor to move and no lease.

    `beyond_help` records could not even be tried; they count as failed.
    """
    found = comparing.compare(job, again, comparing.hashes_of(again))
    page = _write_records(job, again, found, cursor=f"replay {job.next_page_number}")
    checkpoints.add(page._replace(fetched=page.fetched + beyond_help, failed=page.failed + beyond_help))
    deadletters.record_rejected(job, found.rejected)
    job.refresh_from_db()


def land_overlap(job: CollectionJob, lease: Lease, fetched: FetchedPage) -> None:
    """
    Store a page that was read a second time; the cursor stays, and what did not change counts as skipped.

    :raises LeaseLost: if another worker has the job; nothing is written then
    """
    with transaction.atomic():
        found = comparing.compare(job, fetched, comparing.hashes_of(fetched))
        found.skipped, found.unchanged = found.skipped + found.unchanged, 0
        page = _write_records(job, fetched, found, cursor=f"overlap before page {job.next_page_number}")
        checkpoints.move(lease, replace(fetched, next_cursor=job.cursor), page._replace(is_overlap=True))
        deadletters.record_rejected(job, found.rejected)
    job.next_page_number += 1


def cursor_digest(cursor: str | None) -> bytes:
    # The first page has no cursor; the marker keeps it apart from an empty one.
    return hashlib.sha256(b"first page" if cursor is None else b"cursor " + cursor.encode()).digest()


def _content_digest(fetched: FetchedPage, body_hashes: Sequence[bytes]) -> bytes | None:
    """Return what tells the page's records again; None for an empty page, which may come again."""
    if not fetched.records and not fetched.tombstones:
        return None
    digest = hashlib.sha256(b"".join(body_hashes))
    # Equal lines of a file are no loop: their line numbers differ.
    digest.update("".join([record.position for record in fetched.records]).encode())
    for gone in fetched.tombstones:
        digest.update(f"\0{gone.external_id}\0{gone.deleted_at}".encode(errors="replace"))
    return digest.digest()


def _constraint(error: IntegrityError) -> str:
    """Return the name of the constraint that the page broke."""
    cause = error.__cause__
    return (isinstance(cause, psycopg2.Error) and cause.diag.constraint_name) or ""


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


def _write_records(
    job: CollectionJob,
    fetched: FetchedPage,
    found: Sorted,
    *,
    cursor: str | None,
    content_digest: bytes | None = None,
    fetch_ms: int = 0,
) -> NewPage:
    """Write the records' new versions; return their page, which is still to be written."""
    raw_ids = _write_versions(job, found) + found.retried
    return NewPage(
        job_id=job.pk,
        number=job.next_page_number,
        pass_number=job.pass_number,
        cursor=cursor,
        cursor_digest=cursor_digest(cursor),
        content_digest=content_digest,
        is_overlap=False,
        raw_ids=raw_ids,
        fetched=len(fetched.records) + len(fetched.tombstones),
        unchanged=found.unchanged,
        skipped=found.skipped,
        failed=len(found.rejected),
        fetch_ms=fetch_ms,
    )


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
