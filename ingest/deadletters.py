"""Dead letters: nothing that failed is lost, neither the record nor the reason."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from connectors import exact_json
from connectors.base import SourceRecord
from connectors.errors import RecordError
from ingest.models import CollectionJob, FailedSync

log = logging.getLogger(__name__)

# Longer payloads are kept as an excerpt with their hash; the dead letter must always fit.
MAX_STORED_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot become a raw row."""

    record: SourceRecord
    reason: str


@dataclass(frozen=True, slots=True)
class Understood:
    """A version that went through, and when it landed."""

    external_id: str
    raw_id: int
    landed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a dead letter is made of."""

    external_id: str
    kind: str
    raw_id: int | None
    raw_data: Any
    error_type: str
    error: str
    fingerprint: str


def fingerprint(external_id: str, body: bytes) -> str:
    return hashlib.sha256(b"id " + external_id.encode(errors="replace") if external_id else body).hexdigest()


def record_rejected(job: CollectionJob, rejected: Sequence[Rejected]) -> None:
    """Write dead letters for records that were turned away at landing."""
    record(job, [_rejected_letter(job.stream.kind, one) for one in rejected])


def _rejected_letter(kind: str, rejected: Rejected) -> Letter:
    found = rejected.record
    where = f"{found.position}: " if found.position else ""
    return Letter(
        external_id=storable_text(found.external_id)[:255],
        kind=kind,
        raw_id=None,
        raw_data=storable_payload(found.body),
        error_type=RecordError.error_type,
        error=storable_text(f"{where}{rejected.reason}"),
        fingerprint=fingerprint(found.external_id, found.body),
    )


def record(job: CollectionJob, letters: Sequence[Letter]) -> None:
    """Write or, where the same object is dead already, renew dead letters, in the caller's transaction."""
    unique = {letter.fingerprint: letter for letter in letters}
    if not unique:
        return
    rows = [
        {
            "external_id": letter.external_id,
            "kind": letter.kind,
            "raw_id": letter.raw_id,
            "raw_data": letter.raw_data,
            "error_type": letter.error_type,
            "error": letter.error,
            "fingerprint": letter.fingerprint,
        }
        for letter in sorted(unique.values(), key=lambda letter: letter.fingerprint)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ingest_failedsync AS held
                   (source_id, stream_id, job_id, kind, external_id, raw_id, raw_data,
                    error_type, error, fingerprint, attempts, resolution)
            SELECT %s, %s, %s, new.kind, new.external_id, new.raw_id, new.raw_data,
                   new.error_type, new.error, new.fingerprint, 1, ''
              FROM jsonb_to_recordset(%s::jsonb) AS new (kind text, external_id text, raw_id bigint,
                   raw_data jsonb, error_type text, error text, fingerprint text)
             ORDER BY new.fingerprint
            ON CONFLICT (stream_id, fingerprint) WHERE resolved_at IS NULL DO UPDATE
               SET attempts = held.attempts + 1, error = EXCLUDED.error, error_type = EXCLUDED.error_type,
                   raw_id = COALESCE(EXCLUDED.raw_id, held.raw_id), raw_data = EXCLUDED.raw_data,
                   job_id = EXCLUDED.job_id, last_failed_at = clock_timestamp()
            """,
            [job.source_id, job.stream_id, job.pk, exact_json.dumps(rows).decode()],
        )


def storable_payload(body: bytes) -> Any:
    """Return JSON that PostgreSQL can store and from which a person can read the record."""
    if len(body) > MAX_STORED_BYTES:
        return {
            "excerpt": storable_text(body[:MAX_STORED_BYTES].decode(errors="backslashreplace")),
            "bytes": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
    try:
        return exact_json.loads(body)
    except RecordError:
        return {"unreadable": storable_text(body.decode(errors="backslashreplace"))}


def storable_text(text: str) -> str:
    """Return the text with NULs and lone surrogates written as escapes."""
    return text.encode(errors="backslashreplace").decode().replace("\x00", "\\u0000")


def resolve_synced(job: CollectionJob, understood: Sequence[Understood]) -> int:
    """
    Close the open dead letters of objects that are understood now; return how many.

    Pages are applied in any order: a letter about a later version than the one understood stays open.
    """
    if not FailedSync.objects.filter(stream=job.stream_id, resolved_at__isnull=True).exists():
        return 0
    resolutions = FailedSync.Resolution
    how = resolutions.REPLAYED if job.mode == CollectionJob.Mode.REPLAY else resolutions.SYNCED
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE ingest_failedsync letter SET resolved_at = clock_timestamp(), resolution = %s
              FROM unnest(%s::text[], %s::bigint[], %s::timestamptz[]) AS one (external_id, raw_id, landed_at)
             WHERE letter.stream_id = %s AND letter.external_id = one.external_id
               AND letter.resolved_at IS NULL
               AND CASE WHEN letter.raw_id IS NULL THEN letter.last_failed_at <= one.landed_at
                        ELSE letter.raw_id <= one.raw_id END
            """,
            [
                how,
                [one.external_id for one in understood],
                [one.raw_id for one in understood],
                [one.landed_at for one in understood],
                job.stream_id,
            ],
        )
        return int(cursor.rowcount)


def fail_again(job: CollectionJob, letter_ids: Sequence[int]) -> None:
    """Note one more failure on letters that no code of ours can help."""
    FailedSync.objects.filter(pk__in=letter_ids).order_by("fingerprint").update(
        attempts=F("attempts") + 1, job=job, last_failed_at=Now()
    )


def resolve_by_hand(letters: QuerySet[FailedSync]) -> int:
    return letters.filter(resolved_at__isnull=True).update(
        resolved_at=Now(), resolution=FailedSync.Resolution.BY_HAND
    )


def body_for_replay(stored: bytes) -> bytes | None:
    """Return the record's JSON text again from a letter's `raw_data`; None where it was cut to an excerpt."""
    data = exact_json.loads(stored)
    if isinstance(data, dict) and data.keys() == {"unreadable"}:
        return str(data["unreadable"]).encode()
    if isinstance(data, dict) and data.keys() == {"excerpt", "bytes", "sha256"}:
        return None
    return stored
