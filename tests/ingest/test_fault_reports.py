"""Row 68: reports that are never ready, fail or expire, through jobs; nobody sleeps while they are made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.db import connection
from django.utils import timezone
from pytest_httpserver import HTTPServer

import connectors
from connectors.base import Access, Config, Connector, FetchRequest, Page, Stream
from connectors.reports import ReportFlow
from ingest import jobs
from ingest.connecting import lay_out_streams
from ingest.models import CollectionJob, GenericRecord, ReportRun, Source
from sandbox.reporting import DeskRules
from tests.conftest import finish
from tests.connectors.reporting import Clock, Office, json_lines
from tests.ingest.steps import apply, assert_accounted, fetch, start
from tests.scripted import refine_record

pytestmark = pytest.mark.django_db
ROWS = 25


class OfficeConnector(Connector):
    """Reads its one stream by report."""

    name = "office"
    title = "Office"
    config_model = Config
    office: ClassVar[Office]

    def __init__(self, *, config: Any, credentials: Any, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._flow: ReportFlow = self.office.flow(poll_seconds=30)

    def streams(self) -> tuple[Stream, ...]:
        return (
            Stream(name="records", kind="record", refine=refine_record, page_size=10, default_schedule=""),
        )

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        return self._flow.fetch(request)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def office(httpserver: HTTPServer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Office:
    office = Office(httpserver, clock, rules=DeskRules(seconds=300), body=json_lines(ROWS))
    monkeypatch.setattr(OfficeConnector, "office", office, raising=False)
    known = {**connectors.all_connectors(), "office": OfficeConnector}
    monkeypatch.setattr(connectors, "all_connectors", lambda: known)
    return office


@pytest.fixture
def job(office: Office) -> CollectionJob:
    source = Source.objects.create(name="office", connector="office")
    (stream,) = lay_out_streams(source)
    return start(stream, full=True)


def run_report() -> ReportRun:
    return ReportRun.objects.latest("id")


def test_a_report_of_five_minutes_holds_no_worker_and_is_no_failure(
    office: Office, job: CollectionJob, clock: Clock
) -> None:
    before = timezone.now()
    assert fetch(job) == 1  # the start, kept at once
    assert (job.status, job.attempts, job.error_type) == ("PENDING", 0, "not_ready")
    assert before + timedelta(seconds=25) < job.next_run_at <= timezone.now() + timedelta(seconds=30)
    assert (run_report().state, run_report().polls) == ("RUNNING", 1)
    for _ in range(9):
        clock.wind(seconds=30)
        assert fetch(job) == 0
    assert (job.attempts, job.crashes, run_report().polls, office.desk.polls) == (0, 0, 10, 10)

    clock.wind(seconds=31)
    finish(job)

    assert (job.status, job.fetched, job.inserted, job.error) == ("SUCCEEDED", ROWS, ROWS, "")
    assert (run_report().state, run_report().rows, run_report().next_poll_at) == ("DOWNLOADED", ROWS, None)
    assert GenericRecord.objects.count() == ROWS
    assert_accounted(job)


def test_a_worker_killed_while_it_reads_loses_nothing(
    office: Office, job: CollectionJob, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(job)
    clock.wind(seconds=301)
    with monkeypatch.context() as one_page:
        one_page.setattr("django.conf.settings.MAX_PAGES_AHEAD", 1)
        assert fetch(job) == 1
    apply(job)
    # The next one is killed with rows in its memory and a lease in its hand.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ingest_collectionjob SET crashes = crashes + 1, lease_until = NULL")

    finish(job)

    assert (job.status, job.fetched, job.inserted) == ("SUCCEEDED", ROWS, ROWS)
    assert run_report().rows == ROWS


def test_a_report_that_fails_is_started_once_more_and_read(
    office: Office, job: CollectionJob, clock: Clock
) -> None:
    office.desk.fail_next(1)
    fetch(job)
    clock.wind(seconds=301)
    fetch(job)
    clock.wind(seconds=301)

    finish(job)

    assert (job.status, job.inserted) == ("SUCCEEDED", ROWS)
    states = ReportRun.objects.order_by("id").values_list("external_id", "attempt", "state", "error")
    assert list(states) == [
        ("rep_1", 1, "FAILED", "report rep_1 failed: failed"),
        ("rep_2", 2, "DOWNLOADED", ""),
    ]


def test_a_report_that_fails_twice_ends_the_job_with_both_reasons(
    office: Office, job: CollectionJob, clock: Clock
) -> None:
    office.desk.fail_next(2)
    for _ in range(3):
        fetch(job)
        clock.wind(seconds=301)

    finish(job)

    assert (job.status, job.error_type) == ("FAILED", "parsing")
    assert "rep_1 failed" in job.error
    assert "rep_2 failed" in job.error
    assert list(ReportRun.objects.values_list("state", flat=True)) == ["FAILED", "FAILED"]
    assert office.desk.polls == 4


def test_a_report_that_is_never_ready_is_asked_for_until_its_age_and_started_once_more(
    office: Office, job: CollectionJob, clock: Clock
) -> None:
    office.desk.rules = DeskRules(seconds=10**9)
    for _ in range(2 * 120 + 10):
        clock.wind(seconds=30)
        fetch(job)

    finish(job)

    assert (job.status, job.error_type, job.attempts) == ("FAILED", "parsing", 0)
    assert "not ready after 60 min" in job.error
    assert list(ReportRun.objects.order_by("id").values_list("state", flat=True)) == ["EXPIRED", "FAILED"]
    assert office.desk.polls < 250


def test_a_job_cancelled_while_a_report_is_made_leaves_no_report_open(
    office: Office, job: CollectionJob
) -> None:
    fetch(job)

    jobs.request_cancel([job])
    jobs.end_cancelled()
    finish(job)

    assert job.status == "CANCELLED"
    assert run_report().state == "FAILED"
    assert "ended before it was read" in run_report().error
