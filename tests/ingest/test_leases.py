"""Claims: one holder, PostgreSQL's clock, and an end for jobs that take their workers down."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from connectors.base import Page as FetchedPage
from ingest import jobs, landing, leases
from ingest.leases import LeaseLost
from ingest.models import CollectionJob, GenericRecord, Source
from tests.conftest import finish
from tests.ingest.steps import StreamNamed, claim, counts, in_threads, land, start
from tests.scripted import START, Script, record

pytestmark = pytest.mark.django_db


def expire() -> None:
    CollectionJob.objects.update(lease_until=START)


def crash(job: CollectionJob) -> None:
    """Claim the job and vanish."""
    CollectionJob.objects.update(next_run_at=START)
    claim(job)
    expire()
    assert leases.reap() == [job.pk]
    job.refresh_from_db()


@pytest.mark.django_db(transaction=True)
def test_of_20_workers_one_gets_the_job(stream: StreamNamed) -> None:
    job = start(stream("records"))

    leased = in_threads(20, lambda number: leases.claim(job.pk))

    assert len([lease for lease in leased if lease]) == 1
    job.refresh_from_db()
    assert job.lease_token == 1


@pytest.mark.parametrize(
    "values",
    [
        {"next_run_at": timezone.now() + timedelta(hours=1)},
        {"is_fetched": True},
        {"status": "FAILED"},
        {"status": "SUCCEEDED"},
        {"lease_until": START},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_job_that_has_to_wait_or_is_over_cannot_be_claimed(
    stream: StreamNamed, values: dict[str, Any]
) -> None:
    job = start(stream("records"))
    CollectionJob.objects.update(**values)

    assert leases.claim(job.pk) is None


def test_a_paused_source_gives_no_job_away(source: Source, stream: StreamNamed) -> None:
    job = start(stream("records"))
    jobs.set_paused([source], paused=True)
    assert leases.claim(job.pk) is None

    jobs.set_paused([source], paused=False)
    assert leases.claim(job.pk) is not None


def test_a_lease_ends_by_the_clock_of_the_database(
    stream: StreamNamed, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: START)  # a worker whose clock is wrong
    job = start(stream("records"))

    claim(job)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lease_until - clock_timestamp(), started_at - clock_timestamp() FROM ingest_collectionjob"
        )
        left, started = cursor.fetchone()
    assert timedelta(0) < left <= timedelta(seconds=settings.LEASE_SECONDS)
    assert timedelta(seconds=-30) < started <= timedelta(0)
    assert leases.reap() == []


def test_progress_renews_the_lease_and_makes_earlier_failures_forgotten(stream: StreamNamed) -> None:
    job = start(stream("records"))
    crash(job)
    CollectionJob.objects.update(next_run_at=START, attempts=3, error="it was slow", error_type="network")
    lease = claim(job)
    expire()

    landing.land(job, lease, FetchedPage(records=[record("1")], next_cursor="1"), fetch_ms=0)

    job.refresh_from_db()
    assert (job.crashes, job.attempts, job.error, job.error_type) == (0, 0, "", "")
    assert job.lease_until is not None
    assert job.lease_until > timezone.now()


def test_renewing_is_for_the_holder_only(stream: StreamNamed) -> None:
    job = start(stream("records"))
    lease = claim(job)
    leases.renew(lease)
    expire()
    leases.reap()
    CollectionJob.objects.update(next_run_at=START)
    leases.renew(claim(job))

    with pytest.raises(LeaseLost, match="no longer held"):
        leases.renew(lease)
    with pytest.raises(LeaseLost, match="no longer held"):
        leases.write_fenced(lease, cursor="stale")


def test_a_stalled_job_is_handed_back_with_a_crash_counted(stream: StreamNamed) -> None:
    job = start(stream("records"))
    claim(job)
    assert leases.reap() == []
    expire()

    assert leases.reap() == [job.pk]
    assert leases.reap() == []

    job.refresh_from_db()
    assert (job.crashes, job.lease_until, job.lease_token, job.status) == (1, None, 2, "RUNNING")
    assert not job.is_fetched


@pytest.mark.django_db(transaction=True)
def test_reapers_at_the_same_time_count_one_crash(stream: StreamNamed) -> None:
    job = start(stream("records"))
    claim(job)
    expire()

    reaped = in_threads(8, lambda number: leases.reap())

    assert sorted(reaped) == [[]] * 7 + [[job.pk]]
    job.refresh_from_db()
    assert job.crashes == 1


def test_three_crashes_without_a_page_quarantine_the_job_and_what_landed_is_applied(
    stream: StreamNamed, caplog: pytest.LogCaptureFixture
) -> None:
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1")], next_cursor="1"))
    for _ in range(2):
        crash(job)
    assert caplog.records == []
    crash(job)

    told = vars(caplog.records[0])
    assert (told["levelname"], told["msg"], told["job"]) == ("ERROR", "job quarantined", job.pk)
    assert (told["source"], told["stream"], told["reason"]) == (job.source.name, "records", job.error)
    assert (job.outcome, job.is_fetched) == ("QUARANTINED", True)
    assert leases.claim(job.pk) is None
    job = finish(job)
    assert (job.status, job.error_type, counts(job)) == (
        "QUARANTINED",
        "crash",
        {"fetched": 1, "inserted": 1},
    )
    assert job.lease_holder in job.error
    assert "3 times" in job.error
    assert GenericRecord.objects.count() == 1


def test_a_page_between_crashes_saves_the_job(script: Script, stream: StreamNamed) -> None:
    job = start(stream("records"))
    for number in range(4):
        crash(job)
        CollectionJob.objects.update(next_run_at=START)
        land(job, FetchedPage(records=[record(str(number))], next_cursor=str(number)))

    assert (job.outcome, job.crashes) == ("", 0)


def test_a_quarantined_stream_can_be_started_again(script: Script, stream: StreamNamed) -> None:
    script.says("records", [record("1")])
    first = start(stream("records"))
    for _ in range(3):
        crash(first)
    finish(first)

    assert finish(start(stream("records"))).status == "SUCCEEDED"
