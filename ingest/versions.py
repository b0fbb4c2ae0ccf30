"""Versions of objects in the raw layer: finding the latest of each, adding the next."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from django.db import connection

from connectors import exact_json
from ingest import copying
from ingest.models import CollectionJob
from ingest.prepared import Prepared


class Latest(NamedTuple):
    """The newest version we hold of one object, if any."""

    #: For the row of the next version, should there be one.
    next_raw_id: int
    #: None if we never had the object.
    raw_id: int | None
    #: 0 if we never had it.
    version: int
    is_deleted: bool
    #: It has an open dead letter, so that the same version is worth another try.
    is_in_trouble: bool
    #: It is not deleted, and of the very bytes that were asked about.
    is_same: bool
    #: Its JSON text, where it is neither deleted nor the same: other bytes may still say the same.
    payload: str | None


class NewVersion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A raw row to be written."""

    raw_id: int
    external_id: str
    version: int
    body: bytes
    body_hash: bytes
    updated_at: datetime | None
    is_deleted: bool = False


# Compared where the hashes are: of a page without news nothing travels back. One index probe per id,
# whatever the planner knows of the table: a join against a table that was never analysed is many times
# slower. Letters are looked for only where the stream has any. Ids are drawn here, for the rows that come
# back, to save a round trip; those of objects that turn out not to have changed are never used.
_DIFFERING = Prepared(
    "differing_versions",
    """
    SELECT wanted.id, nextval('ingest_rawrecord_id_seq'), latest.id, COALESCE(latest.version, 0),
           latest.is_deleted IS TRUE, latest.is_in_trouble IS TRUE,
           (latest.body_hash = wanted.body_hash AND NOT latest.is_deleted) IS TRUE,
           CASE WHEN %(with_payloads)s AND latest.body_hash <> wanted.body_hash
                     AND NOT latest.is_deleted
                THEN latest.payload::text END
      FROM (
        SELECT id, substring(%(hashes)s FROM (place - 1)::int * 32 + 1 FOR 32) AS body_hash
          FROM json_array_elements_text(%(ids)s) WITH ORDINALITY AS given (id, place)
      ) wanted
      LEFT JOIN LATERAL (
        SELECT raw.id, raw.version, raw.body_hash, raw.payload, raw.is_deleted,
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
        OR latest.body_hash <> wanted.body_hash
    """,
    {"stream": "bigint", "ids": "json", "hashes": "bytea", "with_payloads": "boolean"},
)


def differing(
    stream_id: int, body_hashes: Mapping[str, bytes], *, with_payloads: bool = True
) -> dict[str, Latest]:
    """
    Return what we hold of each object, by id, where its newest version is not of the given hash.

    What is deleted or in trouble is returned whatever its hash, and so are objects we never had.
    """
    with connection.cursor() as cursor:
        _DIFFERING.execute(
            cursor,
            {
                "stream": stream_id,
                "ids": exact_json.dumps(list(body_hashes)).decode(),
                "hashes": b"".join(body_hashes.values()),
                "with_payloads": with_payloads,
            },
        )
        return {row[0]: Latest._make(row[1:]) for row in cursor.fetchall()}


_COPY = (
    "COPY ingest_rawrecord (id, stream_id, external_id, version, payload, body_hash,"
    " source_updated_at, is_deleted, job_id) FROM STDIN"
)


def add(job: CollectionJob, versions: Sequence[NewVersion]) -> list[int]:
    """
    Add the rows and return their ids, as they came.

    :raises DataError: if PostgreSQL cannot hold one of them
    :raises IntegrityError: if another writer added the same version
    """
    # The second, because Django wraps the errors of what it knows, which COPY is not.
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(_COPY, io.BytesIO(b"".join(_copy_lines(job, versions))))
    return [new.raw_id for new in versions]


def _copy_lines(job: CollectionJob, versions: Sequence[NewVersion]) -> Iterable[bytes]:
    for new in versions:
        updated_at = new.updated_at.isoformat().encode() if new.updated_at else b"\\N"
        yield b"%d\t%d\t%s\t%d\t%s\t\\\\x%s\t%s\t%s\t%d\n" % (
            new.raw_id,
            job.stream_id,
            copying.escaped(new.external_id.encode()),
            new.version,
            copying.escaped(new.body),
            new.body_hash.hex().encode(),
            updated_at,
            b"t" if new.is_deleted else b"f",
            job.pk,
        )
