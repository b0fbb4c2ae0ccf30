"""A source that changes while it is read, arrives late, goes silent, or changes its shape."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from connectors.base import FetchRequest, Page, Stream
from connectors.errors import ConfigError, TransientError
from ingest.connecting import lay_out_streams
from ingest.models import CollectionJob, FailedSync, GenericRecord, Order, RawRecord, Source, SourceStream
from tests.conftest import finish
from tests.ingest.steps import Run, StreamNamed, assert_accounted, fetch, start
from tests.scripted import START, Script, ScriptedConnector, raw_record, record, refine_record

pytestmark = pytest.mark.django_db


class Table(Script):
    """Lists its rows by time of change, by offset, from an inclusive lower bound: as most sources do."""

    def __init__(self) -> None:
        super().__init__()
        self.streams = (
            Stream(
                name="rows",
                kind="record",
                refine=refine_record,
                page_size=10,
                is_incremental=True,
                is_safely_resumable=False,
                default_schedule="",
            ),
        )
        self.rows: dict[str, datetime] = {}
        #: Called with the offset before each answer.
        self.before_page: Callable[[int], None] = lambda offset: None

    def answer(self, stream: str, request: FetchRequest) -> Page:
        offset = int(request.cursor or 0)
        self.before_page(offset)
        listed = sorted(
            (at, one)
            for one, at in self.rows.items()
            if not request.window_start or at >= request.window_start
        )
        wanted = listed[offset : offset + request.page_size]
        following = offset + request.page_size
        return Page(
            records=[record(one, updated_at=at) for at, one in wanted],
            next_cursor=str(following) if following < len(listed) else None,
        )


@pytest.fixture
def table(source: Source, monkeypatch: pytest.MonkeyPatch) -> Table:
    table = Table()
    monkeypatch.setattr(ScriptedConnector, "script", table)
    lay_out_streams(source)
    return table


def missing(table: Table) -> set[str]:
    return set(table.rows) - set(GenericRecord.objects.values_list("external_id", flat=True))


def test_rows_of_one_second_that_come_in_before_the_place_we_read_arrive_with_the_next_run(
    table: Table, run: Run
) -> None:
    SourceStream.objects.update(lookback=timedelta(0))
    table.rows = {f"b{number:03}": START for number in range(100)}

    def add(offset: int) -> None:
        if offset == 50:
            table.rows |= {f"a{number}": START for number in range(7)}

    table.before_page = add
    run("rows")
    assert missing(table) == {f"a{number}" for number in range(7)}

    run("rows")

    assert not missing(table)


@pytest.mark.parametrize("skew", [-5, 0, 5], ids="{:+} min".format)
def test_rows_that_arrive_late_by_the_clock_of_the_source_are_found(
    table: Table, run: Run, skew: int
) -> None:
    source_now = timezone.now() + timedelta(minutes=skew)
    table.rows = {"1": source_now}
    run("rows")
    table.rows["written during the run"] = source_now - timedelta(minutes=9)
    table.rows["changed next"] = source_now + timedelta(seconds=1)

    run("rows")

    assert not missing(table)


def test_rows_that_move_to_an_earlier_page_during_a_standstill_are_read(
    table: Table, stream: StreamNamed
) -> None:
    table.rows = {f"{number:02}": START for number in range(30)}

    def fail(offset: int) -> None:
        if offset == 10:
            raise TransientError("away")

    table.before_page = fail
    job = start(stream("rows"))
    assert fetch(job) == 1
    del table.rows["03"]  # 10, the first row of page 2, is on page 1 now
    table.before_page = lambda offset: None
    CollectionJob.objects.update(progress_at=timezone.now() - timedelta(minutes=2))

    job = finish(job)

    assert not missing(table)
    assert job.pages.filter(is_overlap=True).count() == 1
    assert_accounted(job)


def empty(script: Script) -> str:
    script.says("records", [])
    return "PARTIAL"


def empty_but_promised(script: Script) -> str:
    script.says("records", [], expected_total=20)
    return "PARTIAL"


def cut_short(script: Script) -> str:
    script.says("records", Page(records=[record("0")], cut_short="maxPages is 1"))
    return "PARTIAL"


def failing_at_the_last_page(script: Script) -> str:
    script.says("records", [record(str(number)) for number in range(18)], ConfigError("gone"))
    return "FAILED"


@pytest.mark.parametrize("listing", [empty, empty_but_promised, cut_short, failing_at_the_last_page])
def test_nothing_is_taken_for_deleted_because_a_listing_lacks_it(
    script: Script, run: Run, stream: StreamNamed, listing: Callable[[Script], str]
) -> None:
    script.says("records", [record(str(number)) for number in range(20)])
    run("records", full=True)
    success = stream("records").last_success_at
    status = listing(script)

    job = run("records", full=True)

    assert GenericRecord.objects.filter(deleted_at=None).count() == 20
    assert RawRecord.objects.filter(is_deleted=False).count() == 20
    assert job.status == status
    assert stream("records").last_success_at == success


def test_a_field_that_changes_its_type_or_goes_costs_its_records_only(script: Script, run: Run) -> None:
    def order(external_id: str, **values: Any) -> Any:
        return record(external_id, **values)

    script.says(
        "orders",
        [order("as documented", total=1), order("one more field", total=2, colour="red")],
        [order("other type", total={"amount": 3}), order("gone"), order("as ever", total=4)],
    )

    job = run("orders")

    assert job.status == "PARTIAL"
    assert RawRecord.objects.count() == 5
    assert set(Order.objects.values_list("external_id", flat=True)) == {
        "as documented",
        "one more field",
        "as ever",
    }
    letters = dict(FailedSync.objects.values_list("external_id", "error"))
    assert set(letters) == {"other type", "gone"}
    assert all("total" in error for error in letters.values())


def test_a_record_of_nothing_but_unstorable_text_becomes_a_dead_letter(script: Script, run: Run) -> None:
    script.says(
        "records",
        [raw_record("a\x00\ud800", b'{"id": "\xff\x00"}', problem="no \x00, no \ud800"), record("1")],
    )

    job = run("records")

    letter = FailedSync.objects.get()
    assert (job.status, job.failed, GenericRecord.objects.count()) == ("PARTIAL", 1, 1)
    assert (letter.external_id, letter.error) == ("a\\u0000\\ud800", "no \\u0000, no \\ud800")
