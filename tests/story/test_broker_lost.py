"""Redis forgets, dies or holds nonsense: the rows know what is to be done, and it gets done."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from celery import Celery, Signature, chain
from django.db.models import F, Q
from django.utils import timezone

import sandbox
from ingest.models import CollectionJob, SourceStream
from sandbox import SandboxClient
from syncproject import pipeline
from tests.story import shops
from tests.story.processes import Processes, Started, wait_for
from tests.story.redis import PrivateRedis

SOURCES = 12
TICK = 5.0
#: What a tick may come late by on a busy machine.
LEEWAY = 5.0
OUTAGE = 8.0
ENDS_WITHIN = 60.0

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


@pytest.fixture
def world() -> Iterator[SandboxClient]:
    with sandbox.running(seed=11, customers=300, products=150, orders=600, items=120) as client:
        yield client


@pytest.fixture
def many_jobs(transactional_db: None, world: SandboxClient) -> list[CollectionJob]:
    """Five jobs for each of many sources."""
    sources = [shops.add_songs(world, name=f"songs-{number}", page_size=40) for number in range(SOURCES)]
    return shops.start_all(SourceStream.objects.filter(source__in=sources))


@pytest.fixture
def datasets(transactional_db: None, world: SandboxClient) -> dict[SourceStream, str]:
    """A shop and a songs API in small pages, a job for each stream."""
    shop = shops.add_shop(world, page_size=20, streams=shops.LISTED)
    songs = shops.add_songs(world, page_size=20)
    found = shops.datasets_of(shop, songs)
    shops.start_all(found)
    return found


def wait_until_ready(worker: Started) -> None:
    wait_for(lambda: " ready." in worker.log_text(), seconds=30, what="the worker is ready")


def test_flushed_queue_of_jobs_nobody_had_begun(
    processes: Processes, redis: PrivateRedis, many_jobs: list[CollectionJob], shown: list[str]
) -> None:
    ringers = processes.beat(), processes.worker(queues="default")
    wait_for(lambda: redis.waiting("fetch") == len(many_jobs), seconds=40, what="every job has a message")
    for ringer in ringers:
        ringer.kill()
    redis.flush()
    flushed_at = timezone.now()
    wait_until_ready(processes.worker())
    processes.beat()

    heard = Q(rung_at__gt=flushed_at) | Q(started_at__gt=flushed_at)
    unheard = CollectionJob.objects.exclude(heard)
    took = wait_for(lambda: not unheard.exists(), seconds=60, what="every job is rung again")
    ended = wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="every job ends")

    shown.append(f"flushed {len(many_jobs)} messages: all rung again {took:.1f} s after beat was back, ")
    shown.append(f"all ended {ended:.1f} s later")
    shops.assert_all_succeeded()
    assert took <= 2 * TICK + LEEWAY


def test_flush_under_a_running_worker(
    processes: Processes, redis: PrivateRedis, many_jobs: list[CollectionJob], shown: list[str]
) -> None:
    processes.beat()
    processes.worker()
    wait_for(lambda: redis.waiting("fetch") > SOURCES, seconds=40, what="jobs are rung and begun")
    redis.flush()
    waiting = CollectionJob.objects.filter(status__in=CollectionJob.LIVE, lease_until__isnull=True).count()
    took = wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="every job ends after the flush")

    shown.append(f"flushed under a running worker, {waiting} jobs waiting: all ended after {took:.1f} s")
    assert waiting > SOURCES, "nothing was lost: flush earlier"
    shops.assert_all_succeeded()
    shops.assert_no_version_twice()


def test_redis_away_in_the_middle(
    processes: Processes,
    redis: PrivateRedis,
    world: SandboxClient,
    datasets: dict[SourceStream, str],
    shown: list[str],
) -> None:
    world.misbehave("/", "latency", milliseconds=40)
    processes.beat()
    processes.worker()
    wait_for(lambda: shops.pages_landed() >= 8, seconds=60, what="pages land")
    redis.kill()
    time.sleep(OUTAGE)
    redis.start()
    assert not shops.all_ended(), "everything had ended before Redis was back: make the world larger"
    took = wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="every job ends once Redis is back")

    shown.append(f"Redis away for {OUTAGE:.0f} s: all ended {took:.1f} s after it was back")
    shops.assert_exact(world, datasets)


def test_messages_of_another_version(
    processes: Processes, redis: PrivateRedis, world: SandboxClient, datasets: dict[SourceStream, str]
) -> None:
    some_job = CollectionJob.objects.earliest("pk").pk
    with Celery(broker=redis.url, set_as_current=False) as client:
        client.send_task("syncproject.pipeline.gone", kwargs={"job_id": some_job}, queue="fetch")
        client.send_task("syncproject.pipeline.fetch_page", args=[some_job], queue="fetch")
        later = {"job_id": some_job, "payload": {"rows": [1]}, "version": 2}
        client.send_task("syncproject.pipeline.fetch_page", kwargs=later, queue="fetch")
        client.send_task("syncproject.pipeline.upsert_batch", kwargs={"job_id": 10**9}, queue="upsert")
        client.send_task(
            "syncproject.pipeline.fetch_page", args=[{some_job}], queue="fetch", serializer="pickle"
        )
    worker = processes.worker()
    processes.beat()
    wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="every job ends")

    assert "unregistered task" in worker.log_text()
    assert "takes 0 positional arguments" in worker.log_text()
    assert "ContentDisallowed" in worker.log_text()
    assert worker.is_running
    wait_for(lambda: not redis.unacknowledged(), seconds=10, what="every message is acknowledged")
    shops.assert_exact(world, datasets)


def turn_of(client: Celery, job_id: int) -> Signature:
    """Return the chain that pipeline.page_chain sends, for a Redis other than that of the settings."""
    links = pipeline.page_chain(job_id).tasks
    return chain(
        *(
            client.signature(link.task, kwargs=link.kwargs, queue=queue, immutable=True)
            for link, queue in zip(links, ("fetch", "upsert", "metrics"), strict=True)
        )
    )


def test_message_delivered_twenty_times(
    processes: Processes, redis: PrivateRedis, world: SandboxClient, datasets: dict[SourceStream, str]
) -> None:
    twenty_times = list(CollectionJob.objects.values_list("pk", flat=True)) * 20
    random.Random(20).shuffle(twenty_times)
    with Celery(broker=redis.url, set_as_current=False) as client:
        for pk in twenty_times:
            turn_of(client, pk).apply_async()
    assert redis.waiting("fetch") == len(twenty_times)
    processes.worker()
    processes.beat()
    wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="every job ends")
    wait_for(lambda: not redis.waiting("fetch"), seconds=30, what="all messages are heard")

    shops.assert_exact(world, datasets)
    fetched_once = CollectionJob.objects.filter(fetched=F("inserted")).count()
    assert fetched_once == len(datasets)
