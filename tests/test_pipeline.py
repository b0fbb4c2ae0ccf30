"""What the doors of the pipeline make of the broker, there or not."""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from kombu.connection import Connection

from ingest import jobs, leases
from ingest.models import CollectionJob, SourceStream
from syncproject import pipeline
from tests.ingest.steps import StreamNamed
from tests.scripted import START


def use_broker(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    connection: Any = Connection
    monkeypatch.setattr(current_app, "connection_for_read", lambda: connection(url))


def test_no_queue_counts_as_idle_when_the_broker_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    use_broker(monkeypatch, "redis://127.0.0.1:1/0")

    assert pipeline.idle_queues() == set()


def test_a_queue_with_a_message_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    unused = f"{settings.REDIS_URL.rsplit('/', 1)[0]}/15"
    use_broker(monkeypatch, unused)
    with current_app.connection_for_read() as broker:
        client = broker.default_channel.client
        client.rpush("metrics", "a message")
        try:
            assert pipeline.idle_queues() == {"fetch", "upsert", "default"}
        finally:
            client.delete("metrics")


@pytest.mark.django_db
def test_a_tick_rings_for_the_jobs_it_starts(stream: StreamNamed, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are due from their first moment on, which is later than the tick's."""
    SourceStream.objects.filter(pk=stream("records").pk).update(schedule="every 15m", next_run_at=START)
    rung: list[Any] = []
    monkeypatch.setattr(pipeline, "idle_queues", set)
    monkeypatch.setattr(pipeline, "ring", rung.append)

    pipeline.tick()

    assert rung == [pipeline.page_chain(CollectionJob.objects.get().pk)]


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    messages: list[Any] = []
    monkeypatch.setattr(pipeline, "ring", messages.append)
    return messages


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pipeline, "time", clock)
    return clock


def test_writers_are_rung_for_when_a_page_lands_where_none_waited(rung: list[Any], clock: Clock) -> None:
    bell = pipeline.WritersBell(1)

    bell.page_landed(0)
    bell.page_landed(1)

    assert len(rung) == 1


def test_writers_are_rung_for_once_per_quarter_of_a_second(rung: list[Any], clock: Clock) -> None:
    bell = pipeline.WritersBell(1)

    bell.page_landed(0)
    clock.now += 0.1
    bell.page_landed(0)
    assert len(rung) == 1
    clock.now += 0.2
    bell.page_landed(1)

    assert len(rung) == 2


def test_writers_that_went_home_as_a_page_came_are_rung_for_again(rung: list[Any], clock: Clock) -> None:
    """The page they were closing counted as waiting still, so nobody was owed a ring."""
    bell = pipeline.WritersBell(1)
    bell.page_landed(0)

    for waiting in range(1, 12):
        clock.now += 0.05
        bell.page_landed(waiting)

    assert len(rung) == 2


def test_writers_that_keep_up_are_left_alone(rung: list[Any], clock: Clock) -> None:
    bell = pipeline.WritersBell(1)
    bell.page_landed(0)

    for waiting in (1, 2, 3, 2, 3, 1, 2, 3, 4, 1, 2) * 3:
        clock.now += 0.1
        bell.page_landed(waiting)

    assert len(rung) == 1


@pytest.mark.django_db
def test_a_writer_lets_go_when_nobody_answers_its_ring(stream: StreamNamed, rung: list[Any]) -> None:
    job, _ = jobs.start(stream("records"), trigger=CollectionJob.Trigger.COMMAND)
    bell = pipeline.FetchersBell(job.pk)

    assert not bell.batch_applied(settings.MAX_PAGES_AHEAD), "there is no room for more pages"
    assert rung == []
    assert not bell.batch_applied(3)
    assert rung == [pipeline.page_chain(job.pk)]
    assert bell.batch_applied(2)
    assert len(rung) == 1


@pytest.mark.django_db
def test_a_writer_goes_on_when_a_fetcher_has_come(stream: StreamNamed, rung: list[Any]) -> None:
    job, _ = jobs.start(stream("records"), trigger=CollectionJob.Trigger.COMMAND)
    bell = pipeline.FetchersBell(job.pk)
    bell.batch_applied(3)

    assert leases.claim(job.pk)

    assert not bell.batch_applied(2)
