"""Metrics equal a count by hand, whatever moved, vanished, or was done twice."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from connectors.base import Page as FetchedPage
from connectors.base import SourceRecord, Tombstone
from connectors.kinds import Order as OrderKind
from connectors.kinds import OrderLine as LineKind
from connectors.kinds import to_datetime, to_decimal
from ingest.models import REFINED_MODELS, CollectionJob, Order, Page, Source, SourceStream
from metrics import rollup
from metrics.models import DailyMetric, DailyRevenue
from syncproject import pipeline
from tests.ingest.steps import apply, in_threads, land, refines, start
from tests.scripted import Script, record

pytestmark = pytest.mark.django_db

Run = Callable[..., CollectionJob]
FIRST = date(2026, 3, 1)


def refine(payload: Any) -> OrderKind:
    cancelled = payload.get("cancelled")
    return OrderKind(
        external_id=payload["id"],
        occurred_at=to_datetime("at", payload["at"]) if payload.get("at") else None,
        currency=payload.get("currency", "EUR"),
        total_amount=to_decimal("total", payload["total"]) if payload.get("total") else None,
        cancelled_at=to_datetime("cancelled", cancelled) if cancelled else None,
        lines=tuple(LineKind(external_id=line) for line in payload.get("lines", ())),
    )


@pytest.fixture(autouse=True)
def orders_with_more_fields(script: Script) -> None:
    refines(script, "orders", refine)


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def order(external_id: str, number: int, **values: Any) -> SourceRecord:
    return record(
        external_id, updated_at=None, **{"at": f"{day(number)}T12:00:00Z", "total": "10.50", **values}
    )


def counted() -> dict[tuple[str, str], int]:
    found = DailyMetric.objects.exclude(records=0).values_list("kind", "day", "records")
    return {(kind, day.isoformat()): records for kind, day, records in found}


def counted_by_hand() -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = defaultdict(int)
    for kind in ("order", "order_line"):
        for row in REFINED_MODELS[kind]._default_manager.filter(deleted_at=None):
            found[kind, row.day.isoformat()] += 1
    return found


def revenue() -> dict[tuple[str, str], tuple[int, Decimal]]:
    found = DailyRevenue.objects.values_list("day", "currency", "orders", "amount")
    return {(day.isoformat(), currency): (orders, amount) for day, currency, orders, amount in found}


def revenue_by_hand() -> dict[tuple[str, str], tuple[int, Decimal]]:
    found: dict[tuple[str, str], tuple[int, Decimal]] = {}
    paid = Order.objects.exclude(currency=None).exclude(total_amount=None)
    for row in paid.filter(deleted_at=None, cancelled_at=None):
        orders, amount = found.get((row.day.isoformat(), row.currency), (0, Decimal(0)))
        found[row.day.isoformat(), row.currency] = (orders + 1, amount + row.total_amount)
    return found


def assert_counted_right() -> None:
    assert counted() == counted_by_hand()
    assert revenue() == revenue_by_hand()


@pytest.mark.parametrize("seed", range(4))
def test_after_any_run_the_metrics_equal_a_count_by_hand(script: Script, run: Run, seed: int) -> None:
    """Orders come, change, move to other days, lose lines, are cancelled, deleted and come back."""
    chance = random.Random(seed)
    for _ in range(6):
        ids = chance.sample(range(25), 12)
        records = [
            order(
                str(one),
                chance.randrange(5),
                total=chance.choice(["1.10", "2.000001", "99999999.99", None]),
                currency=chance.choice(["EUR", "USD", None]),
                cancelled=chance.choice([None, None, "2026-03-09"]),
                lines=[f"{one}-{n}" for n in range(chance.randrange(4))],
            )
            for one in ids[:9]
        ]
        tombstones = [Tombstone(external_id=str(one)) for one in ids[9:]]
        script.says(
            "orders",
            FetchedPage(records=records[:5], next_cursor="1"),
            FetchedPage(records=records[5:], tombstones=tombstones),
        )
        assert run("orders").status == "SUCCEEDED"
        assert_counted_right()
    assert counted()


def test_an_order_that_moves_to_another_day_is_counted_on_that_day_only(script: Script, run: Run) -> None:
    script.says("orders", [order("1", 0, lines=["a"]), order("2", 0)])
    run("orders")
    script.says("orders", [order("1", 3, lines=["a"])])
    run("orders")

    assert counted() == {("order", day(0)): 1, ("order", day(3)): 1, ("order_line", day(3)): 1}
    assert revenue() == {
        (day(0), "EUR"): (1, Decimal("10.50")),
        (day(3), "EUR"): (1, Decimal("10.50")),
    }


def test_the_last_line_that_leaves_an_order_is_no_longer_counted(script: Script, run: Run) -> None:
    script.says("orders", [order("1", 0, lines=["a", "b"])])
    run("orders")
    script.says("orders", [order("1", 0, lines=[])])
    run("orders")

    assert counted() == {("order", day(0)): 1}


def test_cancelled_and_deleted_orders_bring_no_revenue(script: Script, run: Run) -> None:
    script.says(
        "orders",
        [order("1", 0), order("2", 0, cancelled="2026-03-02"), order("3", 0), order("4", 0, currency="USD")],
    )
    run("orders")
    script.says("orders", FetchedPage(tombstones=[Tombstone(external_id="3")]))
    run("orders")

    assert revenue() == {
        (day(0), "EUR"): (1, Decimal("10.50")),
        (day(0), "USD"): (1, Decimal("10.50")),
    }
    assert counted()["order", day(0)] == 3


def test_what_a_run_did_is_counted_on_the_day_of_the_run(script: Script, run: Run) -> None:
    refined = [order(str(n), 0) for n in range(5)]
    script.says("orders", [*refined, order("bad", 0, total="abc")])
    run("orders")
    script.says("orders", [order("1", 0, total=7), *refined[2:], order("new", 1)])
    run("orders")

    today = DailyMetric.objects.get(kind="order", day=datetime.now(UTC).date())
    assert (today.new, today.changed, today.failed, today.records) == (6, 1, 1, 0)


def test_records_without_a_time_count_for_the_day_they_were_first_synced(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=1, updated_at=None)])
    run("orders")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    Order.objects.update(day=yesterday)
    script.says("orders", [record("1", total=2, updated_at=None)])
    run("orders")

    assert counted() == {("order", yesterday.isoformat()): 1}


def everything() -> list[Any]:
    fields = ("kind", "day", "records", "new", "changed", "failed")
    return [*DailyMetric.objects.order_by("kind", "day").values_list(*fields), *sorted(revenue().items())]


def test_counting_pages_again_changes_nothing(script: Script, run: Run) -> None:
    script.says("orders", [order("1", 0, lines=["a"])], [order("2", 1), order("3", 1, currency="USD")])
    job = run("orders")
    before = everything()

    Page.objects.update(state=Page.State.APPLIED)
    touched = rollup.count_job(job, now=timezone.now(), at_most_every=timedelta(0))

    assert touched is not None
    assert everything() == before
    assert not Page.objects.exclude(state=Page.State.COUNTED).exists()


def test_a_run_that_changes_nothing_leaves_the_metrics(script: Script, run: Run) -> None:
    script.says("orders", [order("1", 0), order("2", 1)])
    run("orders")
    before = everything()

    run("orders")

    assert everything() == before


def test_only_days_that_were_touched_are_counted(source: Source, script: Script, run: Run) -> None:
    script.says("orders", [order("1", 0), order("2", 1)])
    run("orders")
    DailyMetric.objects.filter(day=day(0)).update(records=77)
    script.says("orders", [order("2", 1, total=8)])

    run("orders")

    assert DailyMetric.objects.get(kind="order", day=day(0)).records == 77
    rollup.recount(source.pk, {"order": {day(0)}})
    assert_counted_right()


def test_sources_are_counted_apart(source: Source, script: Script, run: Run) -> None:
    other = Source.objects.create(name="other", connector="scripted")
    Order.objects.create(source=other, external_id="1", day=FIRST, currency="EUR", total_amount=5)
    script.says("orders", [order("1", 0)])

    run("orders")

    assert DailyMetric.objects.get(day=FIRST, kind="order").records == 1
    assert DailyRevenue.objects.get().amount == Decimal("10.5")


def test_while_a_run_goes_on_metrics_wait_until_it_is_worth_it(stream: Callable[[str], SourceStream]) -> None:
    job = start(stream("orders"))
    land(job, FetchedPage(records=[order("1", 0)], next_cursor="1"))
    apply(job)

    assert rollup.count_job(job, now=timezone.now(), at_most_every=timedelta(minutes=1)) is None
    later = timezone.now() + timedelta(minutes=2)
    assert rollup.count_job(job, now=later, at_most_every=timedelta(minutes=1)) is not None
    assert_counted_right()


def test_a_long_run_is_counted_less_and_less_often(stream: Callable[[str], SourceStream]) -> None:
    job = start(stream("orders"))
    land(job, FetchedPage(records=[order("1", 0)], next_cursor="1"))
    apply(job)
    job.refresh_from_db()
    soon = timezone.now() + timedelta(minutes=3)
    job.started_at = soon - timedelta(minutes=20)

    assert rollup.count_job(job, now=soon, at_most_every=timedelta(minutes=1)) is None
    later = soon + timedelta(minutes=5)
    assert rollup.count_job(job, now=later, at_most_every=timedelta(minutes=1)) is not None


@pytest.mark.django_db(transaction=True)
def test_recounts_at_the_same_time_give_one_right_result(
    source: Source, script: Script, stream: Callable[[str], SourceStream]
) -> None:
    job = start(stream("orders"))
    pages = [
        FetchedPage(records=[order(f"{n}-{one}", one % 3) for one in range(10)], next_cursor=str(n))
        for n in range(8)
    ]
    land(job, *pages)

    def work(number: int) -> None:
        apply(CollectionJob.objects.get(pk=job.pk))
        for _ in range(3):
            pipeline.close_turn(job.pk, now=timezone.now, metrics_every=timedelta(0))
            with transaction.atomic():
                rollup.recount(source.pk, {"order": {day(0), day(1), day(2)}, "order_line": {day(0)}})

    in_threads(4, work)

    assert_counted_right()
    assert counted()["order", day(0)] == 32
    assert not Page.objects.exclude(state=Page.State.COUNTED).exists()


def wait_until_somebody_waits_for_us() -> None:
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            if cursor.fetchone():
                return
        threading.Event().wait(0.01)
    pytest.fail("nobody waits")


@pytest.mark.django_db(transaction=True)
def test_a_count_that_had_to_wait_is_taken_afresh(source: Source) -> None:
    def order_of_the_day(external_id: str) -> None:
        Order.objects.create(
            source=source, external_id=external_id, day=FIRST, currency="EUR", total_amount=1
        )

    def recount() -> None:
        with transaction.atomic():
            rollup.recount(source.pk, {"order": {day(0)}})

    order_of_the_day("1")
    recount()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            order_of_the_day("2")
            recount()
            other = pool.submit(lambda: in_threads(1, lambda number: recount()))
            wait_until_somebody_waits_for_us()
        other.result(20)

    assert_counted_right()
