"""Replay: send dead letters through the current code again, as a run of their own."""

from __future__ import annotations

from collections import defaultdict

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from connectors.base import Page as FetchedPage
from connectors.base import SourceRecord
from ingest import deadletters, landing
from ingest.models import CollectionJob, FailedSync, SourceStream

LETTERS_PER_PAGE = 500


def replay(letters: QuerySet[FailedSync], *, trigger: str) -> list[CollectionJob]:
    """
    Start a run per stream over the open letters among these; return the runs.

    A letter whose record was cut to an excerpt stays open: only the source has the whole of it.
    """
    by_stream: dict[int, list[int]] = defaultdict(list)
    for pk, stream_id in (
        letters.filter(resolved_at__isnull=True).values_list("pk", "stream_id").order_by("pk")
    ):
        by_stream[stream_id].append(pk)
    return [_replay_stream(stream_id, ids, trigger=trigger) for stream_id, ids in sorted(by_stream.items())]


def _replay_stream(stream_id: int, letter_ids: list[int], *, trigger: str) -> CollectionJob:
    stream = SourceStream.objects.get(pk=stream_id)
    with transaction.atomic():
        job = CollectionJob.objects.create(
            source_id=stream.source_id,
            stream=stream,
            mode=CollectionJob.Mode.REPLAY,
            trigger=trigger,
            status=CollectionJob.Status.RUNNING,
            is_fetched=True,
            started_at=Now(),
        )
        for first in range(0, len(letter_ids), LETTERS_PER_PAGE):
            _land_page(job, letter_ids[first : first + LETTERS_PER_PAGE])
    return job


def _land_page(job: CollectionJob, letter_ids: list[int]) -> None:
    records = _records(letter_ids)
    beyond_help = sorted(set(letter_ids) - records.keys())
    landing.land_again(job, FetchedPage(records=list(records.values())), beyond_help=len(beyond_help))
    deadletters.fail_again(job, beyond_help)


def _records(letter_ids: list[int]) -> dict[int, SourceRecord]:
    """
    Return by letter the newest raw version where there is one, else what the letter keeps.

    Letters that hold an excerpt only or no usable id are not among them, nor those whose object is gone.
    """
    with connection.cursor() as cursor:
        # As text, so that no decoder makes floats of money on the way.
        cursor.execute(
            """
            SELECT letter.id, letter.external_id, letter.fingerprint, raw.payload::text, letter.raw_data::text
              FROM ingest_failedsync letter
              LEFT JOIN LATERAL (
                SELECT payload, is_deleted FROM ingest_rawrecord raw
                 WHERE letter.raw_id IS NOT NULL AND raw.stream_id = letter.stream_id
                   AND raw.external_id = letter.external_id
                 ORDER BY raw.version DESC LIMIT 1
              ) raw ON true
             WHERE letter.id = ANY(%s) AND raw.is_deleted IS NOT TRUE
             ORDER BY letter.id
            """,
            [letter_ids],
        )
        rows = cursor.fetchall()
    return {
        letter_id: SourceRecord(body=body, external_id=external_id)
        for letter_id, external_id, fingerprint, payload, raw_data in rows
        if external_id and fingerprint == deadletters.fingerprint(external_id, b"")
        if (body := _body(payload, raw_data)) is not None
    }


def _body(payload: str | None, raw_data: str) -> bytes | None:
    return deadletters.body_for_replay(raw_data.encode()) if payload is None else payload.encode()
