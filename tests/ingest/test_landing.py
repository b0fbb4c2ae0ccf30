"""What is kept of a page, and when: all of it with the cursor, or nothing."""

from __future__ import annotations

import json
import unicodedata
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from connectors.base import FetchRequest, SourceRecord, Tombstone
from connectors.base import Page as FetchedPage
from connectors.errors import PaginationLoop
from connectors.nested import NestedListing
from ingest import landing, leases
from ingest.models import (
    CatalogItem,
    CollectionJob,
    FailedSync,
    GenericRecord,
    Order,
    OrderLine,
    Page,
    RawRecord,
)
from tests.conftest import finish
from tests.ingest.steps import (
    Run,
    StreamNamed,
    assert_accounted,
    claim,
    counts,
    fetch,
    land,
    raw_texts,
    refused,
    rows_on_disk,
    start,
)
from tests.scripted import START, Script, raw_record, record

pytestmark = pytest.mark.django_db


def test_a_run_lands_refines_and_counts_every_page(script: Script, run: Run) -> None:
    lines = [{"id": "1-1", "price": "5.05"}]
    script.says("orders", [record("1", total="10.10", lines=lines)], [record("2", total=3)])

    job = run("orders")

    assert (job.status, job.pages_landed, counts(job)) == ("SUCCEEDED", 2, {"fetched": 2, "inserted": 2})
    assert Order.objects.get(external_id="1").total_amount == Decimal("10.10")
    assert OrderLine.objects.get().order == Order.objects.get(external_id="1")
    assert_accounted(job)


@pytest.mark.parametrize(
    ("table", "on", "when"),
    [
        ("ingest_rawrecord", "INSERT", "true"),
        ("ingest_page", "INSERT", "true"),
        ("ingest_failedsync", "INSERT", "true"),
        ("ingest_collectionjob", "UPDATE", "NEW.pages_landed > OLD.pages_landed"),
    ],
)
def test_an_error_at_any_write_of_a_page_leaves_nothing_of_it(
    script: Script, stream: StreamNamed, table: str, on: str, when: str
) -> None:
    script.says("orders", [record("1", total=1), raw_record("2", b'{"id": "2", "total": NaN}')])
    job = start(stream("orders"))

    with refused(table, on=on, when=when):
        fetch(job)

    assert not RawRecord.objects.exists()
    assert not Page.objects.exists()
    assert not FailedSync.objects.exists()
    assert (job.status, job.attempts, job.fetched, job.next_page_number) == ("PENDING", 1, 0, 1)
    job = finish(job)
    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 2, "inserted": 1, "failed": 1})


@pytest.mark.parametrize("is_reaped", [True, False], ids=["reaped", "taken over"])
def test_a_late_worker_changes_nothing(stream: StreamNamed, is_reaped: bool) -> None:
    job = start(stream("records"))
    lease = claim(job)
    CollectionJob.objects.update(lease_until=START)
    leases.reap()
    if not is_reaped:
        CollectionJob.objects.update(next_run_at=START)
        assert leases.claim(job.pk) is not None
    before = CollectionJob.objects.values().get()

    with pytest.raises(leases.LeaseLost, match=f"job {job.pk}"):
        landing.land(job, lease, FetchedPage(records=[record("1")]), fetch_ms=0)

    assert not RawRecord.objects.exists()
    assert not Page.objects.exists()
    assert CollectionJob.objects.values().get() == before


def test_a_late_worker_that_meets_its_own_page_lost_the_lease_and_sees_no_circle(stream: StreamNamed) -> None:
    job = start(stream("records"))
    late = claim(job)
    CollectionJob.objects.update(lease_until=START)
    leases.reap()
    CollectionJob.objects.update(next_run_at=START)
    landing.land(CollectionJob.objects.get(), claim(job), page("1", "a"), fetch_ms=0)
    before = Page.objects.values().get()

    with pytest.raises(leases.LeaseLost):
        landing.land(job, late, page("1", "a"), fetch_ms=0)

    assert Page.objects.values().get() == before


