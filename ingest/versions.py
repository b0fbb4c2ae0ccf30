"""Versions of objects in the raw layer: finding the latest of each, adding the next."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from connectors import exact_json
from ingest import copying
from ingest.models import CollectionJob


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest version we hold of one object."""

    raw_id: int
    version: int
    body_hash: bytes
    content_hash: bytes
    is_deleted: bool
    #: It has an open dead letter, so that the same version is worth another try.
    is_in_trouble: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A raw row to be written."""

    external_id: str
    version: int
    body: bytes
    body_hash: bytes
    content_hash: bytes
    updated_at: datetime | None
    is_deleted: bool = False


def differing(stream_id: int, body_hashes: Mapping[str, bytes]) -> dict[str, Latest | None]:
    """
    Return the newest version we hold of each object, by id, where that is not of the given hash.

    None stands for objects we never had. What is deleted or in trouble is returned whatever its hash.
    """
    # Compared where the hashes are: of a page without news nothing travels back. One index probe per id
    # whatever the planner knows of the table: a join against a table that was never analysed is many times
    # slower. Letters are looked for only where the stream has any.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.id, latest.*
              FROM json_array_elements_text(%(ids)s::json) WITH ORDINALITY AS wanted (id, place)
              LEFT JOIN LATERAL (
                SELECT raw.id, raw.version, raw.body_hash, raw.content_hash, raw.is_deleted,
                       CASE WHEN (SELECT EXISTS (SELECT 1 FROM ingest_failedsync
                                                  WHERE stream_id = %(stream)s AND resolved_at IS NULL))
                            THEN EXISTS (SELECT 1 FROM ingest_failedsync letter
                                          WHERE letter.stream_id = %(stream)s
                                            AND letter.external_id = raw.external_id
                                            AND letter.resolved_at IS NULL)
                            ELSE false END AS is_in_trouble
                  FROM ingest_rawrecord raw
                 WHERE raw.stream_id = %(stream)s AND raw.external_id = wanted.id
                 ORDER BY raw.version DESC LIMIT 1
              ) latest ON true
             WHERE latest.id IS NULL OR latest.is_deleted OR latest.is_in_trouble
                OR latest.body_hash <> substring(%(hashes)s FROM (wanted.place - 1)::int * 32 + 1 FOR 32)
            """,
            {
                "stream": stream_id,
                "ids": exact_json.dumps(list(body_hashes)).decode(),
                "hashes": b"".join(body_hashes.values()),
            },
        )
        return {
            external_id: None
            if raw_id is None
            else Latest(raw_id, version, bytes(body_hash), bytes(content_hash), *flags)
            for external_id, raw_id, version, body_hash, content_hash, *flags in cursor.fetchall()
        }


_COPY = (
    "COPY ingest_rawrecord (id, stream_id, external_id, version, payload, body_hash, content_hash,"
    " source_updated_at, is_deleted, job_id) FROM STDIN"
)


def add(job: CollectionJob, versions: Sequence[NewVersion]) -> list[int]:
    """
    Add the rows and return their ids.

    :raises DataError: if PostgreSQL cannot hold one of them
    :raises IntegrityError: if another writer added the same version
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval('ingest_rawrecord_id_seq') FROM generate_series(1, %s)", [len(versions)]
        )
        ids = [row[0] for row in cursor.fetchall()]
        with connection.wrap_database_errors:  # Django does so for what it knows, which is not COPY
            cursor.copy_expert(_COPY, io.BytesIO(b"".join(_copy_lines(job, ids, versions))))
    return ids


def _copy_lines(job: CollectionJob, ids: list[int], versions: Sequence[NewVersion]) -> Iterable[bytes]:
    for raw_id, new in zip(ids, versions, strict=True):
        updated_at = new.updated_at.isoformat().encode() if new.updated_at else b"\\N"
        yield b"%d\t%d\t%s\t%d\t%s\t\\\\x%s\t\\\\x%s\t%s\t%s\t%d\n" % (
            raw_id,
            job.stream_id,
            copying.escaped(new.external_id.encode()),
            new.version,
            copying.escaped(new.body),
            new.body_hash.hex().encode(),
            new.content_hash.hex().encode(),
            updated_at,
            b"t" if new.is_deleted else b"f",
            job.pk,
        )
