"""
Landing: keep what the provider said, and the place we stopped, in one transaction.

The page is compared with the latest version of each object; only what changed is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest, Now

from connectors import exact_json
from connectors.base import MAX_ID_LENGTH, SourceRecord
from connectors.base import Page as FetchedPage
from connectors.errors import PaginationLoop, RecordError
from ingest import deadletters, isolating, leases, versions
from ingest.leases import Lease, write_fenced
from ingest.models import CollectionJob, Page
from ingest.versions import Latest, NewVersion

PAGES_COMPARED = 10
EMPTY_PAGES = 500
ONE_PAGE_PER_CURSOR = "one_page_per_cursor"


@dataclass(slots=True)
class Sorted:
    """One page's records, sorted by what has to happen with them."""

    new: list[NewVersion] = field(default_factory=list)
    rejected: list[deadletters.Rejected] = field(default_factory=list)
    #: Raw ids of objects that did not change but are dead letters still: they get another try.
    retried: list[int] = field(default_factory=list)
    unchanged: int = 0
    skipped: int = 0


def land(job: CollectionJob, lease: Lease, fetched: FetchedPage, *, fetch_ms: int) -> Page:
    """
    Store the page at the job's cursor and move the cursor, all or nothing.

    :raises LeaseLost: if another worker has the job; nothing is written then
    :raises PaginationLoop: if this page or the cursor it stands at was seen before in this run
    """
    content_digest = _digest_of_bodies(fetched)
    try:
        with transaction.atomic():
            _refuse_repetition(job, fetched, content_digest)
            page = _land_records(
                job, fetched, cursor=job.cursor, content_digest=content_digest, fetch_ms=fetch_ms
            )
            _move_checkpoint(job, lease, fetched, page)
    except IntegrityError as error:
        if ONE_PAGE_PER_CURSOR not in str(error):
            raise
        # The page that led back here is new itself and was kept.
        raise PaginationLoop(
            f"The source led page {job.next_page_number} back to a cursor it gave before; going on would "
            "never end. What arrived is kept. Report it to the provider, or use another paging kind."
        ) from None
    return page


def land_again(job: CollectionJob, again: FetchedPage, *, beyond_help: int) -> Page:
    """
    Store a page of a replay: no provider was asked, so there is no cursor to move and no lease.

    `beyond_help` records could not even be tried; they count as failed.
    """
    page = _land_records(
        job,
        again,
        cursor=f"replay {job.next_page_number}",
        content_digest=_digest_of_bodies(again),
        fetch_ms=0,
    )
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
    digest = _digest_of_bodies(fetched)
    with transaction.atomic():
        marker = f"overlap before page {job.next_page_number}"
        page = _land_records(job, fetched, cursor=marker, content_digest=digest, fetch_ms=0)
        page.is_overlap = True
        page.skipped, page.unchanged = page.skipped + page.unchanged, 0
        page.save(update_fields=["is_overlap", "skipped", "unchanged"])
        _move_checkpoint(job, lease, replace(fetched, next_cursor=job.cursor), page)
    return page


def cursor_digest(cursor: str | None) -> bytes:
    # The first page has no cursor; the marker keeps it apart from an empty one.
    return hashlib.sha256(b"first page" if cursor is None else b"cursor " + cursor.encode()).digest()


def _digest_of_bodies(fetched: FetchedPage) -> bytes:
    digest = hashlib.sha256()
    for record in fetched.records:
        digest.update(record.body)
        # Equal lines of a file are no loop: their line numbers differ.
        digest.update(record.position.encode())
    for tombstone in fetched.tombstones:
        digest.update(tombstone.external_id.encode(errors="replace"))
    return digest.digest()


def _refuse_repetition(job: CollectionJob, fetched: FetchedPage, content_digest: bytes) -> None:
    number = job.next_page_number
    seen = Page.objects.filter(job=job, pass_number=job.pass_number)
    if not fetched.records and not fetched.tombstones:
        _refuse_endless_emptiness(job, seen.filter(number__gte=number - EMPTY_PAGES, fetched__gt=0))
    elif seen.filter(number__gte=number - PAGES_COMPARED, content_digest=content_digest).exists():
        raise PaginationLoop(
            f"Page {number} holds the very records of an earlier page under a new cursor; "
            "going on would never end. Check the paging settings of this stream."
        )


def _refuse_endless_emptiness(job: CollectionJob, full_lately: QuerySet[Page]) -> None:
    # Some sources answer empty pages for quiet days; none for this long.
    if job.next_page_number > EMPTY_PAGES and not full_lately.exists():
        raise PaginationLoop(
            f"{EMPTY_PAGES} pages in a row were empty, each naming a next one; going on would never end. "
            "Check the paging settings of this stream."
        )


def _land_records(
    job: CollectionJob, fetched: FetchedPage, *, cursor: str | None, content_digest: bytes, fetch_ms: int
) -> Page:
    found = Sorted()
    _sort(job, _newest_of_each(fetched.records, found), found)
    if fetched.tombstones:
        _sort_tombstones(job, fetched, found)
    raw_ids = _write_versions(job, found) + found.retried
    page = Page(
        job=job,
        number=job.next_page_number,
        pass_number=job.pass_number,
        cursor=cursor,
        cursor_digest=cursor_digest(cursor),
        content_digest=content_digest,
        raw_ids=raw_ids,
        fetched=len(fetched.records) + len(fetched.tombstones),
        unchanged=found.unchanged,
        skipped=found.skipped,
        failed=len(found.rejected),
        fetch_ms=fetch_ms,
        landed_at=Now(),
    )
    if not raw_ids and not found.rejected:
        page.state, page.applied_at = Page.State.COUNTED, Now()  # nothing to do for the later steps
    page.save(force_insert=True)
    deadletters.record_rejected(job, found.rejected)
    return page