def test_the_last_page_and_the_end_of_fetching_are_one_write(stream: StreamNamed) -> None:
    """Else a worker lost in between leaves a job without a cursor, which reads as "from the beginning"."""
    job = start(stream("records"))

    landing.land(job, claim(job), FetchedPage(records=[record("1")]), fetch_ms=0)

    job.refresh_from_db()
    assert (job.is_fetched, job.lease_until, job.cursor) == (True, None, None)


def test_unchanged_records_write_no_row(script: Script, run: Run) -> None:
    script.says("orders", [record(str(n), total=n, lines=[{"id": f"{n}-1", "price": n}]) for n in range(50)])
    run("orders")
    before = rows_on_disk(RawRecord, Order, OrderLine, FailedSync)

    job = run("orders")

    assert counts(job) == {"fetched": 50, "unchanged": 50}
    assert job.status == "SUCCEEDED"
    assert rows_on_disk(RawRecord, Order, OrderLine, FailedSync) == before
    assert_accounted(job)


@pytest.mark.parametrize(
    "body",
    [
        b'{"n": 1, "id": "1", "title": "caf\xc3\xa9 /"}',
        b'{"id": "1", "title": "caf\xc3\xa9 /", "n": 1.0}',
        b'{"id": "1", "title": "caf\xc3\xa9 /", "n": 10e-1}',
        b'{"id": "1", "title": "caf\\u00e9 \\/", "n": 1}',
        b' {\n"id":"1",\t"title":"caf\xc3\xa9 /","n":1}\r\n',
    ],
    ids=["key order", "1.0", "10e-1", "escapes", "white space"],
)
def test_a_record_that_is_only_spelled_otherwise_is_unchanged(script: Script, run: Run, body: bytes) -> None:
    script.says("records", [raw_record("1", b'{"id": "1", "title": "caf\xc3\xa9 /", "n": 1}')])
    run("records")
    script.says("records", [raw_record("1", body)])

    assert counts(run("records")) == {"fetched": 1, "unchanged": 1}
    assert RawRecord.objects.count() == 1


def test_a_payload_is_kept_byte_for_byte(script: Script, run: Run, stream: StreamNamed) -> None:
    body = b' {"title" : "caf\\u00e9 \\/\\n", "id":"1","n": 1.50e1, "n": 2,\n"deep": {"b":[ ],"a":{}}}\t'
    script.says("records", [raw_record("1", body)])

    assert counts(run("records")) == {"fetched": 1, "inserted": 1}
    assert raw_texts(stream("records")) == [body.decode()]
    assert RawRecord.objects.get().payload == json.loads(body)


def test_an_object_whose_kept_text_cannot_be_read_gets_a_new_version(script: Script, run: Run) -> None:
    script.says("records", [raw_record("1", b'{"id": "1", "n": 1e9999}')])
    assert counts(run("records")) == {"fetched": 1, "failed": 1}
    letter = FailedSync.objects.get()
    assert (letter.raw, "out of range" in letter.error) == (RawRecord.objects.get(), True)
    script.says("records", [raw_record("1", b'{"id": "1", "n": 1}')])

    assert counts(run("records")) == {"fetched": 1, "inserted": 1}
    assert list(RawRecord.objects.order_by("id").values_list("version", flat=True)) == [1, 2]
    assert not FailedSync.objects.filter(resolved_at=None).exists()


@pytest.mark.parametrize(
    "body",
    [b'{"id"', b'{"id": "\\ud800"}', b'{"id": "\\u0000"}', b'"\xff"', b"[" * 100_000],
    ids=["cut", "surrogate", "nul", "not utf-8", "deep"],
)
def test_what_nobody_could_read_again_is_not_kept_as_a_version(script: Script, run: Run, body: bytes) -> None:
    script.says("records", [raw_record("bad", body), raw_record("good", b'{"id": "good"}')])

    assert counts(run("records")) == {"fetched": 2, "inserted": 1, "failed": 1}
    assert RawRecord.objects.get().external_id == "good"
    assert FailedSync.objects.get().error.startswith(("not readable as JSON", "holds a NUL"))


