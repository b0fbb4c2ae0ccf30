"""Rows 13 and 14: what a complete full refresh no longer lists is gone; an incomplete one proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connectors.base import Deletes, Page, SourceRecord, Stream
from connectors.errors import ConfigError, CursorExpired
from ingest import finishing, landing, sightings
from ingest.models import CollectionJob, GenericRecord, Order, OrderLine, RawRecord, Sighting, SourceStream
from metrics.models import DailyMetric
from tests.conftest import finish
from tests.ingest.steps import Run, StreamNamed, assert_accounted, fetch, start
from tests.scripted import Script, record, refine_order, refine_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(script: Script) -> Script:
    script.streams = tuple(
        Stream(name=name, kind=kind, refine=refine, default_schedule="", deletes=deletes)
        for name, kind, refine, deletes in (
            ("records", "record", refine_record, Deletes.FULL_PASS),
            ("orders", "order", refine_order, Deletes.FULL_PASS),
            ("others", "record", refine_record, Deletes.NONE),
        )
    )
    return script


@pytest.fixture
def full(run: Run, script: Script) -> Callable[..., CollectionJob]:
    """Run a full refresh over pages of ids."""

    def refresh(*pages: Sequence[str], stream: str = "records") -> CollectionJob:
        script.says(stream, *([record(one) for one in page] for page in pages))
        return run(stream, full=True)

    return refresh


Full = Callable[..., CollectionJob]
TEN = [str(n) for n in range(10)]


def live() -> set[str]:
    return set(GenericRecord.objects.filter(deleted_at=None).values_list("external_id", flat=True))


def test_what_a_full_refresh_does_not_list_any_more_is_deleted(full: Full) -> None:
    full(TEN[:5], TEN[5:])

    job = full(TEN[:4], TEN[6:])

    assert live() == {*TEN} - {"4", "5"}
    assert (job.status, job.missing_objects, job.updated, job.unchanged) == ("SUCCEEDED", 2, 2, 8)
    assert_accounted(job)
    gone = RawRecord.objects.get(external_id="4", version=2)
    assert (gone.is_deleted, gone.job_id) == (True, job.pk)
    assert not Sighting.objects.exists()


def test_a_deletion_is_told_to_the_metrics_and_takes_the_children_along(run: Run, script: Script) -> None:
    orders = [record(f"o{n}", total="10.00", lines=[{"id": f"l{n}", "price": "10"}]) for n in range(10)]
    script.says("orders", orders)
    run("orders", full=True)
    script.says("orders", orders[1:])

    run("orders", full=True)

    assert Order.objects.get(deleted_at__isnull=False).external_id == "o0"
    assert OrderLine.objects.get(deleted_at__isnull=False).external_id == "l0"
    assert sum(DailyMetric.objects.filter(kind="order").values_list("records", flat=True)) == 9


def test_what_comes_back_is_there_again(full: Full) -> None:
    full(TEN)
    full(TEN[1:])
    assert "0" not in live()

    full(TEN)

    assert live() == {*TEN}
    assert RawRecord.objects.filter(external_id="0").count() == 3


def test_what_is_gone_already_is_not_deleted_again(full: Full) -> None:
    full(TEN)
    full(TEN[1:])

    job = full(TEN[1:])

    assert (job.missing_objects, job.fetched) == (0, 9)


def test_a_run_that_ends_early_deletes_nothing(run: Run, script: Script, full: Full) -> None:
    full(TEN)
    script.says("records", [record("0")], ConfigError("the credentials may not read this"))

    job = run("records", full=True)

    assert (job.status, job.missing_objects) == ("FAILED", None)
    assert live() == {*TEN}
    assert not Sighting.objects.exists()


@pytest.mark.parametrize("how", ["expected_total", "cut_short"])
def test_a_listing_that_is_not_whole_deletes_nothing(run: Run, script: Script, full: Full, how: str) -> None:
    full(TEN)
    doubt = {"expected_total": 10} if how == "expected_total" else {"cut_short": "maxPages is 1"}
    script.says("records", [record(one) for one in TEN[:9]], **doubt)

    job = run("records", full=True)

    assert (job.status, job.missing_objects) == ("PARTIAL", None)
    assert live() == {*TEN}


def test_a_run_with_dead_letters_deletes_nothing(run: Run, script: Script, full: Full) -> None:
    full(TEN)
    broken = SourceRecord(body=b'{"id": "x"}', problem="no id")
    script.says("records", [*(record(one) for one in TEN[:9]), broken])

    job = run("records", full=True)

    assert (job.status, job.failed) == ("PARTIAL", 1)
    assert live() == {*TEN}


def test_a_run_killed_at_its_last_page_deletes_nothing_until_it_has_gone_on(
    stream: StreamNamed, script: Script, full: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(TEN)
    pages = [[record(one)] for one in TEN[:9]]
    script.says("records", *pages)
    job = start(stream("records"), full=True)
    landed = 0
    land = landing.land

    def die(*args: object, **how: object) -> object:
        nonlocal landed
        landed += 1
        if landed == 9:
            raise KeyboardInterrupt
        return land(*args, **how)  # type: ignore[arg-type]

    with monkeypatch.context() as killing:
        killing.setattr(landing, "land", die)
        with pytest.raises(KeyboardInterrupt):
            fetch(job)
    assert finishing.finish(job.pk) is None
    assert live() == {*TEN}

    CollectionJob.objects.update(lease_until=None)  # as the reaper does
    finish(job)

    assert (job.status, job.missing_objects) == ("SUCCEEDED", 1)
    assert live() == {*TEN[:9]}


def test_only_the_pass_that_came_to_the_end_counts(run: Run, script: Script, full: Full) -> None:
    """An object seen before the cursor expired, and deleted since, is gone."""
    full(TEN)
    script.says("records", [record(one) for one in TEN], CursorExpired("too old"), [])
    answer = script.answer

    def forget(stream: str, request: object) -> Page:
        if len(script.requests) > before + 1:
            script.pages["records"][0] = Page(records=[record(one) for one in TEN[1:]])
        return answer(stream, request)  # type: ignore[arg-type]

    before = len(script.requests)
    script.answer = forget  # type: ignore[method-assign]

    job = run("records", full=True)

    assert (job.status, job.pass_number, job.missing_objects) == ("SUCCEEDED", 2, 1)
    assert live() == {*TEN[1:]}


def test_what_arrived_while_the_run_went_on_stays(
    run: Run, script: Script, full: Full, stream: StreamNamed
) -> None:
    """A webhook may bring an object that is younger than the page it would stand on."""
    full(TEN)
    script.says("records", [record(one) for one in TEN])
    job = start(stream("records"), full=True)
    fetch(job)
    RawRecord.objects.create(
        stream=stream("records"),
        external_id="new",
        version=1,
        payload={},
        body_hash=b"",
    )

    finish(job)

    assert (job.status, job.missing_objects) == ("SUCCEEDED", 0)


def test_streams_that_do_not_infer_deletes_note_nothing(full: Full) -> None:
    full(TEN, stream="others")

    job = full(TEN[:9], stream="others")

    assert (job.status, job.missing_objects) == ("SUCCEEDED", None)
    assert live() == {*TEN}


def test_incremental_runs_pay_nothing(run: Run, script: Script) -> None:
    script.says("records", [record(one) for one in TEN])
    with CaptureQueriesContext(
        connection,
    ) as queries:
        run("records")

    assert not [one for one in queries.captured_queries if "sighting" in one["sql"]]


# The brake


def test_too_many_deletions_wait_for_a_person(full: Full, stream: StreamNamed) -> None:
    full(TEN)
    watermark = stream("records").watermark

    job = full(TEN[:6])

    assert live() == {*TEN}
    assert (job.status, job.error_type, job.missing_objects) == ("PARTIAL", "deletions_held", 4)
    assert "4 objects we hold were not listed any more, which is more than the 30 %" in job.error
    assert stream("records").watermark == watermark
    assert sightings.may_be_accepted(job)


def test_a_listing_with_nothing_in_it_waits_for_a_person_whatever_the_brake(full: Full) -> None:
    full(TEN)
    SourceStream.objects.update(deletion_brake=100)

    job = full([])

    assert (job.error_type, job.missing_objects) == ("deletions_held", 10)
    assert live() == {*TEN}


def test_the_share_is_set_per_stream(full: Full) -> None:
    full(TEN)
    SourceStream.objects.filter(name="records").update(deletion_brake=40)

    assert full(TEN[:6]).status == "SUCCEEDED"
    assert live() == {*TEN[:6]}


def test_a_person_accepts_the_deletions(full: Full) -> None:
    full(TEN)
    job = full(TEN[:2])

    assert sightings.accept(job.pk)
    finish(job)

    assert (job.status, job.error, job.missing_objects) == ("SUCCEEDED", "", 8)
    assert live() == {*TEN[:2]}
    assert_accounted(job)
    assert not sightings.accept(job.pk)


def test_what_came_back_before_a_person_accepted_stays(full: Full, run: Run, script: Script) -> None:
    full(TEN)
    held = full(TEN[:2])
    script.says("records", [record("7", title="still here")])
    run("records")

    sightings.accept(held.pk)
    finish(held)

    assert live() == {"0", "1", "7"}


def test_a_later_full_refresh_knows_better(full: Full) -> None:
    full(TEN)
    held = full(TEN[:2])
    full(TEN)

    assert not sightings.may_be_accepted(held)
    assert not sightings.accept(held.pk)


def test_a_later_full_refresh_that_fails_knows_nothing(full: Full, run: Run, script: Script) -> None:
    full(TEN)
    held = full(TEN[:2])
    script.says("records", ConfigError("the credentials may not read this"))
    run("records", full=True)

    assert sightings.may_be_accepted(held)


def test_accepting_waits_for_the_stream_to_be_free(full: Full, stream: StreamNamed) -> None:
    full(TEN)
    held = full(TEN[:2])
    start(stream("records"))

    assert not sightings.accept(held.pk)
    held.refresh_from_db()
    assert held.status == "PARTIAL"


def test_thousands_of_deletions_are_several_pages_of_one_transaction(
    full: Full, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sightings.TOMBSTONES_PER_PAGE", 4)
    full(TEN)
    SourceStream.objects.update(deletion_brake=100)

    job = full(["0"])

    assert live() == {"0"}
    assert list(job.pages.order_by("number").values_list("fetched", "updated")) == [
        (1, 0),
        (4, 4),
        (4, 4),
        (1, 1),
    ]
    assert_accounted(job)
