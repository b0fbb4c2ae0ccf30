"""A worker dies at each named point, in the first pass and in a later one: another takes over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

import sandbox
from ingest.models import CollectionJob, SourceStream
from sandbox import SandboxClient
from tests.faults.conftest import TAIL
from tests.faults.endings import assert_exact
from tests.faults.points import POINTS
from tests.faults.stage import Stage
from tests.story import shops
from tests.story.processes import Started, wait_for

ORDERS = 120
PAGE_SIZE = 20
#: A lease of 5 s, its return, a tick and another for what was lost; and that on a busy machine.
ENDS_WITHIN = 60.0
#: The first pass of each, and for what is passed again while a run goes on, one in its middle.
FAULTS = [*(f"{name}:1" for name in POINTS), "before_ringing:2", "in_landing:3", "in_applying:3"]
#: Where most could go wrong; the others wait for `make faults`.
ALWAYS = {"in_landing:1", "after_landing:1", "in_applying:1", "in_finishing:1"}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def world() -> Iterator[SandboxClient]:
    with sandbox.running(seed=31, customers=20, products=20, orders=ORDERS) as client:
        yield client


@pytest.fixture(scope="module")
def standby(kept_stage: Stage) -> Started:
    """The worker that takes over in every test, and a beat."""
    kept_stage.beat()
    return kept_stage.standby()


@pytest.fixture
def datasets(transactional_db: None, world: SandboxClient) -> dict[SourceStream, str]:
    """The orders of a shop, due by their schedule."""
    world.forget_requests()
    shop = shops.add_shop(world, page_size=PAGE_SIZE)
    shop.streams.exclude(name="orders").delete()
    shop.streams.update(schedule="every 1d", next_run_at=timezone.now() - timedelta(minutes=1))
    return shops.datasets_of(shop, None)


@pytest.fixture
def relief(
    datasets: dict[SourceStream, str], kept_stage: Stage, standby: Started, request: pytest.FixtureRequest
) -> Iterator[Started]:
    """Whoever takes over; back on standby once the job has ended."""
    yield standby
    kept_stage.send_off(standby)
    sys.stdout.write(kept_stage.logs()[-TAIL:])


def has_ended() -> bool:
    return CollectionJob.objects.exists() and shops.all_ended()


@pytest.mark.parametrize(
    "fault_at",
    [pytest.param(one, marks=[] if one in ALWAYS else [pytest.mark.thorough]) for one in FAULTS],
)
def test_worker_dies_there(
    kept_stage: Stage,
    relief: Started,
    world: SandboxClient,
    datasets: dict[SourceStream, str],
    fault_at: str,
    shown: list[str],
) -> None:
    victim = kept_stage.victim(fault_at)
    wait_for(lambda: not victim.is_running, seconds=60, what=f"the worker dies at {fault_at}")
    is_over = has_ended()
    kept_stage.call_in(relief)
    took = wait_for(has_ended, seconds=ENDS_WITHIN, what=f"the job ends after {fault_at}")

    again = shops.refetched(world, datasets)
    shown.append(f"{fault_at}: ended {took:.1f} s after another worker was there, refetched {again}")
    assert is_over == (fault_at == "after_finishing:1")
    job = CollectionJob.objects.select_related("stream").get()
    assert job.inserted == ORDERS
    assert job.stream.watermark is not None
    assert_exact(world, datasets)
    assert max(again.values()) <= 1