@pytest.mark.parametrize("other", [b'{"id": 1}', b'{"id": "1", "n": null}', b'{"id": "1 "}'])
def test_a_record_that_differs_in_any_value_is_a_new_version(script: Script, run: Run, other: bytes) -> None:
    script.says("records", [raw_record("1", b'{"id": "1"}')])
    run("records")
    script.says("records", [raw_record("1", other)])

    assert counts(run("records")) == {"fetched": 1, "updated": 1}


def test_a_record_that_changes_back_has_three_versions(script: Script, run: Run) -> None:
    for title in ("A", "B", "A"):
        script.says("records", [record("1", title=title)])
        run("records")

    versions = RawRecord.objects.order_by("version").values_list("version", "payload__title")
    assert list(versions) == [(1, "A"), (2, "B"), (3, "A")]
    assert GenericRecord.objects.get().title == "A"


def test_of_repeated_records_in_a_page_the_newest_is_kept(script: Script, run: Run) -> None:
    newer, older = START + timedelta(days=1), START
    script.says(
        "records",
        [
            record("1", updated_at=newer, title="newer"),
            record("1", updated_at=older, title="older"),
            record("2", updated_at=None, title="first"),
            record("2", updated_at=None, title="last"),
        ],
    )

    job = run("records")

    assert counts(job) == {"fetched": 4, "inserted": 2, "skipped": 2}
    assert list(GenericRecord.objects.order_by("external_id").values_list("title", flat=True)) == [
        "newer",
        "last",
    ]
    assert_accounted(job)


def test_ids_are_compared_character_by_character(script: Script, run: Run) -> None:
    composed = "caf\u00e9"
    ids = ["a1", "A1", "a1 ", "01", "1", "1.0", composed, unicodedata.normalize("NFD", composed)]
    script.says("records", [record(one) for one in ids])

    assert counts(run("records")) == {"fetched": 8, "inserted": 8}
    assert set(GenericRecord.objects.values_list("external_id", flat=True)) == set(ids)


def test_numbers_keep_every_digit(script: Script, run: Run, stream: StreamNamed) -> None:
    body = (
        b'{"id": "1", "content_count": 9007199254740993, "price": 12345678901234.567891,'
        b' "deep": 0.1234567890123456789, "wide": 123456789012345678901234567890.5}'
    )
    script.says("catalog", [raw_record("1", body)])

    assert run("catalog").status == "SUCCEEDED"

    (text,) = raw_texts(stream("catalog"))
    assert "9007199254740993" in text
    assert "0.1234567890123456789" in text
    assert "123456789012345678901234567890.5" in text
    item = CatalogItem.objects.get()
    assert (item.content_count, item.price) == (9007199254740993, Decimal("12345678901234.567891"))


BAD_BODIES = {
    "NUL": b'{"id": "bad", "total": 1, "note": "a\\u0000b"}',
    "naked NUL": b'{"id": "bad", "total": 1, "note": "a\x00b"}',
    "lone surrogate": b'{"id": "bad", "total": 1, "note": "\\ud800"}',
    "NaN": b'{"id": "bad", "total": NaN}',
    "5000 digits": b'{"id": "bad", "total": 1, "note": ' + b"7" * 5000 + b"}",
    "huge exponent": b'{"id": "bad", "total": 1e999999}',
    "not UTF-8": b'{"id": "bad", "total": 1, "note": "\xff"}',
    "cut short": b'{"id": "bad", "tot',
    "nested too deeply": b'{"id": "bad", "total": 1, "note": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "beyond the column": b'{"id": "bad", "updated_at": "2026-03-01", "total": 123456789012345678901}',
    "no number": b'{"id": "bad", "updated_at": "2026-03-01", "total": "abc"}',
    "missing field": b'{"id": "bad"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_record_costs_one_dead_letter_that_can_be_read(script: Script, run: Run, body: bytes) -> None:
    script.says(
        "orders", [record("1", total=1), raw_record("bad", body, position="line 7"), record("2", total=2)]
    )

    job = run("orders")

    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 3, "inserted": 2, "failed": 1})
    letter = FailedSync.objects.get()
    assert (letter.external_id, letter.attempts, letter.error_type) == ("bad", 1, "validation")
    assert letter.error
    assert "bad" in json.dumps(letter.raw_data)
    assert_accounted(job)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (SourceRecord(body=b'{"total": 1}'), "without an id"),
        (SourceRecord(body=b'{"total": 1}', problem="no field id"), "no field id"),
        (raw_record("x" * 300, b'{"total": 1}'), "300 characters"),
        (raw_record("a\x00b", b'{"total": 1}'), "NUL"),
        (raw_record("a\ud800b", b'{"total": 1}'), "surrogate"),
    ],
    ids=["no id", "a problem", "300 characters", "NUL", "lone surrogate"],
)
def test_a_record_without_a_usable_id_is_a_dead_letter(
    script: Script, run: Run, found: SourceRecord, reason: str
) -> None:
    script.says("orders", [record("1", total=1), found])

    job = run("orders")

    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 2, "inserted": 1, "failed": 1})
    letter = FailedSync.objects.get()
    assert reason in letter.error
    assert letter.raw_data == {"total": 1}
    assert_accounted(job)


