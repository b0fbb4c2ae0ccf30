"""A broker that is away or full: nothing waits for it, nothing fails with it, and the rows still ring."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import current_app
from kombu.connection import Connection

from ingest.models import CollectionJob, SourceStream
from syncproject import pipeline
from tests.ingest.steps import StreamNamed, start
from tests.scripted import START, Script, record
from tests.story.redis import PrivateRedis

pytestmark = pytest.mark.django_db(transaction=True)

UseBroker = Callable[[str], None]


@pytest.fixture
def use_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[UseBroker]:
    """Let tasks of this process send to, and look at, another Redis, with the settings of production."""
    options = current_app.conf.broker_transport_options
    connection: Any = Connection  # comes without types

    def use(url: str) -> None:
        for name in ("connection_for_write", "connection_for_read"):
            monkeypatch.setattr(
                current_app, name, lambda *_, **__: connection(url, transport_options=options)
            )
        monkeypatch.setattr(current_app.amqp, "_producer_pool", None)

    yield use
    if pool := current_app.amqp._producer_pool:
        pool.force_close_all()


def is_full(redis: PrivateRedis, *, full: bool) -> None:
    with redis.client() as client:
        client.config_set("maxmemory", 1 if full else 0)


def ring_again() -> None:
    """Let the time pass after which a job is rung for once more."""
    CollectionJob.objects.update(rung_at=START)


@pytest.fixture
def full_redis(redis: PrivateRedis, use_broker: UseBroker) -> PrivateRedis:
    use_broker(redis.url)
    is_full(redis, full=True)
    return redis


def test_a_full_redis_refuses_messages_and_the_tick_sends_them_later(
    full_redis: PrivateRedis, stream: StreamNamed, caplog: pytest.LogCaptureFixture
) -> None:
    SourceStream.objects.filter(name="records").update(schedule="every 15m", next_run_at=START)
    with caplog.at_level(logging.WARNING):
        pipeline.tick()
        pipeline.tick()

    assert CollectionJob.objects.get().status == "PENDING"
    assert full_redis.waiting("fetch") == 0
    assert "the tick will find the job" in caplog.text

    is_full(full_redis, full=False)
    ring_again()
    pipeline.tick()

    assert full_redis.waiting("fetch") == 1


def test_a_turn_taken_while_redis_is_full_keeps_what_it_did(
    full_redis: PrivateRedis, script: Script, stream: StreamNamed
) -> None:
    """Each step rings for the next and for others, in vain."""
    script.says("records", [record("1")], [record("2")])
    job = start(stream("records"))

    for step in (pipeline.fetch_page, pipeline.upsert_batch, pipeline.aggregate_metrics):
        step(job_id=job.pk)

    job.refresh_from_db()
    assert (job.status, job.inserted) == ("SUCCEEDED", 2)


def test_a_full_redis_drops_nothing_it_has_taken(redis: PrivateRedis, use_broker: UseBroker) -> None:
    use_broker(redis.url)
    pipeline.ring(pipeline.page_chain(1))
    is_full(redis, full=True)
    pipeline.ring(pipeline.page_chain(2))

    assert redis.waiting("fetch") == 1


def test_nothing_fails_with_a_broker_that_is_gone(
    redis: PrivateRedis, use_broker: UseBroker, script: Script, stream: StreamNamed
) -> None:
    use_broker(redis.url)
    redis.kill()
    script.says("records", [record("1")])
    SourceStream.objects.filter(name="records").update(schedule="every 15m", next_run_at=START)

    pipeline.tick()
    job = CollectionJob.objects.get()
    for step in (pipeline.fetch_page, pipeline.upsert_batch, pipeline.aggregate_metrics):
        step(job_id=job.pk)

    job.refresh_from_db()
    assert (job.status, job.inserted) == ("SUCCEEDED", 1)


def test_a_message_that_cannot_be_sent_is_tried_once(
    redis: PrivateRedis, use_broker: UseBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web server or a worker that tried again would wait for Redis."""
    use_broker(redis.url)
    redis.kill()
    waits: list[Any] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", waits.append)

    pipeline.ring(pipeline.page_chain(1))

    assert waits == []
