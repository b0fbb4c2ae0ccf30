"""Sources that hang, and workers that are merely old: only progress keeps a job, only silence loses it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connectors.http import Timeouts
from ingest import leases, reading
from ingest.connecting import lay_out_streams
from ingest.leases import Lease
from ingest.models import CollectionJob, Source
from tests.conftest import finish
from tests.ingest.steps import StreamNamed, claim, counts, fetch, start
from tests.scripted import Script, ScriptedConnector, record

pytestmark = pytest.mark.django_db


def test_a_job_is_never_taken_away_for_its_age(stream: StreamNamed) -> None:
    job = start(stream("records"))
    lease = claim(job)
    long_ago = timezone.now() - timedelta(days=30)
    CollectionJob.objects.update(
        created_at=long_ago, started_at=long_ago, progress_at=long_ago, rung_at=long_ago, next_run_at=long_ago
    )

    assert leases.reap() == []

    leases.renew(lease)


def test_a_page_that_outlasts_the_soft_limit_is_put_off(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang() -> None:
        monkeypatch.setattr(ScriptedConnector, "on_fetch", None)
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(ScriptedConnector, "on_fetch", hang)
    script.says("records", [record("1")])
    job = start(stream("records"))

    fetch(job)

    assert (job.status, job.attempts, job.error_type, job.lease_until) == ("PENDING", 1, "network", None)
    job = finish(job)
    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 1, "inserted": 1})


def test_a_call_is_bounded_in_every_way_unless_told_otherwise(settings: Any) -> None:
    bounds = Timeouts()

    assert (bounds.connect, bounds.read, bounds.total) == (5, 30, 120)
    assert bounds.connect + bounds.read < settings.LEASE_SECONDS


class Renewals:
    """Counts how often a lease was renewed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(reading, "RENEW_EVERY", -1.0)
        monkeypatch.setattr(leases, "renew", self._renew)

    def _renew(self, lease: Lease) -> None:
        self.count += 1


def test_a_lease_is_renewed_by_bytes_and_by_nothing_else(
    settings: Any, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewals = Renewals(monkeypatch)
    before_a_byte, after_some = [], []

    def answer(request: Request) -> Response:
        before_a_byte.append(renewals.count)

        def body() -> Iterator[bytes]:
            yield b'{"items": [' + b" " * 300_000
            yield b'{"id": "1"}]}'

        return Response(body(), content_type="application/json")

    httpserver.expect_request("/items").respond_with_handler(answer)
    settings.SYNC_PRIVATE_HOSTS = frozenset({"localhost"})
    config = {"sourceIdentifier": httpserver.url_for("/items"), "dataPath": "items"}
    source = Source.objects.create(name="slow", connector="rest", config=config)
    job = start(lay_out_streams(source)[0])

    fetch(job)
    after_some.append(renewals.count)

    assert (job.is_fetched, before_a_byte) == (True, [0])
    assert after_some[0] >= 2
