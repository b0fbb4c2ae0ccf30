"""Replay: dead letters through the current code again, none lost, none doubled, none disguised as another."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from connectors.base import Json, Tombstone
from connectors.base import Page as FetchedPage
from connectors.kinds import Kind, Order, OrderLine
from ingest import jobs
from ingest.models import CollectionJob, FailedSync, GenericRecord, RawRecord, Source, SourceStream
from ingest.models import Order as OrderRow
from ingest.replaying import replay
from tests.conftest import finish
from tests.ingest.steps import (
    Run,
    StreamNamed,
    assert_accounted,
    counts,
    in_threads,
    land,
    raw_texts,
    refines,
    start,
)
from tests.scripted import Script, raw_record, record

pytestmark = pytest.mark.django_db


def lenient(payload: Json) -> Kind:
    return Order(external_id=payload["id"], total_amount=payload.get("total"))


def replay_all() -> CollectionJob:
    (job,) = replay(FailedSync.objects.all(), trigger="ADMIN")
    return finish(job)


def test_a_replay_with_mended_code_resolves_the_letters(script: Script, run: Run) -> None:
    script.says("orders", [record("1"), record("2", total=2), record("3")])
    run("orders")
    refines(script, "orders", lenient)
    script.requests.clear()

    job = replay_all()

    assert (job.mode, job.status, counts(job)) == ("REPLAY", "SUCCEEDED", {"fetched": 2, "inserted": 2})
    assert set(FailedSync.objects.values_list("resolution", "attempts")) == {("REPLAYED", 1)}
    assert OrderRow.objects.count() == 3
    assert RawRecord.objects.count() == 3
    assert script.requests == []
    assert_accounted(job)


def test_a_replay_that_fails_counts_an_attempt_and_leaves_the_letter_open(script: Script, run: Run) -> None:
    script.says("orders", [record("1"), raw_record("", b'{"b": 1, "a": 2}', problem="no id")])
    run("orders")

    for attempts in (2, 3):
        job = replay_all()
        assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 2, "failed": 2})
        assert (
            list(FailedSync.objects.values_list("attempts", "resolved_at", "job_id"))
            == [(attempts, None, job.pk)] * 2
        )
        assert_accounted(job)
    assert RawRecord.objects.count() == 1


def test_letters_without_a_raw_row_are_replayed_from_what_they_keep(script: Script, run: Run) -> None:
    """As after a release that stores what the one before refused."""
    body = b'{"id": "9", "total": 12345678901234.567891, "n": 9007199254740993}'
    script.says("orders", [raw_record("9", body, problem="looked odd to an earlier release")])
    run("orders")
    refines(script, "orders", lenient)

    job = replay_all()

    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 1, "inserted": 1})
    assert FailedSync.objects.get().resolution == "REPLAYED"
    assert str(OrderRow.objects.get().total_amount) == "12345678901234.567891"
    assert "9007199254740993" in raw_texts(SourceStream.objects.get(name="orders"))[0]


def test_a_record_that_cannot_be_stored_stays_open_with_its_own_text(script: Script, run: Run) -> None:
    body = b'{"id": "9", "total": 1, "note": "a\\u0000b"}'
    script.says("orders", [raw_record("9", body)])
    run("orders")
    before = FailedSync.objects.values("raw_data", "fingerprint", "error").get()

    job = replay_all()

    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 1, "failed": 1})
    assert FailedSync.objects.values("raw_data", "fingerprint", "error").get() == before
    assert FailedSync.objects.get().attempts == 2
    assert not RawRecord.objects.exists()


@pytest.mark.parametrize(
    ("external_id", "body"),
    [
        ("9", b'{"id": "9", "total": NaN, "note": "' + b"x" * 300_000 + b'"}'),
        ("x" * 300, b'{"total": 1}'),
        ("a\x00b", b'{"total": 1}'),
        ("", b'{"total": 1}'),
        ("", b""),
    ],
    ids=["an excerpt", "an id cut short", "an id with a NUL", "no id", "nothing"],
)
def test_what_is_left_of_a_letter_is_not_taken_for_the_record(
    script: Script, run: Run, external_id: str, body: bytes
) -> None:
    script.says("records", [raw_record(external_id, body)])
    run("records")
    refines(script, "records", lambda payload: pytest.fail("must not be refined"))

    job = replay_all()

    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 1, "failed": 1})
    letter = FailedSync.objects.get()
    assert (letter.attempts, letter.resolved_at) == (2, None)
    assert not RawRecord.objects.exists()
    assert not GenericRecord.objects.exists()
    assert_accounted(job)


def test_a_replay_brings_nothing_back_that_the_provider_deleted(script: Script, run: Run) -> None:
    script.says("orders", [record("1")])
    run("orders")
    script.says("orders", FetchedPage(tombstones=[Tombstone(external_id="1")]))
    run("orders")
    FailedSync.objects.update(resolved_at=None, resolution="")
    refines(script, "orders", lenient)

    job = replay_all()

    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 1, "failed": 1})
    assert not OrderRow.objects.exists()
    assert list(RawRecord.objects.order_by("version").values_list("is_deleted", flat=True)) == [False, True]


def test_a_letter_is_replayed_with_the_newest_version(script: Script, run: Run) -> None:
    for note in ("old", "new"):
        script.says("orders", [record("1", note=note)])
        run("orders")

    def with_note(payload: Json) -> Kind:
        return Order(external_id=payload["id"], number=payload["note"])

    refines(script, "orders", with_note)
    replay_all()

    assert OrderRow.objects.get().number == "new"
    assert RawRecord.objects.count() == 2


def test_replaying_during_a_live_run_of_the_stream_works(
    script: Script, run: Run, stream: StreamNamed
) -> None:
    script.says("orders", [record("1"), record("2", total=2)])
    run("orders")
    refines(script, "orders", lenient)
    live = start(stream("orders"))
    land(live, FetchedPage(records=[record("3", total=3)], next_cursor="1"))

    job = replay_all()

    assert (job.status, FailedSync.objects.get().resolution) == ("SUCCEEDED", "REPLAYED")
    assert jobs.start(stream("orders"), trigger="ADMIN") == (live, False)
    live.refresh_from_db()
    assert live.status == "RUNNING"


@pytest.mark.django_db(transaction=True)
def test_replays_and_a_live_run_at_the_same_time_write_each_row_once(
    script: Script, run: Run, stream: StreamNamed
) -> None:
    script.says("orders", [record(str(n)) for n in range(40)])
    run("orders")
    refines(script, "orders", lenient)
    live = start(stream("orders"))

    def step(number: int) -> None:
        for job in [live] if number == 0 else replay(FailedSync.objects.all(), trigger="ADMIN"):
            finish(CollectionJob.objects.get(pk=job.pk))

    in_threads(4, step)

    assert OrderRow.objects.count() == 40
    assert RawRecord.objects.count() == 40
    assert not FailedSync.objects.filter(resolved_at__isnull=True).exists()
    for job in CollectionJob.objects.all():
        assert job.status in ("SUCCEEDED", "PARTIAL")
        assert_accounted(job)


def test_letters_of_two_streams_become_two_runs_and_closed_ones_none(script: Script, run: Run) -> None:
    script.says("orders", [record("1")])
    script.says("sales", [record("1")])
    run("orders")
    run("sales")

    started = replay(FailedSync.objects.all(), trigger="ADMIN")
    assert sorted(job.stream.name for job in started) == ["orders", "sales"]

    FailedSync.objects.update(resolved_at="2026-01-01T00:00Z", resolution="BY_HAND")
    assert replay(FailedSync.objects.all(), trigger="ADMIN") == []


def test_more_letters_than_a_page_holds_are_replayed_in_pages(
    script: Script, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.replaying.LETTERS_PER_PAGE", 4)
    keyless = [raw_record("", b'{"n": %d}' % n, problem="no id") for n in range(9)]
    script.says("orders", [record(str(n)) for n in range(7)] + keyless)
    run("orders")
    refines(script, "orders", lenient)

    job = replay_all()

    assert (job.pages_landed, counts(job)) == (4, {"fetched": 16, "inserted": 7, "failed": 9})
    assert_accounted(job)


def test_a_paused_source_can_be_replayed(source: Source, script: Script, run: Run) -> None:
    script.says("orders", [record("1")])
    run("orders")
    refines(script, "orders", lenient)
    jobs.set_paused([source], paused=True)

    assert replay_all().status == "SUCCEEDED"


def test_records_refused_for_the_sources_settings_come_through_once_they_are_mended(
    source: Source, script: Script, stream: StreamNamed
) -> None:
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1"), record("2")]))
    Source.objects.update(connector="fax")
    assert finish(job).status == "PARTIAL"
    assert "fax" in FailedSync.objects.earliest("id").error
    Source.objects.update(connector="scripted")

    assert replay_all().status == "SUCCEEDED"
    assert GenericRecord.objects.count() == 2


@pytest.mark.parametrize(
    "value",
    [
        "1e2",
        "100.10",
        "-0.0",
        "1e-30",
        "12345678901234567890123",
        "0.1234567890123456789",
        '"\\u00e9\\/"',
        "1E+300",
    ],
)
def test_a_replay_takes_the_stored_form_of_a_record_for_the_record(
    script: Script, run: Run, value: str
) -> None:
    """PostgreSQL spells numbers and text in its own way; that is no new version."""
    script.says("orders", [raw_record("1", b'{"id": "1", "value": %s}' % value.encode())])
    run("orders")

    replay_all()

    assert RawRecord.objects.count() == 1


def test_a_line_that_no_table_can_hold_is_replayed_whole(script: Script, run: Run) -> None:
    def with_line(currency: str) -> Any:
        def refine(payload: Json) -> Kind:
            line = OrderLine(external_id=f"{payload['id']}-1", currency=currency)
            return Order(external_id=payload["id"], lines=(line,))

        return refine

    refines(script, "orders", with_line("EURO"))
    script.says("orders", [record("1")])
    assert run("orders").failed == 1
    assert not OrderRow.objects.exists()
    refines(script, "orders", with_line("EUR"))

    assert replay_all().status == "SUCCEEDED"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ingest_orderline WHERE order_id IS NOT NULL")
        assert cursor.fetchone() == (1,)
