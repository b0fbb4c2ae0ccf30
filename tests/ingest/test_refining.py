"""What becomes of landed pages: typed rows, whatever order versions and relations arrive in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from connectors.base import Json, SourceRecord, Tombstone
from connectors.base import Page as FetchedPage
from connectors.kinds import Customer as CustomerKind
from connectors.kinds import Kind
from connectors.kinds import Order as OrderKind
from connectors.kinds import OrderLine as LineKind
from ingest import applying
from ingest.models import (
    CollectionJob,
    Customer,
    FailedSync,
    GenericRecord,
    Order,
    OrderLine,
    Page,
    Product,
    ProductVariant,
    RawRecord,
    SourceStream,
)
from metrics.models import DailyMetric
from syncproject import pipeline
from tests.conftest import finish
from tests.ingest.steps import (
    Run,
    StreamNamed,
    apply,
    assert_accounted,
    counts,
    in_threads,
    land,
    refine_sale,
    refines,
    refused,
    start,
)
from tests.scripted import START, Script, record, refine_record

pytestmark = pytest.mark.django_db


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def test_pages_are_applied_together(script: Script, run: Run) -> None:
    script.says("records", *([record(f"{page}-{n}") for n in range(3)] for page in range(10)))

    job = run("records")

    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 30, "inserted": 30})
    # The effects of a batch stand on its first page.
    assert job.pages.exclude(effects={}).count() < job.pages.count()
    assert sum(page.effects.get("record", {}).get("new", 0) for page in job.pages.all()) == 30
    assert_accounted(job)


def test_of_two_versions_in_one_batch_the_newer_is_written(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=1, updated_at=at(0))], [record("1", total=2, updated_at=at(1))])

    job = run("orders")

    assert Order.objects.get().total_amount == 2
    assert counts(job) == {"fetched": 2, "inserted": 1, "skipped": 1}
    assert RawRecord.objects.count() == 2
    assert_accounted(job)


ORDERS_OF_ARRIVAL = list(permutations(range(4)))


def arrivals() -> list[list[SourceRecord]]:
    """Return four pages; each object stands for one order in which its four versions arrive."""
    return [
        [
            record(str(number), total=versions[place], updated_at=at(versions[place]))
            for number, versions in enumerate(ORDERS_OF_ARRIVAL)
        ]
        for place in range(4)
    ]


def assert_newest_everywhere() -> None:
    assert Order.objects.filter(total_amount=3, source_updated_at=at(3)).count() == len(ORDERS_OF_ARRIVAL)


def test_an_older_version_never_overwrites_a_newer_one_run_by_run(script: Script, run: Run) -> None:
    for page in arrivals():
        script.says("orders", page)
        assert_accounted(run("orders"))

    assert_newest_everywhere()


def test_an_older_version_never_overwrites_a_newer_one_within_a_batch(script: Script, run: Run) -> None:
    script.says("orders", *arrivals())

    assert_accounted(run("orders"))

    assert_newest_everywhere()


@pytest.mark.parametrize("updated_at", [START, None], ids=["equal times", "no times"])
def test_without_a_newer_time_what_arrived_later_wins(
    script: Script, run: Run, updated_at: datetime | None
) -> None:
    for title in ("first", "second"):
        script.says("records", [record("1", title=title, updated_at=updated_at)])
        run("records")
    assert GenericRecord.objects.get().title == "second"

    script.says("records", *([record("1", title=title, updated_at=updated_at)] for title in ("3rd", "4th")))
    run("records")
    assert GenericRecord.objects.get().title == "4th"


def lines(*ids: str) -> list[dict[str, Any]]:
    return [{"id": one, "price": 1} for one in ids]


def test_a_line_that_an_order_loses_is_deleted(script: Script, run: Run) -> None:
    script.says(
        "orders", [record("1", total=1, lines=lines("a", "b", "c")), record("2", total=1, lines=lines("d"))]
    )
    run("orders")
    script.says("orders", [record("1", total=1, lines=lines("a", "c"), updated_at=at(1))])

    run("orders")

    assert set(OrderLine.objects.values_list("external_id", flat=True)) == {"a", "c", "d"}


def test_a_line_that_moves_to_another_order_stays(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=1, lines=lines("a", "b")), record("2", total=1)])
    run("orders")
    script.says(
        "orders",
        [
            record("1", total=1, lines=lines("a"), updated_at=at(1)),
            record("2", total=1, lines=lines("b"), updated_at=at(1)),
        ],
    )

    run("orders")

    assert dict(OrderLine.objects.values_list("external_id", "order__external_id")) == {"a": "1", "b": "2"}


def test_an_order_that_does_not_speak_of_lines_keeps_them(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=1, lines=lines("a")), record("2", total=1, lines=lines("b"))])
    run("orders")
    script.says(
        "orders",
        [
            record("1", total=2, lines=None, updated_at=at(1)),
            record("2", total=2, lines=[], updated_at=at(1)),
        ],
    )

    run("orders")

    assert [line.external_id for line in OrderLine.objects.all()] == ["a"]
    assert set(Order.objects.values_list("total_amount", flat=True)) == {2}


def test_children_nobody_speaks_of_leave_no_metric(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=1, lines=lines("a"))])

    run("orders")

    assert set(DailyMetric.objects.values_list("kind", flat=True)) == {"order", "order_line"}


def test_an_older_order_touches_no_line(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=2, lines=lines("a", "b"), updated_at=at(5))])
    run("orders")
    before = list(OrderLine.objects.order_by("external_id").values())
    script.says("orders", [record("1", total=1, lines=lines("a", "z"), updated_at=at(1))])

    job = run("orders")

    assert counts(job) == {"fetched": 1, "skipped": 1}
    assert list(OrderLine.objects.order_by("external_id").values()) == before


@pytest.mark.parametrize("first", ["orders", "customers"])
def test_an_order_finds_its_customer_whichever_comes_first(script: Script, run: Run, first: str) -> None:
    script.says("orders", [record("1", total=1, customer="c1"), record("2", total=1, customer="nobody")])
    script.says("customers", [record("c1", email="a@example.com")])

    for stream in [first, *({"orders", "customers"} - {first})]:
        run(stream)

    assert Order.objects.get(external_id="1").customer == Customer.objects.get()
    waiting = Order.objects.get(external_id="2")
    assert (waiting.customer, waiting.customer_external_id) == (None, "nobody")


@pytest.mark.parametrize("first", ["sales", "products"])
def test_lines_find_product_and_variant_whichever_comes_first(script: Script, run: Run, first: str) -> None:
    sold = [{"id": "1-1", "product": "p1", "variant": "v2"}, {"id": "1-2", "product": "p9"}]
    script.says("sales", [record("1", lines=sold)])
    script.says("products", [record("p1", variants=["v1", "v2"])])

    for stream in [first, *({"sales", "products"} - {first})]:
        run(stream)

    line = OrderLine.objects.get(external_id="1-1")
    assert line.product == Product.objects.get()
    assert line.variant == ProductVariant.objects.get(external_id="v2")
    assert ProductVariant.objects.filter(product=line.product).count() == 2
    assert OrderLine.objects.get(external_id="1-2").product is None


@pytest.mark.django_db(transaction=True)
def test_links_are_not_lost_with_the_worker_that_counted(
    script: Script, stream: StreamNamed, run: Run
) -> None:
    """Counting a page closes it; rows that wait for its records must have been linked by then."""
    script.says("sales", [record("1", lines=[{"id": "1-1", "product": "p1"}])])
    run("sales")
    job = start(stream("products"))
    land(job, FetchedPage(records=[record("p1")]))
    apply(job)

    with refused("ingest_orderline", on="UPDATE"), pytest.raises(DatabaseError, match="refused"):
        pipeline.close_turn(job.pk, now=timezone.now, metrics_every=timedelta(0))
    finish(job)

    assert OrderLine.objects.get().product == Product.objects.get()


def test_a_tombstone_marks_the_row_and_its_return_clears_it(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=1), record("2", total=1)])
    run("orders")
    script.says("orders", FetchedPage(tombstones=[Tombstone(external_id="1", deleted_at=at(2))]))
    assert counts(run("orders")) == {"fetched": 1, "updated": 1}
    assert Order.objects.get(external_id="1").deleted_at == at(2)
    assert counts(run("orders")) == {"fetched": 1, "unchanged": 1}

    script.says("orders", [record("1", total=1)])

    assert counts(run("orders")) == {"fetched": 1, "updated": 1}
    assert Order.objects.get(external_id="1").deleted_at is None
    assert list(
        RawRecord.objects.filter(external_id="1").order_by("version").values_list("is_deleted", flat=True)
    ) == [
        False,
        True,
        False,
    ]


def test_lines_go_and_come_back_with_their_order(script: Script, run: Run) -> None:
    order = record("1", total=1, lines=[{"id": "1-1", "price": "1"}, {"id": "1-2", "price": "2"}])
    script.says("orders", [order])
    run("orders")
    script.says("orders", FetchedPage(tombstones=[Tombstone(external_id="1", deleted_at=at(2))]))
    run("orders")
    assert not OrderLine.objects.filter(deleted_at__isnull=True).exists()

    script.says("orders", [order])
    run("orders")

    assert OrderLine.objects.filter(deleted_at__isnull=True).count() == 2


def test_an_address_is_found_in_one_spelling_and_kept_raw_in_theirs(script: Script, run: Run) -> None:
    script.says("customers", [record("1", email=" Bob@Example.COM")])
    run("customers")

    assert Customer.objects.get().email == "bob@example.com"
    assert RawRecord.objects.get().payload["email"] == " Bob@Example.COM"


def test_a_record_and_its_tombstone_in_one_batch_end_deleted(script: Script, run: Run) -> None:
    script.says(
        "records",
        FetchedPage(records=[record("1", updated_at=at(9))], next_cursor="1"),
        FetchedPage(tombstones=[Tombstone(external_id="1", deleted_at=at(5))]),
    )
    run("records")

    assert not GenericRecord.objects.filter(deleted_at__isnull=True).exists()


class _Odd:
    """Nothing any column could hold."""


def bug(payload: Json) -> Any:
    return payload["missing"]


def nothing(payload: Json) -> Any:
    return None


def wrong_kind(payload: Json) -> Any:
    return CustomerKind(external_id=payload["id"])


def wrong_type(payload: Json) -> Any:
    return OrderKind(external_id=payload["id"], number=_Odd())  # type: ignore[arg-type]


def wrong_time(payload: Json) -> Any:
    return OrderKind(external_id=payload["id"], occurred_at="yesterday")  # type: ignore[arg-type]


def wrong_child(payload: Json) -> Any:
    return OrderKind(external_id=payload["id"], lines=(None,))  # type: ignore[arg-type]


def keyless_child(payload: Json) -> Any:
    return OrderKind(external_id=payload["id"], lines=(LineKind(external_id=None),))  # type: ignore[arg-type]


def out_of_calendar(payload: Json) -> Any:
    eastern = datetime.fromisoformat("0001-01-01T00:00:00+05:00")
    return OrderKind(external_id=payload["id"], occurred_at=eastern)


def half_surrogate(payload: Json) -> Any:
    return OrderKind(external_id=payload["id"], number="\ud800")


def long_currency(payload: Json) -> Any:
    return OrderKind(external_id=payload["id"], currency="EURO")


@pytest.mark.parametrize(
    ("mistake", "error_type"),
    [
        (bug, "bug"),
        (nothing, "bug"),
        (wrong_kind, "bug"),
        (wrong_type, "validation"),
        (wrong_time, "validation"),
        (wrong_child, "validation"),
        (keyless_child, "validation"),
        (out_of_calendar, "validation"),
        (half_surrogate, "validation"),
        (long_currency, "validation"),
    ],
)
def test_a_mistake_in_a_connector_costs_only_the_records_it_trips_over(
    script: Script, run: Run, mistake: Callable[[Json], Any], error_type: str
) -> None:
    def refine(payload: Json) -> Any:
        return mistake(payload) if payload["id"] == "bad" else refine_sale(payload)

    refines(script, "sales", refine)
    script.says("sales", [record(str(n), lines=[]) for n in range(20)] + [record("bad")])

    job = run("sales")

    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 21, "inserted": 20, "failed": 1})
    letter = FailedSync.objects.get()
    assert (letter.external_id, letter.error_type) == ("bad", error_type)
    assert letter.error
    assert_accounted(job)


class WorkerKilled(BaseException):
    """What a killed worker looks like from inside: nobody catches it."""


def test_a_page_that_kills_its_worker_ends_in_dead_letters_and_spares_the_others(
    script: Script, stream: StreamNamed
) -> None:
    def refine(payload: Json) -> Kind:
        if payload["id"] == "poison":
            raise WorkerKilled
        return refine_record(payload)

    refines(script, "records", refine)
    job = start(stream("records"))
    pages = [[record("1")], [record("poison"), record("beside")], [record("2")], [record("3")]]
    land(job, *(FetchedPage(records=page, next_cursor=str(n)) for n, page in enumerate(pages)))
    lives = 0
    while Page.objects.filter(state=Page.State.LANDED).exists():
        lives += 1
        assert lives < 20
        with suppress(WorkerKilled):
            apply(job)
        Page.objects.update(begun_at=START)  # as if some seconds had passed

    assert set(GenericRecord.objects.values_list("external_id", flat=True)) == {"1", "2", "3"}
    letters = FailedSync.objects.values_list("external_id", "error_type")
    assert set(letters) == {("poison", "crash"), ("beside", "crash")}
    CollectionJob.objects.update(is_fetched=True)
    job = finish(job)
    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 5, "inserted": 3, "failed": 2})
    assert_accounted(job)


def test_a_page_begun_before_is_applied_alone(stream: StreamNamed) -> None:
    job = start(stream("records"))
    land(job, *(FetchedPage(records=[record(str(n))], next_cursor=str(n)) for n in range(5)))
    Page.objects.filter(number__in=[2, 4]).update(attempts=1)
    batches: list[int] = []

    applying.apply_landed(
        job.pk, now=timezone.now, until=timezone.now() + timedelta(minutes=1), after_batch=batches.append
    )

    assert batches == [4, 3, 2, 1, 0]  # waiting: the first alone as a suspect follows it, and so on


def test_a_full_batch_leaves_the_rest_for_the_next(stream: StreamNamed, settings: Any) -> None:
    settings.APPLY_BATCH_RECORDS = 4
    job = start(stream("records"))
    pages = [[record(f"{n}-{place}") for place in range(3)] for n in range(3)]
    land(job, *(FetchedPage(records=page, next_cursor=str(n)) for n, page in enumerate(pages)))
    batches: list[int] = []

    applying.apply_landed(
        job.pk, now=timezone.now, until=timezone.now() + timedelta(minutes=1), after_batch=batches.append
    )

    assert batches == [2, 1, 0]


def test_a_stream_that_the_source_no_longer_offers_leaves_dead_letters_not_a_stuck_job(
    script: Script, stream: StreamNamed
) -> None:
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1")], next_cursor="1"))
    script.streams = tuple(one for one in script.streams if one.name != "records")

    job = finish(job)

    assert (job.status, job.error_type) == ("FAILED", "configuration")
    assert "records" in job.error
    assert "records" in FailedSync.objects.get().error


# With threads: real transactions.


def numbered(stream: SourceStream, pages: int, *, total: int, is_backwards: bool = False) -> CollectionJob:
    """Land pages whose orders and lines overlap from page to page."""
    job = start(stream)
    places = range(pages)
    for place in reversed(places) if is_backwards else places:
        records = [
            record(str(n), total=total, lines=lines(f"{n}-1", f"{n}-2"), updated_at=at(place))
            for n in range(100 + place * 5, 140 + place * 5)
        ]
        land(job, FetchedPage(records=records, next_cursor=str(place)))
    CollectionJob.objects.filter(pk=job.pk).update(is_fetched=True)
    return job


@pytest.mark.django_db(transaction=True)
def test_four_workers_on_one_job_give_the_result_of_one(settings: Any, stream: StreamNamed) -> None:
    settings.APPLY_BATCH_RECORDS = 60
    job = numbered(stream("orders"), 16, total=1)

    in_threads(4, lambda number: apply(CollectionJob.objects.get(pk=job.pk)))

    job = finish(job)
    assert (job.status, Order.objects.count(), OrderLine.objects.count()) == ("SUCCEEDED", 115, 230)
    for order in Order.objects.all():
        newest = RawRecord.objects.filter(external_id=order.external_id).order_by("-version")[0]
        assert order.raw_id == newest.pk
    assert_accounted(job)


@pytest.mark.django_db(transaction=True)
def test_two_jobs_over_the_same_orders_do_not_deadlock(
    settings: Any, script: Script, stream: StreamNamed, caplog: pytest.LogCaptureFixture
) -> None:
    """Halves of a batch with a bad record, too, must lock rows in one order."""
    settings.APPLY_BATCH_RECORDS = 80
    script.streams += (replace(script.streams[1], name="archive"),)
    archive = SourceStream.objects.create(
        source=stream("orders").source, name="archive", kind="order", page_size=9
    )
    both = [
        numbered(stream("orders"), 10, total=1),
        numbered(archive, 10, total=2, is_backwards=True),
    ]
    for page in Page.objects.all():
        spoil(RawRecord.objects.get(pk=page.raw_ids[7]))

    in_threads(4, lambda number: apply(CollectionJob.objects.get(pk=both[number % 2].pk)))

    assert "deadlock" not in caplog.text
    ended = [finish(job) for job in both]
    assert [job.status for job in ended] == ["PARTIAL", "PARTIAL"]
    assert (Order.objects.count(), OrderLine.objects.count()) == (85, 170)
    for job in ended:
        assert_accounted(job)


def spoil(raw: RawRecord) -> None:
    """Make the order unstorable."""
    RawRecord.objects.filter(pk=raw.pk).update(payload={**raw.payload, "total": "1e30"})


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_one_page_do_not_take_it_for_poison(stream: StreamNamed) -> None:
    for round_ in range(5):
        job = start(stream("records"))
        land(job, FetchedPage(records=[record(f"{round_}-{n}") for n in range(5)]))

        in_threads(8, lambda number, job=job: apply(CollectionJob.objects.get(pk=job.pk)))  # type: ignore[misc]

        assert finish(job).status == "SUCCEEDED"


def test_a_page_begun_a_moment_ago_is_left_to_the_one_who_began_it(stream: StreamNamed) -> None:
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1")]))
    Page.objects.update(begun_at=timezone.now(), attempts=1)
    assert apply(job) == 0

    Page.objects.update(begun_at=timezone.now() - timedelta(seconds=3))
    assert apply(job) == 1


@pytest.mark.django_db(transaction=True)
def test_a_lock_held_too_long_is_not_the_pages_fault(stream: StreamNamed) -> None:
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1")]))

    def blocked(number: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        for _ in range(8):
            assert apply(CollectionJob.objects.get(pk=job.pk)) == 0

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE ingest_genericrecord IN ACCESS EXCLUSIVE MODE")
        in_threads(1, blocked)

    assert finish(job).status == "SUCCEEDED"
    assert not FailedSync.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_takes_too_long_each_time_ends_as_dead_letters(stream: StreamNamed) -> None:
    """It may be the page's fault: tried again and again for ever, the job would never end."""
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1")]))

    def too_slow(number: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '100ms'")
        for _ in range(4):
            Page.objects.filter(job=job).update(begun_at=None)
            assert apply(CollectionJob.objects.get(pk=job.pk)) == 0

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE ingest_genericrecord IN ACCESS EXCLUSIVE MODE")
        in_threads(1, too_slow)
    Page.objects.filter(job=job).update(begun_at=None)

    assert finish(job).status == "PARTIAL"
    assert FailedSync.objects.get().error_type == "crash"


@pytest.mark.django_db(transaction=True)
def test_an_older_version_understood_late_leaves_the_letter_about_the_newer_one_open(
    script: Script, stream: StreamNamed
) -> None:
    job = start(stream("orders"))
    land(
        job,
        FetchedPage(records=[record("1", total=1, updated_at=at(0))], next_cursor="1"),
        FetchedPage(records=[record("1", total="unclear", updated_at=at(1))]),
    )
    with transaction.atomic():
        Page.objects.select_for_update().get(number=1)  # another worker is at the first page
        in_threads(1, lambda number: apply(CollectionJob.objects.get(pk=job.pk)))
    assert FailedSync.objects.get().resolved_at is None

    job = finish(job)

    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 2, "inserted": 1, "failed": 1})
    assert Order.objects.get().total_amount == 1
    assert FailedSync.objects.get().resolved_at is None


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_while_applying_costs_a_turn_and_no_record(
    script: Script, stream: StreamNamed
) -> None:
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1")]))
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER die BEFORE INSERT ON ingest_genericrecord FOR EACH ROW EXECUTE FUNCTION die()"
        )
    try:
        for _ in range(6):
            assert apply(job) == 0
            connection.close()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER die ON ingest_genericrecord")
            cursor.execute("DROP FUNCTION die")

    job = finish(job)
    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 1, "inserted": 1})


def test_times_are_counted_for_their_day_in_utc(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=1, at="2026-03-01T23:30:00-05:00")])

    run("orders")

    assert Order.objects.get().day == datetime(2026, 3, 2, tzinfo=UTC).date()
