from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors.base import Stream
from connectors.errors import AuthenticationError, RateLimited
from ingest import jobs
from ingest.models import CollectionJob, GenericRecord, Source, SourceStream
from tests.commands.commanding import run
from tests.scripted import Script, ScriptedConnector, record, refine_record

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _orders_say_nothing(script: Script) -> None:
    script.says("orders", [])


def test_jobs_are_started_and_left_to_the_workers(source: Source) -> None:
    done = run("sync", "shop")
    assert done.code == 0, done.err
    assert set(CollectionJob.objects.values_list("stream__name", "status")) == {
        ("orders", "PENDING"),
        ("records", "PENDING"),
    }
    assert done.out.count("Started job") == 2


def test_here_the_job_runs_to_its_end(source: Source, script: Script) -> None:
    script.says("records", [record("a"), record("b")], [record("c")])
    done = run("sync", "shop", "--stream", "records", "--here", "--json")
    assert done.code == 0, done.err
    assert [(line["stream"], line["status"], line["inserted"]) for line in done.lines] == [
        ("records", "SUCCEEDED", 3)
    ]
    assert GenericRecord.objects.count() == 3


def test_progress_goes_to_stderr_so_that_stdout_holds_the_result(source: Source, script: Script) -> None:
    script.says("records", [record("a")])
    done = run("sync", "shop", "--here")
    assert "shop/records: 1 records" in done.err
    assert "SUCCEEDED" in done.out


def test_dead_letters_make_it_partial(source: Source, script: Script) -> None:
    script.says("records", [record("a"), record("b", title={"not": "text"})])
    assert run("sync", "shop", "--here").code == 3


def test_a_failed_job_says_why(source: Source, script: Script) -> None:
    script.says("records", AuthenticationError("shop refused the token; renew it"))
    done = run("sync", "shop", "--here")
    assert done.code == 1
    assert "shop refused the token" in done.out


def test_waits_that_the_source_asks_for_are_kept_and_told(source: Source, script: Script) -> None:
    script.says("records", RateLimited("429 from shop", retry_after=1.2), [record("a")])
    done = run("sync", "shop", "--here")
    assert done.code == 0
    assert re.search(r"waits \d s: 429 from shop", done.err)


def test_a_job_that_is_live_already_is_joined(source: Source, script: Script) -> None:
    job, _ = jobs.start(source.streams.get(name="orders"), trigger="SCHEDULE")
    done = run("sync", "shop", "--stream", "orders", "--full", "--here")
    assert f"job {job.pk} (incremental) is live already" in done.err
    job.refresh_from_db()
    assert job.status == "SUCCEEDED"


@pytest.fixture
def interrupted() -> Iterator[None]:
    """Ctrl-C arrives while the second page is fetched."""
    calls: list[None] = []

    def interrupt() -> None:
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt

    ScriptedConnector.on_fetch = interrupt
    yield
    ScriptedConnector.on_fetch = None


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_leaves_a_job_that_goes_on_where_it_stopped(source: Source, script: Script) -> None:
    script.says("records", [record("a")], [record("b")], [record("c")])
    done = run("sync", "shop", "--stream", "records", "--here")
    assert done.code == 130
    assert "python manage.py sync shop --here" in done.err
    job = CollectionJob.objects.get()
    assert (job.is_live, job.lease_until, job.cursor) == (True, None, "1")

    assert run("sync", "shop", "--stream", "records", "--here").code == 0
    assert [request.cursor for _, request in script.requests] == [None, "1", "2"]
    assert GenericRecord.objects.count() == 3


def test_dates_bound_a_backfill_to_whole_days(source: Source) -> None:
    run("sync", "shop", "--stream", "records", "--since", "2026-01-05", "--until", "2026-01-06")
    job = CollectionJob.objects.get()
    assert job.mode == "BACKFILL"
    assert job.window_start == datetime(2026, 1, 5, tzinfo=UTC)
    assert job.window_end == datetime(2026, 1, 6, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nosuch"], "There is no source 'nosuch'. There are: shop."),
        (
            ["shop", "--stream", "nosuch"],
            "There is no stream 'nosuch' in source shop. There are: orders, records.",
        ),
        (["shop", "--since", "2026-02-01", "--until", "2026-01-01"], "is after --until"),
        (["shop", "--full", "--since", "2026-02-01"], "--full means everything"),
    ],
)
def test_what_makes_no_sense_starts_nothing(source: Source, arguments: list[str], told: str) -> None:
    done = run("sync", *arguments)
    assert done.code == 2
    assert told in done.err
    assert not CollectionJob.objects.exists()


def test_no_date_says_how_to_write_one(source: Source) -> None:
    assert "2026-01-31" in run("sync", "shop", "--since", "yesterday").err


def test_a_paused_source_is_not_synced(source: Source) -> None:
    Source.objects.update(is_paused=True)
    done = run("sync", "shop")
    assert done.code == 2
    assert "Resume it" in done.err


def test_disabled_streams_are_left_out_unless_named(source: Source) -> None:
    SourceStream.objects.filter(name="orders").update(is_enabled=False)
    run("sync", "shop")
    assert set(CollectionJob.objects.values_list("stream__name", flat=True)) == {"records"}


def test_a_stream_that_knows_no_times_has_no_backfill(source: Source, script: Script) -> None:
    script.streams = (Stream(name="records", kind="record", refine=refine_record),)
    done = run("sync", "shop", "--stream", "records", "--since", "2026-01-01")
    assert done.code == 2
    assert "cannot be listed by time" in done.err
