"""The life of a job: one per stream, patient with what passes, and never green over a gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.utils import timezone

from connectors.base import Page as FetchedPage
from connectors.errors import (
    AuthenticationError,
    BadResponse,
    ConfigError,
    ConnectorError,
    CursorExpired,
    RateLimited,
    SchemaError,
    TransientError,
)
from ingest import fetching, finishing, jobs, waiting
from ingest.jobs import Window
from ingest.models import CollectionJob, FailedSync, GenericRecord, Page, RawRecord, Source, SourceStream
from tests.conftest import finish
from tests.ingest.steps import (
    Run,
    StreamNamed,
    apply,
    assert_accounted,
    claim,
    counts,
    far,
    fetch,
    in_threads,
    land,
    raw_texts,
    request,
    start,
)
from tests.scripted import START, Script, ScriptedConnector, record

pytestmark = pytest.mark.django_db


def page(cursor: str | None, *ids: str, **values: Any) -> FetchedPage:
    return FetchedPage(records=[record(one) for one in ids], next_cursor=cursor, **values)


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


# Starting


def test_a_second_start_returns_the_live_job(stream: StreamNamed) -> None:
    job, is_new = jobs.start(stream("records"), trigger="ADMIN")
    again, is_new_again = jobs.start(stream("records"), trigger="COMMAND", full=True)

    assert (is_new, is_new_again, again.pk) == (True, False, job.pk)


@pytest.mark.django_db(transaction=True)
def test_20_starts_at_once_make_one_job(stream: StreamNamed) -> None:
    records = stream("records")

    started = in_threads(20, lambda number: jobs.start(records, trigger="ADMIN"))

    assert CollectionJob.objects.count() == 1
    assert sum(is_new for _, is_new in started) == 1
    assert {job.pk for job, _ in started} == {CollectionJob.objects.get().pk}


def test_streams_of_a_source_run_side_by_side(stream: StreamNamed) -> None:
    start(stream("records"))
    start(stream("orders"))

    assert CollectionJob.objects.count() == 2


def test_an_ended_job_makes_room_for_the_next(script: Script, run: Run) -> None:
    script.says("records", [record("1")])

    assert run("records").pk != run("records").pk


# The schedule


def make_due(stream: SourceStream, *, schedule: str = "every 15m", **ago: float) -> None:
    SourceStream.objects.filter(pk=stream.pk).update(
        schedule=schedule, next_run_at=timezone.now() - timedelta(**ago)
    )


def test_three_weeks_away_means_one_run_to_catch_up(script: Script, stream: StreamNamed) -> None:
    script.says("records", [record("1")])
    make_due(stream("records"), days=21)
    now = timezone.now()

    assert jobs.start_due(now=now) == 1

    following = stream("records").next_run_at
    assert following
    assert now < following <= now + timedelta(minutes=15)
    assert finish(CollectionJob.objects.get()).trigger == "SCHEDULE"
    assert jobs.start_due(now=now) == 0


def test_a_run_that_is_still_going_is_not_doubled(stream: StreamNamed) -> None:
    start(stream("records"))
    make_due(stream("records"), hours=1)

    assert jobs.start_due(now=timezone.now()) == 0
    assert CollectionJob.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_ticks_at_once_start_each_stream_once(source: Source) -> None:
    for one in source.streams.all():
        make_due(one, hours=1)
    now = timezone.now()

    started = in_threads(4, lambda number: jobs.start_due(now=now))

    assert sum(started) == source.streams.count() == CollectionJob.objects.count()


def test_paused_disabled_and_later_streams_are_not_due(source: Source, stream: StreamNamed) -> None:
    make_due(stream("records"), hours=1)
    SourceStream.objects.filter(name="records").update(is_enabled=False)
    make_due(stream("orders"), hours=-1)
    assert jobs.start_due(now=timezone.now()) == 0

    SourceStream.objects.update(is_enabled=True)
    jobs.set_paused([source], paused=True)
    assert jobs.start_due(now=timezone.now()) == 0

    jobs.set_paused([source], paused=False)
    assert jobs.start_due(now=timezone.now()) == 1


@pytest.mark.parametrize("schedule", ["whenever", "every 99999999999d", "* * * *"])
def test_an_unreadable_schedule_stops_no_other_stream(stream: StreamNamed, schedule: str) -> None:
    make_due(stream("records"), schedule=schedule, hours=2)
    make_due(stream("orders"), hours=1)

    jobs.start_due(now=timezone.now())

    assert CollectionJob.objects.filter(stream__name="orders").exists()
    assert stream("records").next_run_at is None


# Ringing


def test_a_job_is_rung_for_once_until_patience_ends(stream: StreamNamed) -> None:
    job = start(stream("records"))
    now = timezone.now()

    def rung(seconds: float, *, is_idle: bool = False) -> list[int]:
        later = now + timedelta(seconds=seconds)
        return [
            one.pk for one in jobs.take_unrung(now=later, is_fetch_idle=is_idle, is_apply_idle=not is_idle)
        ]

    assert rung(0) == [job.pk]
    assert rung(3, is_idle=True) == []
    assert rung(29) == []
    assert rung(31) == [job.pk]
    assert rung(36, is_idle=True) == [job.pk]


def test_nobody_rings_for_jobs_that_wait_are_held_or_are_over(source: Source, stream: StreamNamed) -> None:
    def is_rung() -> bool:
        CollectionJob.objects.update(rung_at=None)
        return bool(jobs.take_unrung(now=timezone.now(), is_fetch_idle=True, is_apply_idle=True))

    start(stream("records"))
    assert is_rung()
    for values in (
        {"next_run_at": timezone.now() + timedelta(minutes=1)},
        {"lease_until": timezone.now() + timedelta(minutes=1)},
        {"status": "FAILED"},
    ):
        before = CollectionJob.objects.values(*values).get()
        CollectionJob.objects.update(**values)
        assert not is_rung()
        CollectionJob.objects.update(**before)
    jobs.set_paused([source], paused=True)
    assert not is_rung()
    CollectionJob.objects.update(is_fetched=True)  # what has landed is applied, paused or not
    assert is_rung()


# The window


def test_an_incremental_run_starts_a_lookback_before_the_watermark(
    script: Script, run: Run, stream: StreamNamed
) -> None:
    newest = START + timedelta(hours=3)
    script.says("records", [record("1", updated_at=newest), record("2")], [record("3", updated_at=None)])
    run("records")
    assert request(script, 0).window_start is None
    assert stream("records").watermark == newest
    script.requests.clear()
    SourceStream.objects.update(lookback=timedelta(minutes=25))

    run("records")

    assert [one.window_start for _, one in script.requests] == [newest - timedelta(minutes=25)] * 2
    assert {one.window_end for _, one in script.requests} == {None}


def test_the_watermark_never_goes_beyond_the_start_of_the_job_nor_back(
    script: Script, run: Run, stream: StreamNamed
) -> None:
    script.says("records", [record("1", updated_at=datetime(2199, 1, 1, tzinfo=UTC))])
    job = run("records")
    assert stream("records").watermark == job.started_at

    script.says("records", [record("1", updated_at=START)])
    run("records")

    assert stream("records").watermark == job.started_at


def test_dead_letters_do_not_hold_the_watermark_back(script: Script, run: Run, stream: StreamNamed) -> None:
    script.says("orders", [record("1", total=1), record("2")])

    assert run("orders").status == "PARTIAL"
    assert stream("orders").watermark == START


def test_a_run_that_did_not_see_everything_leaves_the_watermark(
    script: Script, run: Run, stream: StreamNamed
) -> None:
    script.says("records", [record("1")], expected_total=2)
    assert run("records").status == "PARTIAL"

    script.says("records", page("1", "a"), ConfigError("no such shop"))
    assert run("records").status == "FAILED"

    script.says("records", page("1", "b"), page("2", "c"))
    job = start(stream("records"))
    land(job, page("1", "b"))
    jobs.request_cancel([job])
    assert finish(job).status == "CANCELLED"

    assert (stream("records").watermark, stream("records").last_success_at) == (None, None)


def test_a_backfill_asks_for_its_window_and_leaves_the_watermark(script: Script, stream: StreamNamed) -> None:
    script.says("records", [record("1", updated_at=START)])
    window = Window(start=START - timedelta(days=9), end=START)

    job = finish(start(stream("records"), window=window))

    assert (job.mode, job.status) == ("BACKFILL", "SUCCEEDED")
    assert (request(script).window_start, request(script).window_end) == (window.start, window.end)
    assert stream("records").watermark is None


def test_a_full_refresh_asks_for_everything_and_knows_nothing(
    script: Script, run: Run, stream: StreamNamed
) -> None:
    state = {"etag": '"abc"'}
    script.says("records", [record("1")], stream_state=state)
    run("records")
    assert stream("records").state == state
    run("records")
    assert (request(script).stream_state, request(script).window_start) == (
        state,
        START - stream("records").lookback,
    )

    assert run("records", full=True).mode == "FULL"
    assert (request(script).stream_state, request(script).window_start) == ({}, None)

    SourceStream.objects.update(mode="FULL")
    run("records")
    assert (request(script).stream_state, request(script).window_start) == ({}, None)


# The source's own count


def test_fewer_records_than_promised_is_partial_and_names_both_numbers(script: Script, run: Run) -> None:
    script.says("records", [record("1"), record("2"), record("2")], expected_total=200)

    job = run("records")

    assert (job.status, job.error_type) == ("PARTIAL", "incomplete")
    assert "200" in job.error
    assert " 2 arrived" in job.error


@pytest.mark.parametrize("promised", [3, 2])
def test_as_many_as_promised_or_more_is_a_success(script: Script, run: Run, promised: int) -> None:
    script.says(
        "orders",
        [record("1", total=1), record("2", total=1)],
        [record("3", total=1)],
        expected_total=promised,
    )

    assert run("orders").status == "SUCCEEDED"


def test_unchanged_and_failed_records_count_as_arrived(script: Script, run: Run) -> None:
    script.says("orders", [record("1", total=1), record("2")], expected_total=2)
    run("orders")

    job = run("orders")

    assert (job.status, job.error_type, counts(job)) == (
        "PARTIAL",
        "",
        {"fetched": 2, "unchanged": 1, "failed": 1},
    )


def test_an_earlier_pass_does_not_fill_the_gaps_of_the_one_that_counts(script: Script, run: Run) -> None:
    script.says(
        "records",
        page("1", "a", "b", "c", expected_total=4),
        CursorExpired("the cursor is gone"),
        page(None, "x"),
    )
    script.pages["records"][1:] = [CursorExpired("the cursor is gone"), page(None, expected_total=4)]

    job = run("records")

    assert (job.pass_number, job.status, job.error_type) == (2, "PARTIAL", "incomplete")
    assert " 3 arrived" in job.error


# What goes wrong outside


class Answers:
    """Raises the given errors in turn, then lets the script answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *errors: BaseException) -> None:
        self.errors = list(errors)
        monkeypatch.setattr(ScriptedConnector, "on_fetch", self)

    def __call__(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


def test_a_passing_failure_is_retried_later_and_later_up_to_a_cap(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.says("records", [record("1")])
    Answers(monkeypatch, *[TransientError("connection lost")] * 8)
    job = start(stream("records"))
    for attempt in range(1, 8):
        before = database_now()
        fetch(job)
        shortest, longest = (
            timedelta(seconds=0.5),
            timedelta(seconds=waiting.BACKOFF_BASE * 2 ** (attempt - 1)),
        )
        assert before + shortest <= job.next_run_at <= database_now() + longest
        assert (job.status, job.attempts, job.lease_until, job.rung_at) == ("PENDING", attempt, None, None)
        assert (job.error_type, job.error) == ("network", "connection lost")

    fetch(job)
    assert (finish(job).status, job.is_fetched) == ("FAILED", True)
    assert (job.error_type, job.error) == ("network", "connection lost")


def test_backoff_grows_is_spread_and_stays_below_its_cap() -> None:
    late = [waiting._backoff(50) for _ in range(200)]

    assert max(late) <= waiting.BACKOFF_CAP
    assert max(late) - min(late) > waiting.BACKOFF_CAP / 4


def test_a_page_in_between_sets_the_attempts_back(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.says("records", *([record(str(n))] for n in range(5)))
    job = start(stream("records"))
    for number in range(4):
        Answers(monkeypatch, *[TransientError("connection lost")] * 7)
        for _ in range(7):
            fetch(job)
        assert job.attempts == 7
        CollectionJob.objects.update(next_run_at=START)
        land(job, page(str(number + 1), str(number)))
        assert job.attempts == 0

    assert finish(job).status == "SUCCEEDED"


@pytest.mark.parametrize("error", [TransientError, RateLimited])
def test_the_wait_that_the_provider_asks_for_is_kept_to_the_second(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch, error: type[TransientError]
) -> None:
    Answers(monkeypatch, error("slow down", retry_after=127.5))
    job = start(stream("records"))

    wait = timedelta(seconds=127.5)

    before = database_now()
    fetch(job)

    assert before + wait <= job.next_run_at <= database_now() + wait
    assert fetching.fetch_slice(job.pk, now=timezone.now, until=far(), after_landing=print) == 0
    assert script.requests == []


def test_being_told_to_wait_is_no_failure_however_often(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.says("records", [record("1")])
    Answers(monkeypatch, *[RateLimited("slow down", retry_after=1)] * 30)
    job = start(stream("records"))
    for _ in range(30):
        fetch(job)

    assert (job.status, job.attempts, job.rate_limit_hits) == ("PENDING", 0, 30)
    assert finish(job).status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (ConfigError("no such shop"), 1),
        (AuthenticationError("token refused"), 1),
        (SchemaError("no list of records"), 1),
        (BadResponse("HTML where JSON was due"), 2),
    ],
)
def test_an_error_that_stays_fails_the_job_and_what_arrived_stays(
    script: Script,
    run: Run,
    stream: StreamNamed,
    monkeypatch: pytest.MonkeyPatch,
    error: ConnectorError,
    times: int,
) -> None:
    script.says("records", [record("1")], [record("2")])
    job = start(stream("records"))
    land(job, page("1", "1"))
    Answers(monkeypatch, *[error] * times)
    for _ in range(times - 1):
        fetch(job)
        assert job.status == "PENDING"

    job = finish(job)

    assert (job.status, job.error_type, job.error) == ("FAILED", error.error_type, str(error))
    assert set(GenericRecord.objects.values_list("external_id", flat=True)) == {"1"}
    assert_accounted(job)
    assert run("records").status == "SUCCEEDED"


def test_a_mistake_in_a_connector_fails_the_job_as_a_bug(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    Answers(monkeypatch, KeyError("next_page"))

    job = finish(start(stream("records")))

    assert (job.status, job.error_type, job.lease_until) == ("FAILED", "bug", None)
    assert "KeyError in the scripted connector" in job.error


def test_a_stream_that_the_source_does_not_offer_is_a_matter_of_configuration(
    script: Script, stream: StreamNamed
) -> None:
    job = start(stream("records"))
    script.streams = tuple(one for one in script.streams if one.name != "records")

    job = finish(job)

    assert (job.status, job.error_type) == ("FAILED", "configuration")
    assert "orders" in job.error


def test_an_unknown_connector_is_a_matter_of_configuration(source: Source, stream: StreamNamed) -> None:
    job = start(stream("records"))
    Source.objects.update(connector="fax")

    job = finish(job)

    assert (job.status, job.error_type) == ("FAILED", "configuration")
    assert "fax" in job.error


def test_credentials_under_a_lost_key_are_a_matter_of_configuration(
    source: Source, stream: StreamNamed, settings: Any
) -> None:
    Source.objects.filter(pk=source.pk).update(credentials={"token": "canary-77"})
    job = start(stream("records"))
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    job = finish(job)

    assert (job.status, job.error_type) == ("FAILED", "configuration")
    assert "FIELD_ENCRYPTION_KEYS" in job.error
    assert "canary" not in job.error


def test_an_expired_cursor_starts_the_window_over_in_a_second_pass(script: Script, run: Run) -> None:
    script.says("records", page("1", "a"), page("2", "b"), page(None, "c"))
    script.pages["records"].insert(2, CursorExpired("the cursor is gone"))

    job = run("records")

    assert (job.status, job.pass_number) == ("SUCCEEDED", 2)
    assert counts(job) == {"fetched": 5, "inserted": 3, "unchanged": 2}
    assert [one.cursor for _, one in script.requests] == [None, "1", "2", None, "1", "2"]
    assert_accounted(job)


def test_a_cursor_that_expires_in_each_pass_fails_in_the_end(
    script: Script, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pass lands its first page anew: that is no progress."""

    def forget() -> None:
        if script.requests and script.requests[-1][1].cursor is None:
            script.requests.append(("records", script.requests[-1][1].__class__(cursor="expired")))
            raise CursorExpired("the cursor is gone")

    script.says("records", [record("a")], [record("b")])
    monkeypatch.setattr(ScriptedConnector, "on_fetch", forget)

    job = run("records")

    assert (job.status, job.error_type, job.pass_number) == ("FAILED", "cursor_expired", 3)
    assert set(GenericRecord.objects.values_list("external_id", flat=True)) == {"a"}
    assert_accounted(job)


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_while_landing_puts_the_page_off(script: Script, stream: StreamNamed) -> None:
    script.says("records", [record("1")], [record("2")])
    job = start(stream("records"))
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER die BEFORE INSERT ON ingest_rawrecord FOR EACH ROW EXECUTE FUNCTION die()"
        )
    try:
        assert fetch(job) == 0
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER die ON ingest_rawrecord")
            cursor.execute("DROP FUNCTION die")

    assert (job.status, job.attempts, job.error_type) == ("PENDING", 1, "network")
    assert "PostgreSQL" in job.error
    assert not RawRecord.objects.exists()
    job = finish(job)
    assert (job.status, counts(job)) == ("SUCCEEDED", {"fetched": 2, "inserted": 2})


# What people ask for


def test_a_pending_job_is_cancelled_at_once(script: Script, stream: StreamNamed) -> None:
    job = start(stream("records"))

    assert jobs.request_cancel([job]) == 1
    assert jobs.end_cancelled() == 1

    assert finish(job).status == "CANCELLED"
    assert script.requests == []
    assert jobs.request_cancel([job]) == 0


def test_a_running_job_is_cancelled_at_its_next_page(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.says("records", *([record(str(n))] for n in range(5)))
    job = start(stream("records"))

    def someone_cancels() -> None:
        if len(script.requests) == 1:
            jobs.request_cancel([job])
            assert jobs.end_cancelled() == 0

    monkeypatch.setattr(ScriptedConnector, "on_fetch", someone_cancels)

    job = finish(job)

    assert (job.status, counts(job)) == ("CANCELLED", {"fetched": 2, "inserted": 2})
    assert GenericRecord.objects.count() == 2
    assert_accounted(job)


def test_a_paused_job_can_be_cancelled(source: Source, stream: StreamNamed) -> None:
    job = start(stream("records"))
    land(job, page("1", "1"))
    jobs.set_paused([source], paused=True)

    jobs.request_cancel([job])
    jobs.end_cancelled()

    job = finish(job)
    assert (job.status, counts(job)) == ("CANCELLED", {"fetched": 1, "inserted": 1})


def test_a_job_that_waits_for_a_retry_can_be_cancelled(
    script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    Answers(monkeypatch, RateLimited("slow down", retry_after=900))
    job = start(stream("records"))
    fetch(job)

    jobs.request_cancel([job])
    jobs.end_cancelled()

    assert jobs.take_unrung(now=timezone.now(), is_fetch_idle=True, is_apply_idle=True)
    assert finish(job).status == "CANCELLED"


def test_a_pause_stops_at_the_page_boundary_and_the_job_goes_on_from_its_cursor(
    source: Source, script: Script, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.says("records", *([record(str(n))] for n in range(4)))
    job = start(stream("records"))

    def someone_pauses() -> None:
        if len(script.requests) == 1:
            jobs.set_paused([source], paused=True)

    monkeypatch.setattr(ScriptedConnector, "on_fetch", someone_pauses)
    job = finish(job, turns=3)
    assert (job.status, job.cursor, job.pages_landed, job.lease_until) == ("RUNNING", "2", 2, None)
    monkeypatch.setattr(ScriptedConnector, "on_fetch", None)

    jobs.set_paused([source], paused=False)

    assert finish(job).status == "SUCCEEDED"
    assert [one.cursor for _, one in script.requests] == [None, "1", "2", "3"]


# Room for both phases


def test_fetching_stops_while_too_many_pages_wait_to_be_applied(
    script: Script, stream: StreamNamed, settings: Any
) -> None:
    settings.MAX_PAGES_AHEAD = 3
    script.says("records", *([record(str(n))] for n in range(5)))
    job = start(stream("records"))

    assert fetch(job) == 3
    assert fetch(job) == 0
    assert job.lease_until is None
    apply(job)
    assert fetch(job) == 2


def test_a_slice_ends_at_a_page_boundary(script: Script, stream: StreamNamed) -> None:
    script.says("records", *([record(str(n))] for n in range(5)))
    job = start(stream("records"))
    moments = iter([START, START, *[START + timedelta(minutes=9)] * 9])

    landed = fetching.fetch_slice(
        job.pk,
        now=lambda: next(moments),
        until=START + timedelta(minutes=1),
        after_landing=lambda waiting: None,
    )

    job.refresh_from_db()
    assert (0 < landed < 5, job.lease_until, job.is_fetched) == (True, None, False)
    assert finish(job).status == "SUCCEEDED"


def test_a_job_does_not_end_before_everything_is_applied_and_counted(stream: StreamNamed) -> None:
    job = start(stream("records"))
    assert finishing.finish(job.pk) is None
    land(job, page("1", "1"), page(None, "2"))
    assert job.is_fetched
    assert finishing.finish(job.pk) is None
    apply(job)
    assert finishing.finish(job.pk) is None
    Page.objects.update(state=Page.State.COUNTED)

    ended = finishing.finish(job.pk)

    assert ended is not None
    assert ended.status == "SUCCEEDED"
    assert finishing.finish(job.pk) is None


def test_a_run_without_records_succeeds(script: Script, run: Run) -> None:
    script.says("records", [])

    job = run("records")

    assert (job.status, counts(job), job.pages_landed) == ("SUCCEEDED", {}, 1)
    assert_accounted(job)


def test_a_failed_run_is_followed_by_one_that_loses_and_doubles_nothing(
    script: Script, run: Run, stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.says("orders", *([record(str(n), total=n)] for n in range(4)))
    job = start(stream("orders"))
    land(job, FetchedPage(records=[record("0", total=0)], next_cursor="1"))
    Answers(monkeypatch, SchemaError("not today"))
    assert finish(job).status == "FAILED"

    assert counts(run("orders")) == {"fetched": 4, "inserted": 3, "unchanged": 1}
    assert len(raw_texts(stream("orders"))) == 4
    assert not FailedSync.objects.exists()
    assert claim(start(stream("orders"))).token == 1
