"""What the doors of the pipeline make of the broker, there or not."""

from __future__ import annotations

from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from kombu.connection import Connection

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
