"""Reports step by step: started, asked for, read; by a clock the test winds and a desk that refuses."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import IO

import msgspec
import pytest
from pytest_httpserver import HTTPServer

from connectors import report_rows
from connectors.base import FetchRequest, SourceRecord
from connectors.errors import CursorExpired, NotReady, SchemaError, TransientError
from connectors.pages import split_records
from connectors.report_rows import CsvRows, Document, JsonLines
from connectors.reports import place_of
from sandbox.reporting import DeskRules
from tests.connectors.reporting import Clock, Office, ids_of, json_lines, read_all

Open = Callable[..., Office]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def office(httpserver: HTTPServer, clock: Clock) -> Open:
    def opened(body: bytes = b"", **rules: float) -> Office:
        return Office(httpserver, clock, rules=DeskRules(**rules), body=body)  # type: ignore[arg-type]

    return opened


def started(office: Office) -> str:
    cursor = office.flow().fetch(FetchRequest()).next_cursor
    assert cursor
    return cursor


def test_starting_a_report_is_an_empty_page_so_that_it_is_kept_at_once(office: Open) -> None:
    page = office(json_lines(3)).flow().fetch(FetchRequest())

    assert (page.records, page.next_cursor) == (
        (),
        '{"report":"rep_1","started":"2026-03-01T12:00:00Z"}',
    )


def test_a_report_in_the_making_is_asked_for_again_later(office: Open, clock: Clock) -> None:
    desk = office(json_lines(3))
    cursor = started(desk)
    clock.wind(seconds=60)

    with pytest.raises(NotReady, match="rep_1 since 12:00:00 UTC") as told:
        desk.flow(poll_seconds=20).fetch(FetchRequest(cursor=cursor))

    assert told.value.retry_after == 20


def test_a_report_of_five_minutes_is_read_in_pages(office: Open, clock: Clock) -> None:
    desk = office(json_lines(7), seconds=300)
    cursor = started(desk)
    clock.wind(seconds=301)

    pages = read_all(desk.flow(), cursor, page_size=3)

    assert [len(page.records) for page in pages] == [3, 3, 1]
    assert ids_of(pages) == [f"o{n}" for n in range(7)]
    assert desk.desk.polls == 1
    assert pages[0].records[0].position == "row 1"
    assert pages[0].records[0].updated_at == clock.now.replace(minute=0, second=0)


def test_the_link_is_fetched_without_the_token(office: Open, clock: Clock) -> None:
    """The desk refuses a link that comes with a token, as S3 does."""
    desk = office(json_lines(1), seconds=0)

    assert ids_of(read_all(desk.flow(), started(desk))) == ["o0"]


@pytest.mark.parametrize("serves_ranges", [True, False])
def test_another_worker_goes_on_at_the_row_the_first_one_stopped_at(
    office: Open, serves_ranges: bool
) -> None:
    desk = office(json_lines(7), seconds=0, serves_ranges=serves_ranges)
    first = desk.flow().fetch(FetchRequest(cursor=started(desk), page_size=3))

    rest = read_all(desk.flow(), first.next_cursor, page_size=3)

    assert ids_of([first, *rest]) == [f"o{n}" for n in range(7)]
    if serves_ranges:
        place = place_of(first.next_cursor)
        assert place is not None
        assert desk.desk.served[-1][0] == place.byte == len(json_lines(3))


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.jsonl", content)
    return made.getvalue()


@pytest.mark.parametrize("packed", [gzip.compress, zipped])
def test_a_packed_report_is_read_on_by_row(office: Open, packed: Callable[[bytes], bytes]) -> None:
    desk = office(packed(json_lines(7)), seconds=0)
    first = desk.flow().fetch(FetchRequest(cursor=started(desk), page_size=3))

    rest = read_all(desk.flow(), first.next_cursor, page_size=3)

    assert ids_of([first, *rest]) == [f"o{n}" for n in range(7)]


def test_gzip_that_ends_too_soon_is_tried_again(office: Open) -> None:
    desk = office(gzip.compress(json_lines(2000))[:-20], seconds=0)

    with pytest.raises(TransientError, match="in the middle of its gzip stream"):
        read_all(desk.flow(), started(desk))


def test_a_report_that_fails_is_started_once_more(office: Open, clock: Clock) -> None:
    desk = office(json_lines(2), seconds=60)
    desk.desk.fail_next(1)
    cursor = started(desk)
    clock.wind(seconds=61)

    again = desk.flow().fetch(FetchRequest(cursor=cursor))

    place = place_of(again.next_cursor)
    assert place is not None
    assert (place.report, place.attempt, place.before) == ("rep_2", 2, "report rep_1 failed: failed")
    clock.wind(seconds=61)
    assert ids_of(read_all(desk.flow(), again.next_cursor)) == ["o0", "o1"]


def test_a_second_failure_is_told_with_the_first(office: Open, clock: Clock) -> None:
    desk = office(json_lines(2), seconds=0)
    desk.desk.fail_next(2)
    again = desk.flow().fetch(FetchRequest(cursor=started(desk)))

    with pytest.raises(SchemaError, match=r"Before: report rep_1 failed.*Now: report rep_2 failed"):
        desk.flow().fetch(FetchRequest(cursor=again.next_cursor))


def test_a_report_that_is_never_ready_is_given_up_after_its_age(office: Open, clock: Clock) -> None:
    desk = office(seconds=10**9)
    flow = desk.flow(max_age=timedelta(hours=1))
    cursor = started(desk)
    clock.wind(minutes=59)
    with pytest.raises(NotReady):
        flow.fetch(FetchRequest(cursor=cursor))
    clock.wind(minutes=1)
    again = flow.fetch(FetchRequest(cursor=cursor))
    clock.wind(minutes=60)

    with pytest.raises(SchemaError, match=r"rep_1 expired: not ready after 60 min.*rep_2 expired"):
        flow.fetch(FetchRequest(cursor=again.next_cursor))


def test_a_report_that_was_thrown_away_is_started_once_more(office: Open, clock: Clock) -> None:
    desk = office(json_lines(4), seconds=0, keep_seconds=600)
    first = desk.flow().fetch(FetchRequest(cursor=started(desk), page_size=2))
    clock.wind(minutes=11)

    again = desk.flow().fetch(FetchRequest(cursor=first.next_cursor))

    place = place_of(again.next_cursor)
    assert place is not None
    assert (place.report, place.row, place.before_state) == ("rep_2", 0, "EXPIRED")


def test_a_report_nobody_knows_any_more_is_started_once_more(office: Open) -> None:
    desk = office(json_lines(1), seconds=0)

    again = desk.flow().fetch(FetchRequest(cursor='{"report":"rep_99","started":"2026-03-01T12:00:00Z"}'))

    place = place_of(again.next_cursor)
    assert place is not None
    assert (place.report, place.attempt) == ("rep_1", 2)


def test_a_link_that_answers_401_has_ended(office: Open, httpserver: HTTPServer) -> None:
    """Without credentials there is nothing else that could be refused."""
    desk = office(json_lines(1), seconds=0)
    cursor = started(desk)
    httpserver.clear_all_handlers()
    httpserver.expect_request("/start").respond_with_json({"id": "rep_2"})
    link = {"state": "ready", "url": httpserver.url_for("/ended")}
    httpserver.expect_request("/poll").respond_with_json(link)
    httpserver.expect_request("/ended").respond_with_data("the link has ended", status=401)

    place = place_of(desk.flow().fetch(FetchRequest(cursor=cursor)).next_cursor)

    assert place is not None
    assert (place.report, place.attempt, place.before_state) == ("rep_2", 2, "EXPIRED")


def test_a_link_that_ends_while_it_is_read_is_asked_for_anew(office: Open, clock: Clock) -> None:
    rows = 30_000  # more than is fetched at once
    desk = office(json_lines(rows), seconds=0, link_seconds=60)
    flow = desk.flow()
    first = flow.fetch(FetchRequest(cursor=started(desk), page_size=10))
    clock.wind(seconds=61)

    with pytest.raises(TransientError, match="asked for anew"):
        read_all(flow, first.next_cursor, page_size=rows)
    rest = read_all(flow, first.next_cursor, page_size=rows)

    assert ids_of([first, *rest]) == [f"o{n}" for n in range(rows)]


def test_another_file_under_the_same_report_is_not_read_on(office: Open) -> None:
    desk = office(json_lines(7), seconds=0)
    first = desk.flow().fetch(FetchRequest(cursor=started(desk), page_size=3))
    desk.desk._ordered["rep_1"].body = json_lines(9)

    with pytest.raises(CursorExpired):
        read_all(desk.flow(), first.next_cursor)


def test_a_broken_line_costs_itself(office: Open) -> None:
    desk = office(b'{"id": "a"}\n{"id": \n\n{"no": "id"}\n{"id": "b"}', seconds=0)

    (page,) = read_all(desk.flow(), started(desk))

    assert [(one.external_id, bool(one.problem)) for one in page.records] == [
        ("a", False),
        ("", True),
        ("", True),
        ("b", False),
    ]


FAMILIES = JsonLines(
    connector="office",
    is_child=lambda line: "__parentId" in line,
    assemble=lambda family: {**family[0], "lines": [child["id"] for child in family[1:]]},
)


def test_children_in_lines_of_their_own_are_put_to_their_parent(office: Open) -> None:
    lines = [{"id": "o1"}, {"id": "l1", "__parentId": "o1"}, {"id": "l2", "__parentId": "o1"}, {"id": "o2"}]
    desk = office(b"\n".join(msgspec.json.encode(line) for line in lines) + b"\n", seconds=0)
    first = desk.flow(FAMILIES).fetch(FetchRequest(cursor=started(desk), page_size=1))
    rest = read_all(desk.flow(FAMILIES), first.next_cursor)

    assert [json.loads(one.body) for page in (first, *rest) for one in page.records] == [
        {"id": "o1", "lines": ["l1", "l2"]},
        {"id": "o2"},
    ]


def test_a_broken_line_among_children_keeps_the_parent_from_landing_without_the_rest(office: Open) -> None:
    lines = (
        b'{"id": "o1"}\n{"id": "l1", "__parentId": "o1"}\n{"id": "l2",\n{"id": "l3", "__parentId": "o1"}\n'
    )
    desk = office(lines + b'{"id": "o2"}\n', seconds=0)

    (page,) = read_all(desk.flow(FAMILIES), started(desk))

    assert [(one.external_id, bool(one.problem)) for one in page.records] == [("", True), ("o2", False)]
    assert json.loads(page.records[0].body) == lines.decode().strip()


def test_an_object_that_cannot_be_kept_costs_neither_the_one_before_it_nor_its_own_id(office: Open) -> None:
    lines = [
        b'{"id": "o1"}',
        b'{"id": "l1", "__parentId": "o1"}',
        b'{"id": "o2", "note": "a\\u0000b"}',
        b'{"id": "l2", "__parentId": "o2"}',
        b'{"id": "o3"}',
        b'{"id": "l3", "note": "a\\u0000b", "__parentId": "o3"}',
        b'{"id": "o4"}',
    ]
    desk = office(b"\n".join(lines), seconds=0)

    (page,) = read_all(desk.flow(FAMILIES), started(desk))

    found = [(one.external_id, bool(one.problem)) for one in page.records]
    assert found == [("o1", False), ("o2", True), ("", True), ("o4", False)]
    assert json.loads(page.records[0].body) == {"id": "o1", "lines": ["l1"]}


def test_children_without_end_are_not_gathered_in_memory(
    office: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_rows, "MAX_FAMILY_BYTES", 1000)
    child = b'{"id": "l1", "__parentId": "o1"}\n'
    desk = office(b'{"id": "o1"}\n' + child * 40, seconds=0)

    with pytest.raises(SchemaError, match="one object with its children is over 1000 bytes"):
        read_all(desk.flow(FAMILIES), started(desk))


CSV = "\ufeffno,line,total,changed\r\n" + "".join(
    f'{n},1,"{n}\r\nEUR",2026-03-0{n}T00:00:00Z\r\n' for n in range(1, 8)
)


@pytest.mark.parametrize("body", [CSV.encode(), gzip.compress(CSV.encode())], ids=["plain", "gzip"])
def test_csv_is_read_in_pages_by_worker_after_worker(office: Open, body: bytes) -> None:
    desk = office(body, seconds=0)
    layout = CsvRows(connector="office", ids=("no", "line"), updated="changed")
    cursor: str | None = started(desk)
    records: list[SourceRecord] = []
    while cursor:
        page = desk.flow(layout).fetch(FetchRequest(cursor=cursor, page_size=2))
        records += page.records
        cursor = page.next_cursor

    assert [one.external_id for one in records] == [f"{n}:1" for n in range(1, 8)]
    assert json.loads(records[6].body)["total"] == "7\r\nEUR"
    assert [one.updated_at.day for one in records if one.updated_at] == [*range(1, 8)]


def test_csv_rows_that_do_not_fit_are_problems(office: Open) -> None:
    desk = office(b"id,total\n1,2\n3\n,4\n", seconds=0)

    (page,) = read_all(desk.flow(CsvRows(connector="office", ids=("id",))), started(desk))

    assert [one.problem for one in page.records] == [
        "",
        "row 2: 1 cells where the header has 2",
        "row 3: no value in id, which is its id",
    ]


def test_csv_without_its_id_column_is_no_report(office: Open) -> None:
    desk = office(b"name,total\na,2\n", seconds=0)

    with pytest.raises(SchemaError, match="'name', 'total'"):
        read_all(desk.flow(CsvRows(connector="office", ids=("id",))), started(desk))


def test_a_document_is_read_on_by_row_and_says_how_many_there_are(office: Open) -> None:
    def read(file: IO[bytes]) -> tuple[Iterator[SourceRecord], int]:
        found = split_records(file.read(), path="rows", id_path="id", updated_path=None, connector="office")
        return iter(found.records), found.envelope["total"]

    rows = [{"id": n} for n in range(5)]
    desk = office(msgspec.json.encode({"rows": rows, "total": 5}), seconds=0)
    layout = Document(connector="office", read=read)
    first = desk.flow(layout).fetch(FetchRequest(cursor=started(desk), page_size=2))

    rest = read_all(desk.flow(layout), first.next_cursor, page_size=2)

    assert ids_of([first, *rest]) == ["0", "1", "2", "3", "4"]
    assert first.expected_total == 5


def test_other_cursors_are_no_reports() -> None:
    others = (None, "", "2", '{"page": 3}', '{"report":7}', '{"report":"x","page":2}', '{"report":')
    assert [place_of(cursor) for cursor in others] == [None] * len(others)