def test_eight_bad_records_of_500_leave_492(script: Script, run: Run) -> None:
    bad = {60 * n + 7: body for n, body in enumerate(list(BAD_BODIES.values())[:8])}
    page = [
        raw_record(str(n), bad[n])
        if n in bad
        else record(str(n), total=n, lines=[{"id": f"{n}-1", "price": n}])
        for n in range(500)
    ]
    script.says("orders", page)

    job = run("orders")

    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 500, "inserted": 492, "failed": 8})
    assert (Order.objects.count(), OrderLine.objects.count()) == (492, 492)
    assert set(FailedSync.objects.values_list("external_id", flat=True)) == {str(n) for n in bad}
    assert_accounted(job)


def test_a_tombstone_for_something_unknown_is_no_news(stream: StreamNamed) -> None:
    job = start(stream("records"))
    gone = [
        Tombstone(external_id="never had"),
        Tombstone(external_id="a\x00b"),
        Tombstone(external_id="\ud800"),
    ]

    land(job, FetchedPage(tombstones=gone))

    assert counts(finish(job)) == {"fetched": 3, "unchanged": 1, "skipped": 2}
    assert not RawRecord.objects.exists()


@pytest.mark.parametrize(
    "values", [{"inserted": 2}, {"failed": 1}, {"fetched": 0}, {"unchanged": 5, "fetched": 5}]
)
def test_a_page_that_loses_a_record_cannot_be_stored(
    script: Script, run: Run, values: dict[str, int]
) -> None:
    script.says("records", [record("1")])
    run("records")

    with pytest.raises(IntegrityError, match="every_record_accounted_for"), transaction.atomic():
        Page.objects.update(**values)


def page(cursor: str | None, *ids: str) -> FetchedPage:
    return FetchedPage(records=[record(one) for one in ids], next_cursor=cursor)


@pytest.mark.parametrize(
    "pages",
    [
        [page("1", "a"), page("1", "b")],
        [page("1", "a"), page("2", "b"), page("1", "c")],
        [page("1", "a"), page("2", "b"), page("3", "b"), page("4", "b")],
        [page("1", "a", "b"), page("2", "c"), page("3", "a", "b"), page("4", "c")],
        [page(str(number + 1), str(number % 15)) for number in range(16)],
    ],
    ids=["A-A", "A-B-A", "new cursors, same records", "records in a circle", "a wide circle"],
)
def test_a_source_that_goes_in_circles_fails_the_job_and_what_arrived_stays(
    script: Script, run: Run, pages: list[FetchedPage]
) -> None:
    script.says("records", *pages)

    job = run("records")

    assert (job.status, job.error_type) == ("FAILED", "pagination")
    assert "never end" in job.error
    arrived = {one.external_id for page in pages for one in page.records}
    assert set(GenericRecord.objects.values_list("external_id", flat=True)) == arrived
    assert_accounted(job)


