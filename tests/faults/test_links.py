"""Redis and the links to it and to PostgreSQL fail in every phase of a run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from django.db import connection

import sandbox
from ingest.models import CollectionJob, SourceStream
from sandbox import SandboxClient
from tests.chaos.proxy import Moment, Proxy
from tests.faults.conftest import environment, on_stage
from tests.faults.endings import assert_exact
from tests.faults.stage import SMALL_STEPS, Stage, is_stopped
from tests.story import shops
from tests.story.processes import wait_for
from tests.story.redis import PrivateRedis

OUTAGE = 8.0
TICK = 5.0
PAGE_SIZE = 20
SOURCES = 8
#: What a worker with a pool of two may have in its hands.
PREFETCHED = 4
#: A silent link is noticed after 10 s, three in a row after 30 s; then comes a tick.
CONSUMES_WITHIN = 35.0

pytestmark = [pytest.mark.thorough, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def world() -> Iterator[SandboxClient]:
    with sandbox.running(seed=34, customers=20, products=20, orders=120, items=60) as client:
        yield client


@pytest.fixture
def datasets(transactional_db: None, world: SandboxClient) -> dict[SourceStream, str]:
    """The orders of a shop, to be fetched."""
    return start_orders(world)


def start_orders(world: SandboxClient) -> dict[SourceStream, str]:
    world.forget_requests()
    shop = shops.add_shop(world, page_size=PAGE_SIZE)
    shop.streams.exclude(name="orders").delete()
    found = shops.datasets_of(shop, None)
    shops.start_all(found)
    return found


@pytest.fixture
def link(redis: PrivateRedis) -> Iterator[Proxy]:
    """Between Redis and everybody else."""
    with Proxy(redis.port) as proxy:
        yield proxy


@pytest.fixture
def linked_stage(transactional_db: None, redis: PrivateRedis, link: Proxy, tmp_path: Path) -> Iterator[Stage]:
    """Processes that reach Redis over the link only."""
    redis.flush()
    by_link = {**environment(redis), "REDIS_URL": f"redis://127.0.0.1:{link.port}/0"}
    with on_stage(tmp_path, by_link) as stage:
        yield stage


@pytest.mark.parametrize("fault_at", ["after_landing:2", "in_applying:1", "in_counting:1"])
def test_redis_away_while_a_step_ends(
    stage: Stage,
    redis: PrivateRedis,
    world: SandboxClient,
    datasets: dict[SourceStream, str],
    fault_at: str,
    shown: list[str],
) -> None:
    worker = stage.victim(fault_at, signal="SIGSTOP", LEASE_SECONDS="60")
    stage.beat()
    wait_for(lambda: is_stopped(worker), seconds=60, what=f"the worker stands still at {fault_at}")
    redis.kill()
    os.killpg(worker.pid, signal.SIGCONT)
    time.sleep(OUTAGE)
    assert not shops.all_ended(), "the chain went on without Redis: the test shows nothing"
    redis.start()
    took = wait_for(shops.all_ended, seconds=60, what="the job ends once Redis is back")

    shown.append(f"Redis away for {OUTAGE:.0f} s at {fault_at}: ended {took:.1f} s after it was back")
    assert_exact(world, datasets)


def test_link_goes_silent_while_jobs_are_rung(
    linked_stage: Stage, link: Proxy, world: SandboxClient, shown: list[str]
) -> None:
    linked_stage.worker(**SMALL_STEPS)
    linked_stage.beat()
    sources = [shops.add_songs(world, name=f"songs-{number}", page_size=20) for number in range(SOURCES)]
    shops.start_all(SourceStream.objects.filter(source__in=sources))
    unheard = CollectionJob.objects.filter(started_at__isnull=True)
    wait_for(lambda: unheard.count() < 5 * SOURCES, seconds=60, what="jobs are rung and begun")
    link.black_hole_existing()
    waiting = unheard.count()
    assert waiting > 5 * SOURCES / 2, "too late: most had begun"
    consumes = wait_for(
        lambda: unheard.count() < waiting - PREFETCHED, seconds=CONSUMES_WITHIN, what="jobs are begun again"
    )
    ended = wait_for(shops.all_ended, seconds=90, what="every job ends")

    shown.append(f"link silent, {waiting} jobs waiting: begun again after {consumes:.1f} s,")
    shown.append(f"all ended {ended:.1f} s later")
    shops.assert_all_succeeded()
    shops.assert_no_version_twice()
    shops.assert_counters_are_sums_of_pages()
    shops.assert_no_lease_left()


@contextmanager
def frozen(redis: PrivateRedis, link: Proxy) -> Iterator[None]:
    with redis.client() as client:
        pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@contextmanager
def killed_three_times(redis: PrivateRedis, link: Proxy) -> Iterator[None]:
    for _ in range(2):
        redis.kill()
        time.sleep(OUTAGE / 4)
        redis.start()
        time.sleep(1)
    redis.kill()
    yield
    redis.start()


@contextmanager
def half_open(redis: PrivateRedis, link: Proxy) -> Iterator[None]:
    link.hold()
    yield
    link.release()


@pytest.mark.parametrize("fault", [frozen, killed_three_times, half_open])
def test_work_goes_on_after_redis_and_the_web_all_the_while(
    linked_stage: Stage,
    redis: PrivateRedis,
    link: Proxy,
    world: SandboxClient,
    fault: Callable[[PrivateRedis, Proxy], AbstractContextManager[None]],
    shown: list[str],
) -> None:
    _, web = linked_stage.web()
    worker = linked_stage.worker(**SMALL_STEPS)
    linked_stage.beat()
    wait_for(lambda: "tick" in worker.log_text(), seconds=60, what="the worker hears the tick")
    wait_for(lambda: answers(web), seconds=60, what="the web answers")
    slowest = 0.0
    with fault(redis, link):
        end = time.monotonic() + 2 * OUTAGE
        while time.monotonic() < end:
            asked = time.monotonic()
            assert answers(web), "the web does not answer while Redis is away"
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.2)
    datasets = start_orders(world)
    took = wait_for(lambda: shops.pages_landed() > 0, seconds=CONSUMES_WITHIN + TICK, what="work goes on")
    wait_for(shops.all_ended, seconds=60, what="the job ends")

    shown.append(f"Redis {fault.__name__}: a page landed {took:.1f} s after; slowest answer {slowest:.2f} s")
    assert_exact(world, datasets)


def answers(web: str) -> bool:
    try:
        with (
            urlopen(f"{web}/admin/login/", timeout=20) as page,
            urlopen(f"{web}/readyz", timeout=20) as ready,
        ):
            return bool(page.status == ready.status == 200)
    except OSError:
        return False


#: What a step's transaction is known by.
STATEMENTS = {
    "landing": b"EXECUTE move_checkpoint",
    "applying": b'UPDATE "ingest_collectionjob" SET "pages_applied"',
    "counting": b"INSERT INTO metrics_dailymetric",
}
COMMIT = b"COMMIT\0"


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("step", STATEMENTS)
def test_connection_lost_around_a_commit(
    stage: Stage,
    world: SandboxClient,
    datasets: dict[SourceStream, str],
    step: str,
    moment: Moment,
    shown: list[str],
) -> None:
    where = connection.settings_dict
    with Proxy(int(where["PORT"])) as postgres_link:
        url = stage.database_url.replace(f":{where['PORT']}/", f":{postgres_link.port}/")
        trap = postgres_link.cut_at(STATEMENTS[step], COMMIT, moment=moment)
        stage.beat()
        stage.worker(DATABASE_URL=url, **SMALL_STEPS)
        assert trap.sprung.wait(60), "no such commit came by"
        took = wait_for(shops.all_ended, seconds=60, what="the job ends")
        stage.stop()

    shown.append(f"COMMIT of {step} cut, {moment.value}: ended {took:.1f} s later")
    assert_exact(world, datasets)
    again = shops.refetched(world, datasets)
    is_in_vain = step == "landing" and moment is Moment.BEFORE_DELIVERY
    assert sum(again.values()) == int(is_in_vain)
