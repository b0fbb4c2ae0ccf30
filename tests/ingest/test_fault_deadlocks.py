"""Batches that hold the same rows in another order: whoever comes second waits, and nobody is killed."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import UTC, date, datetime

import pytest
from django.db import connection, transaction

from connectors.kinds import GenericRecord as Record
from ingest import tables
from ingest.models import GenericRecord, Source
from tests.ingest.steps import in_threads

DAY = date(2026, 3, 1)
LATER = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAIT = 20.0


def rows(ids: str, *, raw_id: int) -> tables.Columns:
    count = len(ids)
    return tables.columns_of("record", [Record(external_id=one) for one in ids]) | {
        "id": [str(uuid.uuid4()) for _ in ids],
        "raw_id": [raw_id] * count,
        "source_updated_at": [LATER] * count,
        "day": [DAY] * count,
    }


def write(source: Source, ids: str, *, raw_id: int) -> None:
    with transaction.atomic():
        tables.upsert("record", rows(ids, raw_id=raw_id), source_id=source.pk)


def wait_until_waiting(count: int) -> None:
    """Return once so many others wait for a lock in this database."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees its first look again
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0] == count:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits: the test shows nothing")


@pytest.mark.django_db(transaction=True)
def test_rows_are_locked_in_one_order_whatever_order_they_come_in(source: Source) -> None:
    """Both hold their first row and wait for the middle one; unsorted, each then needs the other's first."""
    write(source, "amz", raw_id=1)
    errors: list[BaseException] = []

    def write_again(number: int) -> None:
        try:
            write(source, ("amz", "zma")[number], raw_id=2 + number)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be
            errors.append(error)

    with transaction.atomic():
        GenericRecord.objects.select_for_update().get(external_id="m")
        writers = threading.Thread(target=in_threads, args=(2, write_again))
        writers.start()
        wait_until_waiting(2)
    writers.join(WAIT)

    assert errors == []
    assert set(GenericRecord.objects.values_list("raw_id", flat=True)) <= {2, 3}
