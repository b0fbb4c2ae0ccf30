"""Workers die at any moment: nothing is lost, nothing is doubled, nobody has to clean up."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

import sandbox
from ingest.models import SourceStream
from sandbox import SandboxClient
from tests.story import shops
from tests.story.processes import Processes, wait_for

KILLS = int(os.environ.get("KILLS", "4"))
SEED = int(os.environ.get("KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
# A lease of production length would make every kill cost 40 s; one test below takes that time.
SHORT_LEASE = {"LEASE_SECONDS": "5"}
ENDS_WITHIN = 60.0
PAGE_SIZE = 20

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # The seconds a kill may take, and the seconds until all has ended.
    pytest.mark.timeout(120 + 30 * KILLS),
]


@pytest.fixture
def orders() -> int:
    """How many orders there are; enough for every kill to come in the middle."""
    return 500 * KILLS


@pytest.fixture
def world(orders: int) -> Iterator[SandboxClient]:
    sizes: dict[str, Any] = {"customers": 400, "products": 200, "orders": orders, "items": orders // 8}
    with sandbox.running(seed=SEED, latency_ms=40, **sizes) as client:
        yield client


@pytest.fixture
def datasets(transactional_db: None, world: SandboxClient) -> dict[SourceStream, str]:
    """The lists of a shop and of a songs API, in small pages, with a job each."""
    shop = shops.add_shop(world, page_size=PAGE_SIZE, streams=shops.LISTED)
    songs = shops.add_songs(world, page_size=PAGE_SIZE)
    found = shops.datasets_of(shop, songs)
    shops.start_all(found)
    return found


def has_landed(pages: int) -> bool:
    return shops.pages_landed() >= pages


def test_every_worker_process_killed_again_and_again(
    processes: Processes, world: SandboxClient, datasets: dict[SourceStream, str], shown: list[str]
) -> None:
    dice = random.Random(SEED)
    processes.beat()
    for _ in range(KILLS):
        worker = processes.worker(**SHORT_LEASE)
        landed = shops.pages_landed() + dice.randint(1, 15)
        wait_for(partial(has_landed, landed), seconds=60, what="pages land")
        time.sleep(dice.random() * 0.5)
        assert not shops.all_ended(), "the jobs ended before the last kill: make the world larger"
        worker.kill()
    processes.worker(**SHORT_LEASE)
    took = wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="every job ends after the last restart")

    again = shops.refetched(world, datasets)
    pages = shops.pages_landed()
    shown.append(f"seed {SEED}: {KILLS} kills, {pages} pages, refetched {again}, ended after {took:.1f} s")
    shops.assert_exact(world, datasets)
    assert all(times <= KILLS for times in again.values()), again


@pytest.mark.parametrize("orders", [800])
def test_pool_process_killed(
    processes: Processes, world: SandboxClient, datasets: dict[SourceStream, str], shown: list[str]
) -> None:
    processes.beat()
    worker = processes.worker(**SHORT_LEASE)
    wait_for(lambda: shops.pages_landed() >= 5, seconds=60, what="pages land")
    assert worker.kill_children() == 2
    took = wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="every job ends after the kill")

    again = shops.refetched(world, datasets)
    shown.append(f"both pool processes killed: ended after {took:.1f} s, refetched {again}")
    shops.assert_exact(world, datasets)
    assert all(times <= 1 for times in again.values()), again


@pytest.mark.parametrize("orders", [800])
def test_recovery_with_the_settings_of_production(
    processes: Processes, world: SandboxClient, datasets: dict[SourceStream, str], shown: list[str]
) -> None:
    processes.beat()
    worker = processes.worker()
    wait_for(lambda: shops.pages_landed() >= 10, seconds=60, what="pages land")
    worker.kill()
    processes.worker()
    took = wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="every job ends after the restart")

    again = shops.refetched(world, datasets)
    shown.append(f"default lease: ended {took:.1f} s after the restart, refetched {again}")
    shops.assert_exact(world, datasets)
    assert all(times <= 1 for times in again.values()), again