def _newest_of_each(records: Sequence[SourceRecord], found: Sorted) -> list[SourceRecord]:
    """Return one record per id, the newest or else the last; reject those without a usable id."""
    by_id: dict[str, SourceRecord] = {}
    for record in records:
        if problem := _problem(record):
            found.rejected.append(deadletters.Rejected(record, problem))
            continue
        held = by_id.get(record.external_id)
        if held is None or not _is_older(record, held):
            by_id[record.external_id] = record
    found.skipped = len(records) - len(by_id) - len(found.rejected)
    return list(by_id.values())


def _problem(record: SourceRecord) -> str:
    """Return why the record cannot be kept under its id; "" if it can."""
    if record.problem or not record.external_id:
        return record.problem or "record without an id"
    if len(record.external_id) > MAX_ID_LENGTH:
        return f"its id has {len(record.external_id)} characters, more than {MAX_ID_LENGTH}"
    if not _is_storable(record.external_id):
        return "its id holds a NUL or a lone surrogate, which PostgreSQL cannot store"
    return ""


def _is_storable(external_id: str) -> bool:
    return (external_id.isascii() and external_id.isprintable()) or (
        deadletters.storable_text(external_id) == external_id
    )


def _is_older(record: SourceRecord, held: SourceRecord) -> bool:
    return bool(record.updated_at and held.updated_at and record.updated_at < held.updated_at)


def _sort(job: CollectionJob, records: Sequence[SourceRecord], found: Sorted) -> None:
    latest = versions.latest(job.stream_id, [record.external_id for record in records])
    for record in records:
        _sort_one(found, record, latest.get(record.external_id))


def _sort_one(found: Sorted, record: SourceRecord, latest: Latest | None) -> None:
    body_hash = hashlib.sha256(record.body).digest()
    if latest and latest.body_hash == body_hash and not latest.is_deleted:
        _note_unchanged(found, latest)
        return
    try:
        content_hash = exact_json.canonical_hash(record.body)
    except RecordError as error:
        found.rejected.append(deadletters.Rejected(record, str(error)))
        return
    if latest and latest.content_hash == content_hash and not latest.is_deleted:
        _note_unchanged(found, latest)
        return
    found.new.append(
        NewVersion(
            external_id=record.external_id,
            version=latest.version + 1 if latest else 1,
            body=record.body,
            body_hash=body_hash,
            content_hash=content_hash,
            updated_at=record.updated_at,
        )
    )


def _note_unchanged(found: Sorted, latest: Latest) -> None:
    if latest.is_in_trouble:
        found.retried.append(latest.raw_id)
    else:
        found.unchanged += 1


def _sort_tombstones(job: CollectionJob, fetched: FetchedPage, found: Sorted) -> None:
    gone = {one.external_id: one for one in fetched.tombstones if _is_storable(one.external_id)}
    found.skipped += len(fetched.tombstones) - len(gone)
    coming = {version.external_id for version in found.new}
    latest = versions.latest(job.stream_id, list(gone))
    for external_id, tombstone in gone.items():
        held = latest.get(external_id)
        if held is None or held.is_deleted or external_id in coming:
            found.unchanged += 1  # never had it, or know already
            continue
        body = exact_json.dumps({"deleted_at": tombstone.deleted_at and tombstone.deleted_at.isoformat()})
        digest = hashlib.sha256(body).digest()
        found.new.append(
            NewVersion(
                external_id=external_id,
                version=held.version + 1,
                body=body,
                body_hash=digest,
                content_hash=digest,
                updated_at=tombstone.deleted_at,
                is_deleted=True,
            )
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


def _move_checkpoint(job: CollectionJob, lease: Lease, fetched: FetchedPage, page: Page) -> None:
    """:raises LeaseLost: if another worker has the job"""
    values: dict[str, Any] = {
        "cursor": fetched.next_cursor,
        **_page_counts(page),
        "progress_at": Now(),
        # Progress renews the lease and makes earlier failures count no longer. The last page ends the
        # fetching in the same write: a cursor of None must never be taken for the beginning.
        "is_fetched": fetched.next_cursor is None,
        "lease_until": None if fetched.next_cursor is None else leases.end_from_now(),
        "attempts": 0,
        "crashes": 0,
        "error_type": "",
        "error": "",
    }
    high_water = max((record.updated_at for record in fetched.records if record.updated_at), default=None)
    if high_water is not None:
        values["high_water"] = Greatest("high_water", high_water)
    if fetched.expected_total is not None:
        values["expected_total"] = fetched.expected_total
    if fetched.cut_short:
        values |= {
            "outcome": CollectionJob.Status.PARTIAL,
            "error_type": "cut_short",
            "error": f"Stopped although the source has more: {fetched.cut_short}. Raise it to get the rest.",
        }
    if fetched.stream_state is not None:
        values["stream_state"] = fetched.stream_state
    write_fenced(lease, **values)


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
