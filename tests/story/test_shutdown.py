"""A deploy stops the workers: within the grace of the deployment, at a page's border, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import sandbox
from ingest.models import CollectionJob, SourceStream
from sandbox import SandboxClient
from tests.story import shops
from tests.story.processes import Processes, wait_for
from tests.story.redis import PrivateRedis

#: The soft shutdown takes 20 s at most; the containers are given 40 s.
STOPS_WITHIN = 25.0
ENDS_WITHIN = 60.0

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


@pytest.fixture
def world() -> Iterator[SandboxClient]:
    with sandbox.running(seed=5, customers=1, products=1, orders=600) as client:
        yield client


@pytest.fixture
def datasets(transactional_db: None, world: SandboxClient) -> dict[SourceStream, str]:
    """One stream: a worker fetches for longer than a shutdown may take, the other applies."""
    shop = shops.add_shop(world, page_size=20)
    shop.streams.exclude(name="orders").delete()
    found = shops.datasets_of(shop, None)
    shops.start_all(found)
    return found


def test_stop_in_the_middle_of_fetching(
    processes: Processes,
    redis: PrivateRedis,
    world: SandboxClient,
    datasets: dict[SourceStream, str],
    shown: list[str],
) -> None:
    # So slow that no slice comes to its end, nor to its bound of pages ahead, in the time a worker has.
    world.misbehave("/shopify", "latency", milliseconds=4_000)
    beat, worker = processes.beat(), processes.worker()
    wait_for(lambda: shops.pages_landed() >= 1, seconds=60, what="pages land")
    stopped = worker.terminate(seconds=STOPS_WITHIN)
    beat.kill()
    landed = shops.pages_landed()
    held = CollectionJob.objects.filter(lease_until__isnull=False).count()
    unacknowledged = redis.unacknowledged()
    shown.append(
        f"stopped in {stopped:.1f} s with {landed} pages, {held} leases held, {unacknowledged} unacked"
    )
    assert not shops.all_ended(), "the jobs ended before the worker did: make the world larger"
    assert held == 0
    assert unacknowledged == 0

    processes.worker()
    processes.beat()
    resumed = wait_for(lambda: shops.pages_landed() > landed, seconds=30, what="fetching goes on")
    world.behave()
    ended = wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="every job ends")
    again = shops.refetched(world, datasets)
    shown.append(f"went on after {resumed:.1f} s, ended {ended:.1f} s later, refetched {again}")
    shops.assert_all_succeeded()
    shops.assert_equal_to(world, datasets)
    shops.assert_no_version_twice()
    shops.assert_counters_are_sums_of_pages()
    assert set(again.values()) == {0}, "a page was fetched twice although the worker was asked to stop"


def test_stop_of_an_idle_worker(processes: Processes) -> None:
    worker = processes.worker()
    wait_for(lambda: " ready." in worker.log_text(), seconds=30, what="the worker is ready")
    assert worker.terminate(seconds=STOPS_WITHIN) < 10
