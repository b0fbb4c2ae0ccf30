"""Slow sources take turns: whoever waits for a worker waits for a page of each, not for a slice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from ingest import fetching, jobs
from ingest.models import CollectionJob
from syncproject import pipeline
from syncproject.celery import app
from tests.ingest.steps import StreamNamed, fetch, start
from tests.scripted import Script, ScriptedConnector, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def slow(
    settings: Any, script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> CollectionJob:
    """A job of many pages that has had its share after the first."""
    settings.SHARE_SECONDS = 0
    monkeypatch.setattr(fetching, "WORTH_ASKING_AHEAD", 60.0)  # on a busy machine, too
    script.says("records", *([record(str(n))] for n in range(6)))
    return start(stream("records"))


def ring_for_all() -> None:
    jobs.take_unrung(now=timezone.now(), is_fetch_idle=True, is_apply_idle=True)


def test_a_job_makes_way_at_its_next_page_for_one_that_waits(
    slow: CollectionJob, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_job_comes() -> None:
        if not CollectionJob.objects.filter(stream__name="orders").exists():
            start(stream("orders"))
            ring_for_all()

    monkeypatch.setattr(ScriptedConnector, "on_fetch", another_job_comes)

    assert fetch(slow) == 1

    assert (slow.status, slow.cursor, slow.lease_until) == ("RUNNING", "1", None)
    assert jobs.wants_fetching(slow.pk, now=timezone.now())


def test_each_turn_lands_a_page_however_many_wait(slow: CollectionJob, stream: StreamNamed) -> None:
    start(stream("orders"))
    ring_for_all()

    assert [fetch(slow) for _ in range(3)] == [1, 1, 1]


def test_a_page_asked_ahead_is_landed_before_the_job_makes_way(
    slow: CollectionJob, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(stream("orders"))
    ring_for_all()
    at_once = {True: 0.0, False: None}
    monkeypatch.setattr(
        fetching, "_seconds_before_asking_ahead", lambda read, *_: at_once[bool(read.page.next_cursor)]
    )

    assert fetch(slow) == 2


def test_others_are_looked_for_once_in_a_share(
    settings: Any, script: Script, slow: CollectionJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SHARE_SECONDS = 10
    clock = itertools.count()  # a second passes from one look at it to the next
    looks: list[datetime] = []
    monkeypatch.setattr("ingest.fetching.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(jobs, "anyone_waits", lambda *, now: looks.append(now))

    script.says("records", *([record(str(n))] for n in range(30)))

    assert fetch(slow) == 30

    assert 1 <= len(looks) <= 12


@pytest.mark.parametrize(
    "values",
    [
        {"next_run_at": timezone.now() + timedelta(hours=1)},
        {"is_fetched": True},
        {"rung_at": None},
        {"status": "FAILED"},
    ],
    ids=lambda values: next(iter(values)),
)
def test_nobody_makes_way_for_jobs_that_want_no_worker(
    slow: CollectionJob, stream: StreamNamed, values: dict[str, Any]
) -> None:
    other = start(stream("orders"))
    ring_for_all()
    CollectionJob.objects.filter(pk=other.pk).update(**values)

    assert fetch(slow) == 6


def test_a_job_keeps_its_worker_until_it_has_had_its_share(
    settings: Any, slow: CollectionJob, stream: StreamNamed
) -> None:
    settings.SHARE_SECONDS = 60
    start(stream("orders"))
    ring_for_all()

    assert fetch(slow) == 6


def test_fetching_applying_counting_and_ticking_never_queue_behind_each_other() -> None:
    def queue(task: Any) -> str:
        return str(app.conf.task_routes.get(task.name, {}).get("queue", app.conf.task_default_queue))

    steps: list[Callable[..., Any]] = [
        pipeline.fetch_page,
        pipeline.upsert_batch,
        pipeline.aggregate_metrics,
        pipeline.tick,
    ]
    assert len({queue(step) for step in steps}) == 4
