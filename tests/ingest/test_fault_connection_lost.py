"""A connection that dies under a worker costs a short wait, not a whole lease (rows 53 and 55)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from django.db import connection
from django.utils import timezone

from connectors.base import Page as FetchedPage
from ingest import applying, fetching
from ingest.models import CollectionJob, SourceStream
from tests.conftest import finish
from tests.ingest.steps import counts, far, land, start
from tests.scripted import Script, record

StreamNamed = Callable[[str], SourceStream]


def hang_up() -> None:
    """End the worker's connection as an administrator or a restart does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = psycopg2.connect(**{**connection.get_connection_params(), "cursor_factory": None})
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["_standing", "_request"])
def test_the_failure_is_noted_over_a_new_connection(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Outside a transaction Django keeps a dead connection; inside one it lets go of it."""
    script.says("records", [record("1")], [record("2")])
    job = start(stream("records"))
    go_on = getattr(fetching, step)

    def after_hanging_up(*args: Any) -> Any:
        monkeypatch.setattr(fetching, step, go_on)
        hang_up()
        return go_on(*args)

    monkeypatch.setattr(fetching, step, after_hanging_up)
    fetching.fetch_slice(job.pk, now=timezone.now, until=far(), after_landing=lambda waiting: None)

    job.refresh_from_db()
    assert (job.status, job.attempts, job.crashes, job.lease_until) == ("PENDING", 1, 0, None)
    assert finish(CollectionJob.objects.get(pk=job.pk)).status == "SUCCEEDED"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["_begin", "pages_waiting"])
def test_a_writer_whose_connection_dies_between_pages_goes_home(
    stream: StreamNamed, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1")]))
    go_on = getattr(applying, step)

    def after_hanging_up(job_id: int) -> Any:
        hang_up()
        return go_on(job_id)

    with monkeypatch.context() as patched:
        patched.setattr(applying, step, after_hanging_up)
        applied = applying.apply_landed(
            job.pk, now=timezone.now, until=far(), after_batch=lambda waiting: None
        )

    connection.close()
    assert applied == (step == "pages_waiting")
    job = finish(job)
    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 1, "inserted": 1})
