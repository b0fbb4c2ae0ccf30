"""Rows 67 and 68 with workers that are killed at it: cursors that expire, reports that fail and are read."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import sandbox
from ingest import jobs
from ingest.models import CollectionJob, GenericRecord, ReportRun, Source, SourceStream
from sandbox import Options, SandboxClient
from sandbox.server import Server
from tests.chaos.strict import OFFICE, StrictWorld
from tests.chaos.strict_desk import KEY
from tests.story import shops
from tests.story.processes import Processes, wait_for

#: The worker alone knows the office; this process must not learn of it, as other tests go through all rooms.
ROOMS = {"DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "LEASE_SECONDS": "5"}
ROWS = 120
ENDS_WITHIN = 90.0

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


@pytest.fixture
def world() -> Iterator[StrictWorld]:
    world = StrictWorld(
        Options(now=int(time.time()), items=ROWS, latency_ms=20, customers=1, products=1, orders=1)
    )
    world.desk.is_restless = False
    server = Server(world)
    server.start()
    Source.objects.create(
        name=OFFICE,
        connector="office",
        config={"base_url": f"{server.url}/office"},
        credentials={"token": KEY},
    )
    yield world
    server.stop()


@pytest.fixture
def job(world: StrictWorld) -> CollectionJob:
    stream = SourceStream.objects.create(
        source=Source.objects.get(), name="report", kind="record", page_size=10, schedule=""
    )
    return jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, full=True)[0]


def states() -> list[str]:
    return list(ReportRun.objects.order_by("id").values_list("state", flat=True))


def test_workers_killed_while_a_report_is_made_and_read_cost_no_row(
    processes: Processes, world: StrictWorld, job: CollectionJob, shown: list[str]
) -> None:
    processes.beat()
    worker = processes.worker(**ROOMS)
    wait_for(states, seconds=60, what="the report is begun")
    worker.kill()
    worker = processes.worker(**ROOMS)
    wait_for(lambda: shops.pages_landed() > 3, seconds=60, what="rows are read")
    worker.kill()
    processes.worker(**ROOMS)
    took = wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="the job ends after the last restart")

    shown.append(f"read to its end {took:.1f} s after the second worker died, {len(states())} reports")
    shops.assert_all_succeeded()
    job.refresh_from_db()
    assert (job.inserted, GenericRecord.objects.count()) == (ROWS, ROWS)
    assert states() == ["DOWNLOADED"]
    assert ReportRun.objects.get().rows == ROWS
    assert world.desk.told()["betrayed"] == 0
    shops.assert_counters_are_sums_of_pages()


def test_a_report_that_fails_is_begun_once_more_by_another_worker(
    processes: Processes, world: StrictWorld, job: CollectionJob
) -> None:
    world.desk.fail_next()
    processes.beat()
    worker = processes.worker(**ROOMS)
    wait_for(lambda: "FAILED" in states(), seconds=60, what="the first report fails")
    worker.kill()
    processes.worker(**ROOMS)
    wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="the job ends")

    shops.assert_all_succeeded()
    assert states() == ["FAILED", "DOWNLOADED"]
    assert list(ReportRun.objects.order_by("id").values_list("attempt", flat=True)) == [1, 2]
    assert GenericRecord.objects.count() == ROWS


def test_a_cursor_that_expires_costs_a_second_pass_and_no_row(
    processes: Processes, transactional_db: None
) -> None:
    with sandbox.running(items=200, customers=1, products=1, orders=1, latency_ms=20) as client:
        songs = shops.add_songs(client, page_size=20, pagings=["cursor"])
        datasets = shops.datasets_of(None, songs)
        client.misbehave("/api/cursor/items", "expired_cursor", skip=4, times=1)
        [job] = shops.start_all(datasets, full=True)
        processes.beat()
        processes.worker()
        wait_for(shops.all_ended, seconds=ENDS_WITHIN, what="the job ends")
        assert_read(client, job, datasets)


def assert_read(client: SandboxClient, job: CollectionJob, datasets: dict[SourceStream, str]) -> None:
    job.refresh_from_db()
    assert job.pass_number == 2
    shops.assert_exact(client, datasets)
