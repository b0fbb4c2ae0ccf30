"""A provider that is down is asked seldom, however many streams wait for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from connectors.base import Page as FetchedPage
from connectors.errors import ConnectorError, RateLimited, TransientError
from ingest import fetching
from ingest.models import CollectionJob, Source
from tests.conftest import finish
from tests.ingest.steps import StreamNamed, far, fetch, land, start
from tests.scripted import Script, ScriptedConnector, record

pytestmark = pytest.mark.django_db

OUTAGE = timedelta(minutes=5)
MOST_REQUESTS = 30


class Outage:
    """Every answer is the error; the clock jumps from one due job to the next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: ConnectorError) -> None:
        self.requests = 0
        self._error = error
        monkeypatch.setattr(ScriptedConnector, "on_fetch", self._refuse)

    def _refuse(self) -> None:
        self.requests += 1
        raise self._error

    def last(self, length: timedelta) -> None:
        passed = timedelta(0)
        waiting = CollectionJob.objects.filter(status__in=CollectionJob.LIVE, is_fetched=False)
        while job := waiting.order_by("next_run_at").first():
            wait = max(timedelta(0), job.next_run_at - timezone.now())
            passed += wait
            if passed > length:
                return
            waiting.update(next_run_at=F("next_run_at") - wait)
            fetching.fetch_slice(job.pk, now=timezone.now, until=far(), after_landing=lambda waiting: None)


ERRORS = {
    "503": TransientError("answered 503"),
    "429 without a hint": RateLimited("answered 429"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize("streams", [1, 6])
def test_an_outage_of_five_minutes_costs_few_requests(
    source: Source, monkeypatch: pytest.MonkeyPatch, error: ConnectorError, streams: int
) -> None:
    for stream in source.streams.all()[:streams]:
        start(stream)
    outage = Outage(monkeypatch, error)

    outage.last(OUTAGE)

    assert streams <= outage.requests <= MOST_REQUESTS


def test_after_an_outage_one_job_asks_and_the_others_follow(
    script: Script, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stream in source.streams.all():
        script.says(stream.name, [])
        start(stream)
    Outage(monkeypatch, TransientError("answered 503")).last(timedelta(seconds=1))
    monkeypatch.setattr(ScriptedConnector, "on_fetch", None)

    first, second = CollectionJob.objects.order_by("next_run_at")[:2]
    assert second.next_run_at - first.next_run_at > timedelta(seconds=20)

    assert {finish(job).status for job in CollectionJob.objects.all()} == {"SUCCEEDED"}


def test_one_broken_stream_holds_up_no_other(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, broken = start(stream("orders")), start(stream("records"))
    land(good, FetchedPage(records=[record("1")], next_cursor="1"))
    due = CollectionJob.objects.filter(pk=good.pk).values_list("next_run_at", flat=True)
    before = due.get()
    CollectionJob.objects.filter(pk=broken.pk).update(attempts=6)
    Outage(monkeypatch, TransientError("answered 503"))

    fetch(broken)

    assert (broken.attempts, due.get()) == (7, before)


def test_unhinted_waits_never_fail_a_job(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.says("records", [record("1")])
    job = start(stream("records"))
    outage = Outage(monkeypatch, RateLimited("answered 429"))

    for _ in range(30):
        fetch(job)

    assert (outage.requests, job.status, job.rate_limit_hits) == (30, "PENDING", 30)
    Outage(monkeypatch, TransientError("answered 503"))
    fetch(job)
    assert job.is_fetched is False
    monkeypatch.setattr(ScriptedConnector, "on_fetch", None)
    assert finish(job).status == "SUCCEEDED"
