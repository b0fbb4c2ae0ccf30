"""Workers that freeze, that a record kills, and a cancellation that outlives everybody."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from django.test import Client

import sandbox
from ingest.models import CollectionJob, FailedSync, Page, RawRecord, SourceStream
from metrics.models import DailyMetric
from sandbox import SandboxClient
from tests.admin.pages import verb_of
from tests.faults.endings import assert_exact
from tests.faults.stage import SMALL_STEPS, Stage, is_stopped
from tests.story import shops
from tests.story.processes import Started, wait_for
from tests.story.redis import PrivateRedis

LEASE = float(SMALL_STEPS["LEASE_SECONDS"])
TICK = 5.0
PAGE_SIZE = 20

pytestmark = [pytest.mark.thorough, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


@pytest.fixture
def world() -> Iterator[SandboxClient]:
    with sandbox.running(seed=32, customers=40, products=20, orders=120) as client:
        yield client


@pytest.fixture
def datasets(transactional_db: None, world: SandboxClient) -> dict[SourceStream, str]:
    """The orders and customers of a shop, to be fetched."""
    shop = shops.add_shop(world, page_size=PAGE_SIZE)
    shop.streams.exclude(name__in=["orders", "customers"]).delete()
    found = shops.datasets_of(shop, None)
    shops.start_all(found)
    return found


def job_of(stream: str) -> CollectionJob:
    return CollectionJob.objects.get(stream__name=stream)


def every_row() -> list[list[object]]:
    """Return what a zombie could have written to."""
    kept = (CollectionJob, Page, RawRecord, FailedSync, SourceStream, DailyMetric)
    return [list(model.objects.order_by("pk").values_list()) for model in kept]


def freeze(stage: Stage, fault_at: str) -> Started:
    """Start a worker and return it standing still at a named point."""
    zombie = stage.victim(fault_at, signal="SIGSTOP")
    wait_for(lambda: is_stopped(zombie), seconds=60, what=f"the worker freezes at {fault_at}")
    return zombie


# Frozen inside its transaction it keeps its locks until PostgreSQL ends its idle session.
@pytest.mark.parametrize("fault_at", ["before_landing:2", "in_landing:2"])
def test_zombie_wakes_up_after_its_lease(
    stage: Stage, world: SandboxClient, datasets: dict[SourceStream, str], fault_at: str, shown: list[str]
) -> None:
    stage.beat()
    zombie = freeze(stage, fault_at)
    frozen_at = time.monotonic()
    stage.worker(**SMALL_STEPS)
    took = wait_for(shops.all_ended, seconds=120, what="another worker finishes")
    time.sleep(max(0.0, 2 * LEASE - (time.monotonic() - frozen_at)))
    before = every_row()

    os.killpg(zombie.pid, signal.SIGCONT)
    wait_for(lambda: "lease lost" in zombie.log_text(), seconds=30, what="the zombie knows")
    shown.append(f"zombie at {fault_at}: another worker had ended all {took:.1f} s after it was started")
    assert every_row() == before
    assert_exact(world, datasets)


def test_record_that_kills_its_worker_while_applied(
    stage: Stage, world: SandboxClient, datasets: dict[SourceStream, str], shown: list[str]
) -> None:
    poison = victim_of(world)
    stage.beat()
    stage.poisoned("ingest.refining._kind", record=poison)
    others = wait_for(lambda: job_of("customers").finished_at, seconds=60, what="the other job ends")
    took = wait_for(shops.all_ended, seconds=150, what="the poisoned job ends")

    shown.append(f"poisoned page: given up after {took + others:.1f} s, the other job took {others:.1f} s")
    assert (job_of("customers").status, job_of("orders").status) == ("SUCCEEDED", "PARTIAL")
    letters = FailedSync.objects.all()
    assert set(letters.values_list("error_type", flat=True)) == {"crash"}
    # The page's records are the letters: the one that kills cannot be told from those around it.
    assert poison in letters.values_list("external_id", flat=True)
    assert letters.count() == job_of("orders").failed == PAGE_SIZE
    assert job_of("orders").fetched == 120
    shops.assert_counters_are_sums_of_pages()
    shops.assert_no_lease_left()


def test_record_that_kills_its_worker_while_landed(
    stage: Stage, world: SandboxClient, datasets: dict[SourceStream, str], shown: list[str]
) -> None:
    stage.beat()
    stage.poisoned("ingest.comparing._sort_one", record=victim_of(world))
    others = wait_for(lambda: job_of("customers").finished_at, seconds=60, what="the other job ends")
    took = wait_for(shops.all_ended, seconds=120, what="the poisoned job ends")

    shown.append(f"poisoned fetch: quarantined after {took + others:.1f} s, the other took {others:.1f} s")
    orders = job_of("orders")
    assert (job_of("customers").status, orders.status) == ("SUCCEEDED", "QUARANTINED")
    assert (orders.error_type, orders.crashes) == ("crash", 3)
    assert "lost 3 times in a row" in orders.error
    shops.assert_counters_are_sums_of_pages()
    shops.assert_no_lease_left()


def victim_of(world: SandboxClient) -> str:
    """Return the id of some order."""
    newest: dict[str, object] = world.ledger("shopify.orders", full=True)["expected"]["newest"]
    return sorted(newest)[50]


def test_cancellation_outlives_worker_and_redis(
    stage: Stage,
    redis: PrivateRedis,
    world: SandboxClient,
    datasets: dict[SourceStream, str],
    admin_client: Client,
    shown: list[str],
) -> None:
    world.misbehave("/", "latency", milliseconds=700)
    beat, worker = stage.beat(), stage.worker(**SMALL_STEPS)
    wait_for(lambda: job_of("orders").pages_landed >= 1, seconds=60, what="a page lands")
    admin_client.post(verb_of(job_of("orders"), "cancel"))
    landed = job_of("orders").pages_landed
    for process in (worker, beat):
        process.kill()
    redis.kill()
    redis.start()
    redis.flush()
    assert job_of("orders").is_live
    stage.worker(**SMALL_STEPS)
    stage.beat()
    took = wait_for(shops.all_ended, seconds=60, what="the jobs end")

    time.sleep(TICK)
    shown.append(f"cancelled, all restarted: ended {took:.1f} s later")
    orders = job_of("orders")
    assert (orders.status, job_of("customers").status) == ("CANCELLED", "SUCCEEDED")
    assert orders.pages_landed <= landed + 1
    assert orders.fetched == RawRecord.objects.filter(stream=orders.stream).count() > 0
    shops.assert_counters_are_sums_of_pages()
