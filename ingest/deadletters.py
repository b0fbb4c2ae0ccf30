"""Dead letters: nothing that failed is lost, neither the record nor the reason."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from connectors import exact_json
from connectors.base import SourceRecord
from connectors.errors import RecordError
from ingest.models import CollectionJob, FailedSync, RawRecord

log = logging.getLogger(__name__)

# Longer payloads are kept as an excerpt with their hash; the dead letter must always fit.
MAX_STORED_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot become a raw row."""

    record: SourceRecord
    reason: str


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


def ids_in_trouble(stream_id: int, external_ids: list[str]) -> frozenset[str]:
    """Return those of the ids that have an open dead letter with a raw row: worth another try."""
    letters = FailedSync.objects.filter(
        stream=stream_id, external_id__in=external_ids, resolved_at__isnull=True, raw__isnull=False
    )
    return frozenset(letters.values_list("external_id", flat=True))


def resolve_synced(job: CollectionJob, external_ids: Iterable[str]) -> int:
    """Close the open dead letters of objects that are now refined."""
    resolutions = FailedSync.Resolution
    how = resolutions.REPLAYED if job.mode == CollectionJob.Mode.REPLAY else resolutions.SYNCED
    return FailedSync.objects.filter(
        stream=job.stream_id, external_id__in=list(external_ids), resolved_at__isnull=True
    ).update(resolved_at=Now(), resolution=how)


def resolve_by_hand(letters: QuerySet[FailedSync]) -> int:
    return letters.filter(resolved_at__isnull=True).update(
        resolved_at=Now(), resolution=FailedSync.Resolution.BY_HAND
    )


def body_for_replay(letter: FailedSync) -> bytes | None:
    """Return the record's JSON text again, or None where only an excerpt was kept."""
    data = letter.raw_data
    if isinstance(data, dict) and set(data) == {"unreadable"}:
        return str(data["unreadable"]).encode()
    if isinstance(data, dict) and set(data) == {"excerpt", "bytes", "sha256"}:
        return None
    return json.dumps(data).encode()


def raw_rows_of(letters: Iterable[FailedSync]) -> list[int]:
    """Return the newest raw row of each letter's object."""
    newest = (
        RawRecord.objects.filter(
            stream__in={letter.stream_id for letter in letters},
            external_id__in={letter.external_id for letter in letters if letter.raw_id},
        )
        .order_by("stream_id", "external_id", "-version")
        .distinct("stream_id", "external_id")
    )
    return list(newest.values_list("pk", flat=True))