def test_deletions_in_a_circle_fail_the_job_too(script: Script, run: Run) -> None:
    gone = [[Tombstone(external_id=one) for one in ids] for ids in (("1", "23"), ("12", "3"), ("1", "23"))]
    script.says(
        "records",
        *(FetchedPage(tombstones=some, next_cursor=str(n)) for n, some in enumerate(gone, start=1)),
        [],
    )

    job = run("records")

    assert (job.status, job.error_type, job.fetched) == ("FAILED", "pagination", 4)
    assert "Page 3 holds the very records of an earlier page" in job.error


def test_empty_pages_without_end_are_refused(stream: StreamNamed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "EMPTY_PAGES", 3)
    job = start(stream("records"))
    lease = claim(job)

    def empty(number: int) -> None:
        job.refresh_from_db()
        landing.land(job, lease, FetchedPage(next_cursor=str(number)), fetch_ms=0)

    for number in range(1, 4):
        empty(number)
    with pytest.raises(PaginationLoop, match="3 pages in a row were empty"):
        empty(4)


def test_a_circle_whose_records_change_all_the_time_is_one_too(stream: StreamNamed) -> None:
    job = start(stream("records"))
    lease = claim(job)
    for pages in (page("1", "a"), page("2", "b"), page("1", "c")):
        landing.land(job, lease, pages, fetch_ms=0)
        job.refresh_from_db()

    with pytest.raises(PaginationLoop, match="never end"):
        landing.land(job, lease, page("2", "d"), fetch_ms=0)

    assert set(RawRecord.objects.values_list("external_id", flat=True)) == {"a", "b", "c"}


def test_equal_lines_of_a_file_are_no_circle(script: Script, run: Run) -> None:
    lines = [raw_record("1", b'{"id": "1"}', position=f"line {n}") for n in range(3)]
    script.says("records", [lines[0]], [lines[1]], [lines[2]])

    job = run("records")

    assert job.status == "SUCCEEDED"
    assert job.fetched == 3


def test_empty_pages_are_no_circle(script: Script, run: Run) -> None:
    script.says("records", [], [], [record("1")], [], [])

    assert (run("records").status, GenericRecord.objects.count()) == ("SUCCEEDED", 1)


def test_a_page_read_again_changes_no_count_but_skipped(stream: StreamNamed) -> None:
    job = start(stream("records"))
    lease = claim(job)
    landing.land(job, lease, page("1", "a", "b"), fetch_ms=0)
    job.refresh_from_db()

    landing.land_overlap(job, lease, page(None, "b", "moved"))

    job.refresh_from_db()
    assert (job.cursor, job.is_fetched) == ("1", False)
    landing.land(job, lease, page(None, "c"), fetch_ms=0)
    job = finish(job)
    assert counts(job) == {"fetched": 5, "inserted": 4, "skipped": 1}
    assert_accounted(job)


def test_a_page_read_again_that_is_as_it_was_is_no_circle(stream: StreamNamed) -> None:
    job = start(stream("records"))
    lease = claim(job)
    landing.land(job, lease, page("1", "a"), fetch_ms=0)

    for _ in range(2):
        landing.land_overlap(job, lease, page(None, "a"))

    landing.land(job, lease, page(None, "b"), fetch_ms=0)
    assert counts(finish(job)) == {"fetched": 4, "inserted": 2, "skipped": 2}
    assert list(Page.objects.order_by("number").values_list("is_overlap", flat=True)) == [
        False,
        True,
        True,
        False,
    ]


def test_a_parent_that_is_gone_when_another_worker_goes_on_with_its_children_costs_no_run(
    script: Script, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = ["a", "b", "c"]

    def answer(_stream: str, request: FetchRequest) -> FetchedPage:
        if request.cursor and "b" in parents:
            parents.remove("b")
        listing = NestedListing(
            parents=lambda _: FetchedPage(records=[record(name) for name in parents]),
            children=lambda parent, *_: FetchedPage(records=[record(f"{parent.external_id}1")]),
            parents_at_once=1,
        )
        return listing.fetch(request)  # each time as a worker that has just begun

    monkeypatch.setattr(script, "answer", answer)

    job = run("records")

    assert (job.status, job.error) == ("SUCCEEDED", "")
    assert sorted(GenericRecord.objects.values_list("external_id", flat=True)) == ["a1", "c1"]
