"""Dead letters: always storable, one per object, and closed by what helps them."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Json, Tombstone
from connectors.base import Page as FetchedPage
from connectors.kinds import Kind, Order
from ingest import deadletters
from ingest.models import CollectionJob, FailedSync, RawRecord
from ingest.models import Order as OrderRow
from tests.conftest import finish
from tests.ingest.steps import Run, StreamNamed, assert_accounted, counts, land, refines, rows_on_disk, start
from tests.scripted import START, Script, raw_record, record

pytestmark = pytest.mark.django_db


def lenient(payload: Json) -> Kind:
    return Order(external_id=payload["id"])


def test_a_later_sync_tries_an_unchanged_record_again_without_a_new_raw_row(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=1), record("2")])
    first = run("orders")
    before = rows_on_disk(RawRecord)

    for attempts in (2, 3):
        job = run("orders")
        letter = FailedSync.objects.get()
        assert (letter.attempts, letter.job_id, letter.resolved_at) == (attempts, job.pk, None)
        assert counts(job) == {"fetched": 2, "unchanged": 1, "failed": 1}
        assert_accounted(job)
    assert letter.last_failed_at > letter.created_at
    assert letter.job_id != first.pk
    assert rows_on_disk(RawRecord) == before


def test_a_letter_is_resolved_by_the_first_sync_whose_code_understands_the_record(
    script: Script, run: Run
) -> None:
    script.says("orders", [record("1", total=1), record("2")])
    run("orders")
    refines(script, "orders", lenient)

    job = run("orders")

    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 2, "inserted": 1, "unchanged": 1})
    letter = FailedSync.objects.get()
    assert (letter.resolution, letter.attempts) == ("SYNCED", 1)
    assert letter.resolved_at is not None
    assert counts(run("orders")) == {"fetched": 2, "unchanged": 2}


def test_a_letter_is_resolved_when_the_object_is_mended_at_the_source(script: Script, run: Run) -> None:
    script.says("orders", [record("2")])
    run("orders")
    script.says("orders", [record("2", total=5)])

    assert counts(run("orders")) == {"fetched": 1, "inserted": 1}
    assert FailedSync.objects.get().resolution == "SYNCED"


def test_a_letter_without_a_raw_row_is_resolved_when_the_version_we_hold_comes_back(
    script: Script, run: Run
) -> None:
    good = record("1", total=1)
    script.says("orders", [good])
    run("orders")
    script.says("orders", [raw_record("1", b'{"id": "1", "total": NaN}')])
    run("orders")
    assert FailedSync.objects.get().raw_id is None
    script.says("orders", [good])

    job = run("orders")

    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 1, "updated": 1})
    assert FailedSync.objects.get().resolution == "SYNCED"
    assert RawRecord.objects.count() == 1


def test_a_letter_about_an_older_version_is_resolved_although_a_newer_one_is_kept(
    script: Script, run: Run
) -> None:
    script.says("orders", [record("1", total=1, updated_at=START + timedelta(days=1))])
    run("orders")
    script.says("orders", [record("1", updated_at=START)])
    run("orders")
    refines(script, "orders", lenient)

    assert counts(run("orders")) == {"fetched": 1, "skipped": 1}
    assert FailedSync.objects.get().resolution == "SYNCED"


def test_a_letter_about_an_object_that_is_gone_is_resolved(script: Script, run: Run) -> None:
    script.says("orders", [record("1")])
    run("orders")
    script.says("orders", FetchedPage(tombstones=[Tombstone(external_id="1")]))

    job = run("orders")

    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 1, "skipped": 1})
    assert FailedSync.objects.get().resolution == "SYNCED"


def test_a_newer_bad_record_is_not_resolved_by_the_good_one_before_it(stream: StreamNamed) -> None:
    job = start(stream("orders"))
    land(
        job,
        FetchedPage(records=[record("1", total=1)], next_cursor="1"),
        FetchedPage(records=[raw_record("1", b'{"id": "1", "total": NaN}')]),
    )

    assert finish(job).status == "PARTIAL"
    assert FailedSync.objects.get().resolved_at is None


def test_an_object_that_fails_again_after_its_letter_was_resolved_gets_a_new_one(
    script: Script, run: Run
) -> None:
    for values in ({}, {"total": 1}, {"note": "no total again"}):
        script.says("orders", [record("1", **values)])
        run("orders")

    assert list(FailedSync.objects.order_by("id").values_list("resolution", "attempts")) == [
        ("SYNCED", 1),
        ("", 1),
    ]


def test_the_same_record_without_an_id_is_one_letter_however_often_it_comes(script: Script, run: Run) -> None:
    keyless = raw_record("", b'{"total": 1}', problem="no id")
    script.says("orders", [keyless, keyless, raw_record("", b'{"total": 2}', problem="no id")])

    job = run("orders")
    run("orders")

    assert counts(job) == {"fetched": 3, "failed": 3}
    assert set(FailedSync.objects.values_list("raw_data__total", "attempts")) == {(1, 2), (2, 2)}


def test_a_letter_closed_by_hand_stays_closed_until_the_object_fails_anew(script: Script, run: Run) -> None:
    script.says("orders", [record("1")])
    run("orders")

    assert deadletters.resolve_by_hand(FailedSync.objects.all()) == 1
    assert deadletters.resolve_by_hand(FailedSync.objects.all()) == 0

    assert FailedSync.objects.get().resolution == "BY_HAND"
    assert counts(run("orders")) == {"fetched": 1, "unchanged": 1}
    assert FailedSync.objects.count() == 1


@pytest.mark.parametrize("filler", [b"x", b"\\u0000", b"\\ud800", b"\x00", b"\xff"])
def test_a_huge_record_nobody_can_store_is_kept_as_an_excerpt_with_its_hash(
    script: Script, run: Run, filler: bytes
) -> None:
    body = b'{"id": "1", "total": NaN, "note": "' + filler * (1024 * 1024 // len(filler)) + b'"}'
    script.says("orders", [raw_record("1", body), record("2", total=1)])

    job = run("orders")

    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 2, "inserted": 1, "failed": 1})
    kept = FailedSync.objects.get().raw_data
    assert (kept["bytes"], kept["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert kept["excerpt"].startswith('{"id": "1", "total": NaN, "note": "')


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200)
    | st.text(max_size=60).map(lambda text: json.dumps({"a": text}).encode())
    | st.sampled_from([b"[1e400, 1e-400]", b"[" + b"9" * 3000 + b"]", b'"\\ud83d"', b"[" * 900 + b"]" * 900]),
    external_id=st.text(st.characters(exclude_categories=()), max_size=300),
    problem=st.text(st.characters(exclude_categories=()), max_size=50),
)
def test_any_bytes_under_any_id_with_any_reason_can_be_a_dead_letter(
    stream: StreamNamed, body: bytes, external_id: str, problem: str
) -> None:
    orders = stream("orders")
    job = CollectionJob.objects.create(source=orders.source, stream=orders, mode="REPLAY", status="RUNNING")
    before = FailedSync.objects.count()
    found = raw_record(external_id, body, problem=problem)

    deadletters.record_rejected(job, [deadletters.Rejected(found, problem)])
    deadletters.record_rejected(job, [deadletters.Rejected(found, problem)])

    assert FailedSync.objects.count() <= before + 1
    letter = FailedSync.objects.get(fingerprint=deadletters.fingerprint(external_id, body))
    assert letter.attempts >= 2
    assert "\x00" not in letter.error


def test_a_letter_tells_where_the_record_stood(script: Script, run: Run) -> None:
    script.says("orders", [raw_record("", b"{}", position="line 42", problem="no id")])
    run("orders")

    assert FailedSync.objects.get().error == "line 42: no id"
    assert not OrderRow.objects.exists()
