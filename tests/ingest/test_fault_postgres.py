"""PostgreSQL refuses, for a reason that is no record's fault: nothing is lost, doubled or dead-lettered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from connectors.base import Page as FetchedPage
from ingest import applying, jobs, leases
from ingest.models import CollectionJob, FailedSync, GenericRecord, Page, RawRecord, Source, SourceStream
from tests.conftest import finish
from tests.ingest.steps import (
    Run,
    StreamNamed,
    apply,
    assert_accounted,
    counts,
    fetch,
    in_threads,
    land,
    start,
)
from tests.scripted import Script, ScriptedConnector, record

pytestmark = pytest.mark.django_db

#: What PostgreSQL says of itself; none of it is about a value.
TROUBLES = {
    "serialization failure": "40001",
    "deadlock": "40P01",
    "disk full": "53100",
    "out of memory": "53200",
    "too many connections": "53300",
    "lock not available": "55P03",
    "shutting down": "57P01",
    "starting up": "57P03",
    "read-only after a failover": "25006",
}
in_trouble = pytest.mark.parametrize("code", TROUBLES.values(), ids=TROUBLES.keys())


@contextmanager
def refusing(table: str, code: str) -> Iterator[None]:
    """Let every insert into a table fail with this SQLSTATE."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION in_trouble() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'in trouble' USING ERRCODE = '{code}'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER in_trouble BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION in_trouble()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER in_trouble ON {table}")


@in_trouble
def test_a_page_that_cannot_land_is_fetched_again(script: Script, stream: StreamNamed, code: str) -> None:
    script.says("records", [record("1")], [record("2")])
    job = start(stream("records"))

    with refusing("ingest_rawrecord", code):
        assert fetch(job) == 0

    assert (job.status, job.attempts, job.error_type, job.lease_until) == ("PENDING", 1, "network", None)
    assert not RawRecord.objects.exists()
    job = finish(job)
    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 2, "inserted": 2})
    assert_accounted(job)
    assert not FailedSync.objects.exists()


@in_trouble
def test_a_page_that_cannot_be_applied_waits_however_long_it_takes(stream: StreamNamed, code: str) -> None:
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1"), record("2")]))

    with refusing("ingest_genericrecord", code):
        for _ in range(applying.BEGINNINGS_BEFORE_GIVING_UP + 2):
            Page.objects.update(begun_at=None)
            assert apply(job) == 0

    job = finish(job)
    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 2, "inserted": 2})
    assert not FailedSync.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_provider_is_asked(
    script: Script, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock held for as long as a provider thinks would stop everybody else."""
    states: list[str] = []
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid

    def settled(number: int) -> str:
        """Return the state of the worker's connection once it rests; it may land a page meanwhile."""
        for _ in range(2000):
            with connection.cursor() as cursor:
                cursor.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid])
                state: str = cursor.fetchone()[0]
            if state == "idle":
                break
            time.sleep(0.01)
        return state

    monkeypatch.setattr(ScriptedConnector, "on_fetch", lambda: states.extend(in_threads(1, settled)))
    script.says("records", [record("1")], [record("2")], [record("3")])

    assert run("records").status == "SUCCEEDED"
    assert states == ["idle"] * 3


@pytest.mark.django_db(transaction=True)
def test_an_edit_in_the_admin_stops_no_worker_and_no_other_stream(
    script: Script, source: Source, stream: StreamNamed
) -> None:
    """Its transaction holds the rows of the source and one of its streams."""
    script.says("records", [record("1")])
    SourceStream.objects.update(schedule="every 15m", next_run_at=None)
    running = start(stream("records"))

    def others_work(number: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        jobs.start_due(now=running.created_at)
        assert leases.reap() == []
        assert fetch(running) == 1

    with transaction.atomic():
        Source.objects.filter(pk=source.pk).update(is_paused=False)
        SourceStream.objects.filter(pk=stream("records").pk).update(page_size=9)
        in_threads(1, others_work)

    assert CollectionJob.objects.filter(stream__name="orders").count() == 1
    assert finish(running).status == "SUCCEEDED"
    assert GenericRecord.objects.count() == 1
