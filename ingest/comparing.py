"""Comparing a page's records with the latest version of each object: what is new, changed, or as before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from connectors import exact_json
from connectors.base import MAX_ID_LENGTH, SourceRecord
from connectors.base import Page as FetchedPage
from connectors.errors import RecordError
from ingest import deadletters, versions
from ingest.models import CollectionJob
from ingest.versions import Latest, NewVersion

NO_HASH = bytes(32)


@dataclass(slots=True)
class Sorted:
    """One page's records, sorted by what has to happen with them."""

    new: list[NewVersion] = field(default_factory=list)
    rejected: list[deadletters.Rejected] = field(default_factory=list)
    #: Raw ids of objects that did not change but are dead letters still: they get another try.
    retried: list[int] = field(default_factory=list)
    unchanged: int = 0
    skipped: int = 0


def hashes_of(fetched: FetchedPage) -> list[bytes]:
    """Return the sha256 of each record's bytes."""
    return [hashlib.sha256(record.body).digest() for record in fetched.records]


def compare(job: CollectionJob, fetched: FetchedPage, body_hashes: Sequence[bytes]) -> Sorted:
    """Sort the page's records, whose hashes are given, and its tombstones; nothing is written."""
    found = Sorted()
    newest = _newest_of_each(fetched.records, body_hashes, found)
    held = versions.differing(job.stream_id, {record_id: pair[1] for record_id, pair in newest.items()})
    found.unchanged = len(newest) - len(held)
    for external_id, latest in held.items():
        _sort_one(found, *newest[external_id], latest)
    if fetched.tombstones:
        _sort_tombstones(job, fetched, found)
    return found


def _newest_of_each(
    records: Sequence[SourceRecord], body_hashes: Sequence[bytes], found: Sorted
) -> dict[str, tuple[SourceRecord, bytes]]:
    """Return one record and its hash per id, the newest or else the last; reject those without an id."""
    ids = [record.external_id for record in records]
    by_id = dict(zip(ids, zip(records, body_hashes, strict=True), strict=True))
    if len(by_id) == len(ids) and _are_ordinary(ids) and not any([record.problem for record in records]):
        return by_id
    by_id.clear()
    for record, body_hash in zip(records, body_hashes, strict=True):
        if problem := _problem(record):
            found.rejected.append(deadletters.Rejected(record, problem))
            continue
        held = by_id.get(record.external_id)
        if held is None or not _is_older(record, held[0]):
            by_id[record.external_id] = record, body_hash
    found.skipped = len(records) - len(by_id) - len(found.rejected)
    return by_id


def _are_ordinary(ids: Sequence[str]) -> bool:
    """Tell at one look at a whole page, as the ids of nearly all are, that nothing is odd about any."""
    glued = "".join(ids)
    return (
        glued.isascii()
        and glued.isprintable()
        and all(ids)
        and max(map(len, ids), default=0) <= MAX_ID_LENGTH
    )


def _problem(record: SourceRecord) -> str:
    """Return why the record cannot be kept under its id; "" if it can."""
    external_id = record.external_id
    if record.problem or not external_id:
        return record.problem or "record without an id"
    if len(external_id) > MAX_ID_LENGTH:
        return f"its id has {len(external_id)} characters, more than {MAX_ID_LENGTH}"
    if deadletters.storable_text(external_id) != external_id:
        return "its id holds a NUL or a lone surrogate, which PostgreSQL cannot store"
    return ""


def _is_older(record: SourceRecord, held: SourceRecord) -> bool:
    return bool(record.updated_at and held.updated_at and record.updated_at < held.updated_at)


def _sort_one(found: Sorted, record: SourceRecord, body_hash: bytes, latest: Latest) -> None:
    if latest.is_same:
        _note_unchanged(found, latest)
        return
    try:
        exact_json.refuse_unreadable(record.body)
    except RecordError as error:
        found.rejected.append(deadletters.Rejected(record, str(error)))
        return
    if latest.payload is not None and _say_the_same(latest.payload.encode(), record.body):
        _note_unchanged(found, latest)
        return
    found.new.append(
        NewVersion(
            raw_id=latest.next_raw_id,
            external_id=record.external_id,
            version=latest.version + 1,
            body=record.body,
            body_hash=body_hash,
            updated_at=record.updated_at,
        )
    )


def _say_the_same(held: bytes, came: bytes) -> bool:
    """Tell whether two texts differ in spelling only; what cannot be read is never the same."""
    with suppress(RecordError):
        return exact_json.canonical_hash(held) == exact_json.canonical_hash(came)
    return False


def _note_unchanged(found: Sorted, latest: Latest) -> None:
    if latest.is_in_trouble and latest.raw_id:
        found.retried.append(latest.raw_id)
    else:
        found.unchanged += 1


def _sort_tombstones(job: CollectionJob, fetched: FetchedPage, found: Sorted) -> None:
    gone = {
        one.external_id: one
        for one in fetched.tombstones
        if deadletters.storable_text(one.external_id) == one.external_id
    }
    found.skipped += len(fetched.tombstones) - len(gone)
    coming = {version.external_id for version in found.new}
    latest = versions.differing(job.stream_id, dict.fromkeys(gone, NO_HASH), with_payloads=False)
    for external_id, tombstone in gone.items():
        held = latest[external_id]
        if held.raw_id is None or held.is_deleted or external_id in coming:
            found.unchanged += 1  # never had it, or know already
            continue
        body = exact_json.dumps({"deleted_at": tombstone.deleted_at and tombstone.deleted_at.isoformat()})
        found.new.append(
            NewVersion(
                raw_id=held.next_raw_id,
                external_id=external_id,
                version=held.version + 1,
                body=body,
                body_hash=hashlib.sha256(body).digest(),
                updated_at=tombstone.deleted_at,
                is_deleted=True,
            )
        )
