"""Long and repeated runs: memory stays flat, and what did not change is not written."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model

import sandbox
from ingest import jobs
from ingest.models import REFINED_MODELS, CollectionJob, RawRecord, Source, SourceStream
from sandbox import SandboxClient
from tests.conftest import finish
from tests.story import shops
from tests.story.processes import POLL_SECONDS, Processes, Started, wait_for

ORDERS = int(os.environ.get("ORDERS", "20000"))
#: A page of 250 orders and the batch being applied are a few MB; what grows with the load would be more.
MAY_GROW = 64 * 2**20
MB = 2**20

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120 + ORDERS // 100)]

Written = dict[str, tuple[int, int, int]]


class Watch:
    """Notes the largest child of a worker until it is asked to stop."""

    def __init__(self, worker: Started) -> None:
        self._worker = worker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.largest = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(10 * POLL_SECONDS):
            self.largest = max([self.largest, *self._worker.memory()])


def in_mb(sizes: list[int]) -> list[int]:
    return [size // MB for size in sizes]


def test_memory_of_workers_stays_flat_in_a_first_load(processes: Processes, shown: list[str]) -> None:
    with sandbox.running(seed=3, customers=2_000, products=1_000, orders=ORDERS, plain_orders=True) as world:
        shop = shops.add_shop(world, streams=shops.LISTED)
        worker = processes.worker()
        processes.beat()
        shops.start_all(shop.streams.exclude(name="orders"))
        wait_for(shops.all_ended, seconds=60, what="the small streams end")
        before = worker.memory()

        shops.start_all(shop.streams.filter(name="orders"))
        with Watch(worker) as watch:
            took = wait_for(shops.all_ended, seconds=30 + ORDERS / 200, what="the orders end")
        after = worker.memory()

        sizes = f"before {in_mb(before)}, at most {in_mb([watch.largest])}, after {in_mb(after)}"
        shown.append(f"{ORDERS} orders in {took:.1f} s, {ORDERS / took:.0f}/s; MB per pool process: {sizes}")
        shops.assert_all_succeeded()
        shops.assert_equal_to(world, shops.datasets_of(shop, None))
    assert watch.largest - max(before) < MAY_GROW


@pytest.fixture
def world() -> Iterator[SandboxClient]:
    with sandbox.running(seed=9, customers=300, products=150, orders=2_000) as client:
        yield client


@pytest.fixture
def synced(transactional_db: None, world: SandboxClient, settings: Any) -> Source:
    """A shop that was synced from its first to its last record."""
    settings.SYNC_PRIVATE_HOSTS = frozenset({"127.0.0.1"})
    shop = shops.add_shop(world, streams=shops.LISTED)
    sync(shop)
    shops.assert_all_succeeded()
    return shop


def sync(shop: Source, *, full: bool = False) -> dict[str, CollectionJob]:
    ended = {}
    for stream in shop.streams.order_by("name"):
        job, _ = jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, full=full)
        ended[stream.name] = finish(job)
    return ended


def written() -> Written:
    """Return how many rows were ever inserted, updated and deleted in each table of records."""
    models: list[type[Model]] = [RawRecord, *REFINED_MODELS.values()]
    tables = [model._meta.db_table for model in models]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT 1")  # the end of the statement before is when they are flushed
        cursor.execute(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"
            " WHERE relname = ANY(%s)",
            [tables],
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}


def difference(before: Written, after: Written) -> Written:
    """Return what was written in between, table by table."""
    changes = {
        table: tuple(now - then for now, then in zip(after[table], before[table], strict=True))
        for table in after
    }
    return {table: change for table, change in changes.items() if any(change)}  # type: ignore[misc]


@pytest.mark.parametrize("full", [True, False])
def test_second_sync_of_unchanged_data_writes_no_row(synced: Source, full: bool) -> None:
    before = written()
    assert before["ingest_rawrecord"][0] >= 2_450, "the counters do not count: the test shows nothing"
    ended = sync(synced, full=full)
    assert difference(before, written()) == {}
    assert {job.status for job in ended.values()} == {"SUCCEEDED"}
    assert all(job.unchanged == job.fetched for job in ended.values())
    if full:
        assert sum(job.fetched for job in ended.values()) == 2_450


def test_one_changed_percent_writes_just_that(synced: Source, world: SandboxClient) -> None:
    before = written()
    changed = world.change("shopify.orders", share=0.01, seed=1)["changed"]
    assert changed == 20
    ended = sync(synced, full=True)
    change = difference(before, written())

    assert change.pop("ingest_rawrecord") == (changed, 0, 0)
    assert change.pop("ingest_order") == (0, changed, 0)
    lines = change.pop("ingest_orderline")
    assert lines[1] <= 5 * changed, "an order has at most five lines"
    for table in ("ingest_refund", "ingest_fulfillment"):
        written_for_it = change.pop(table, (0, 0, 0))
        assert max(written_for_it) <= changed, f"an order has at most one row of {table}"
    assert change == {}
    assert (ended["orders"].updated, ended["orders"].unchanged) == (changed, 2_000 - changed)
    shops.assert_equal_to(world, shops.datasets_of(synced, None))


def test_watermark_makes_the_next_sync_small(synced: Source, world: SandboxClient) -> None:
    world.change("shopify.orders", share=0.01, seed=1)
    ended = sync(synced)
    assert SourceStream.objects.get(source=synced, name="orders").watermark is not None
    assert ended["orders"].fetched < 200
    shops.assert_equal_to(world, shops.datasets_of(synced, None))
