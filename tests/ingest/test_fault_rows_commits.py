"""Commits that were lost, or took place unheard, at every place of a run; and steps without a broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.db.models import Sum
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerAway
from kombu.messaging import Producer

from ingest.models import CollectionJob, FailedSync, Order, OrderLine, Page, RawRecord
from metrics.models import DailyMetric, DailyRevenue
from syncproject import pipeline
from tests.ingest.steps import StreamNamed, assert_accounted, counts, start
from tests.scripted import START, Script, record

COMMITS = ("first page", "last page", "refined rows", "metrics", "end of the job")


def fail_commit(monkeypatch: pytest.MonkeyPatch, number: int, *, is_applied: bool) -> Callable[[], int]:
    """Cut the connection at one commit, before or after it takes place; return how many there were."""
    database: Any = connections["default"]
    commit, seen = database._commit, []

    def cut() -> None:
        seen.append(commit)
        if len(seen) != number:
            commit()
            return
        if is_applied:
            commit()
        database.connection.close()
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(database, "_commit", cut)
    return lambda: len(seen)


def take_turns(job: CollectionJob) -> CollectionJob:
    """Take turns as workers do: a task that fails is over, and the tick rings again later."""
    for _ in range(6):
        job.refresh_from_db()
        if not job.is_live:
            break
        CollectionJob.objects.filter(pk=job.pk).update(next_run_at=START)
        Page.objects.filter(job=job, state="LANDED").update(begun_at=None)
        try:
            pipeline.run_here(job.pk, now=timezone.now)
        except OperationalError:
            connection.close()
    return job


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_applied", [False, True], ids=["lost", "unheard"])
@pytest.mark.parametrize("place", COMMITS)
def test_a_commit_without_an_answer_loses_and_doubles_nothing(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch, place: str, is_applied: bool
) -> None:
    line = {"id": "1-1", "price": 5}
    script.says(
        "orders",
        [record("1", total=10, lines=[line]), record("2", total=1)],
        [record("3", total=2), record("4")],
    )
    job = start(stream("orders"))
    commits = fail_commit(monkeypatch, COMMITS.index(place) + 1, is_applied=is_applied)

    take_turns(job)

    assert commits() >= len(COMMITS)
    assert (job.status, counts(job)) == ("PARTIAL", {"fetched": 4, "inserted": 3, "failed": 1})
    assert_accounted(job)
    assert (RawRecord.objects.count(), Order.objects.count(), OrderLine.objects.count()) == (4, 3, 1)
    assert (FailedSync.objects.get().external_id, FailedSync.objects.get().attempts) == ("4", 1)
    metric = DailyMetric.objects.filter(kind="order").aggregate(
        records=Sum("records"), new=Sum("new"), failed=Sum("failed")
    )
    assert metric == {"records": 3, "new": 3, "failed": 1}
    assert DailyRevenue.objects.get().amount == 13


@pytest.mark.django_db
def test_a_step_that_cannot_ring_for_the_next_is_done_all_the_same(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise BrokerAway("connection refused")

    monkeypatch.setattr(Producer, "publish", refuse)
    script.says("records", [record("1")], [record("2")])
    job = start(stream("records"))

    pipeline.tick()
    for step in (pipeline.fetch_page, pipeline.upsert_batch, pipeline.aggregate_metrics):
        step(job_id=job.pk)

    job.refresh_from_db()
    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 2, "inserted": 2})


@pytest.mark.django_db
def test_every_step_done_twice_changes_nothing(script: Script, stream: StreamNamed) -> None:
    script.says("orders", [record("1", total=1)], [record("2", total=2), record("3")])
    job = start(stream("orders"))

    for step in (pipeline.fetch_page, pipeline.upsert_batch, pipeline.aggregate_metrics):
        step(job_id=job.pk)
        before = everything()
        step(job_id=job.pk)
        assert everything() == before

    job.refresh_from_db()
    assert_accounted(job)


def everything() -> list[Any]:
    tables: tuple[Any, ...] = (CollectionJob, Page, RawRecord, Order, FailedSync, DailyMetric, DailyRevenue)
    return [list(table.objects.order_by("pk").values()) for table in tables]
