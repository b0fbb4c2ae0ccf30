"""Mariana Tek's table reports: days asked for, reports waited for, rows with ids of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

import sandbox
from connectors import exact_json
from connectors.base import Connector, FetchRequest, Page
from connectors.errors import ConfigError, CursorExpired, NotReady, RecordError, SchemaError
from connectors.kinds import GenericRecord, OrderLine
from connectors.providers.mariana_tek.report_rows import (
    column_named,
    records_of,
    refine_reservation_row,
    refine_row,
    refine_sale,
    table_in,
)
from connectors.providers.mariana_tek.settings import TableReport
from connectors.reports import place_of
from sandbox import SandboxClient
from tests.connectors.mariana_tek.conftest import Clock, at_sandbox, source

NOW = 1_790_000_000
SALES = {"id": "353", "slug": "orders-utc", "shape": "sales", "days": 31, "history_days": 40}
RESERVATIONS = {"id": "341", "slug": "reservations", "shape": "reservations", "days": 31, "history_days": 40}
PEOPLE = {"id": "9", "slug": "people", "key": ["customer_id"]}
DAYS = {"first_day_param": "min_day", "last_day_param": "max_day"}


@pytest.fixture(scope="module")
def world() -> Iterator[SandboxClient]:
    with sandbox.running(now=NOW, scale=0.1) as client:
        yield client


def today() -> datetime:
    return datetime.fromtimestamp(NOW, UTC)


def read(connector: Connector, name: str, **request: Any) -> list[Page]:
    pages, cursor = [], request.pop("cursor", None)
    while True:
        asked = FetchRequest(cursor=cursor, **request)
        try:
            pages.append(connector.fetch(connector.stream(name), asked))
        except NotReady as wait:
            time.sleep(min(wait.retry_after, 0.1))
            continue
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages


def rows(pages: list[Page]) -> list[dict[str, Any]]:
    return [exact_json.loads(record.body) for page in pages for record in page.records]


# Made for us


def test_sales_are_read_day_by_day_up_to_yesterday(world: SandboxClient) -> None:
    with at_sandbox(world, clock=today, reports={"sales": SALES}) as connector:
        pages = read(connector, "sales", page_size=7)
        lines = [connector.stream("sales").refine(row) for row in rows(pages)]
    assert len({line.external_id for line in lines}) == len(lines) > 20
    yesterday = datetime.fromtimestamp(NOW - 86_400, UTC).date().isoformat()
    days = [row["row"]["transaction_date"] for row in rows(pages)]
    assert max(days) <= yesterday
    assert pages[-1].stream_state == {"until": yesterday}
    assert pages[-1].expected_total == len(lines)
    assert all(isinstance(line, OrderLine) and line.total_amount for line in lines)
    assert {line.total_amount for line in lines if isinstance(line, OrderLine)} != {Decimal("1.23")}


def test_each_report_that_is_begun_is_kept_in_the_cursor(world: SandboxClient) -> None:
    with at_sandbox(world, clock=today, reports={"sales": SALES}) as connector:
        first = connector.fetch(connector.stream("sales"), FetchRequest())
        place = place_of(first.next_cursor)
        with pytest.raises(NotReady, match="is making report"):
            connector.fetch(connector.stream("sales"), FetchRequest(cursor=first.next_cursor))
    assert place is not None
    assert place.report.startswith("rep_")
    assert not first.records


def test_a_report_goes_on_in_another_process(world: SandboxClient) -> None:
    with at_sandbox(world, clock=today, reports={"sales": SALES}) as connector:
        whole = rows(read(connector, "sales", page_size=10))
        begun = read_some(connector, "sales", pages=4)
    with at_sandbox(world, clock=today, reports={"sales": SALES}) as connector:
        rest = read(connector, "sales", cursor=begun[-1].next_cursor, page_size=10)
    found = {row["id"] for row in rows([*begun, *rest])}
    assert found == {row["id"] for row in whole}


def read_some(connector: Connector, name: str, *, pages: int) -> list[Page]:
    found: list[Page] = []
    while len(found) < pages:
        cursor = found[-1].next_cursor if found else None
        try:
            request = FetchRequest(cursor=cursor, page_size=10)
            found.append(connector.fetch(connector.stream(name), request))
        except NotReady:
            time.sleep(0.1)
    return found


def test_the_next_run_begins_some_days_before_the_last_one_ended(world: SandboxClient) -> None:
    reports = {"sales": {**SALES, "lookback_days": 3}}
    until = datetime.fromtimestamp(NOW - 5 * 86_400, UTC).date().isoformat()
    first = datetime.fromtimestamp(NOW - 7 * 86_400, UTC).date().isoformat()
    with at_sandbox(world, clock=today, reports=reports) as connector:
        found = rows(read(connector, "sales", stream_state={"until": until}))
    assert found
    assert min(row["row"]["transaction_date"] for row in found) >= first


def test_nothing_is_asked_for_twice_a_day(world: SandboxClient) -> None:
    yesterday = datetime.fromtimestamp(NOW - 86_400, UTC).date().isoformat()
    with at_sandbox(world, clock=today, reports={"sales": {**SALES, "lookback_days": 0}}) as connector:
        assert read(connector, "sales", stream_state={"until": yesterday}) == [Page()]


def test_reservations_come_from_their_report(world: SandboxClient) -> None:
    with at_sandbox(world, clock=today, reports={"bookings": RESERVATIONS}) as connector:
        assert "reservations" not in {stream.name for stream in connector.streams()}
        pages = read(connector, "bookings")
        kinds = [connector.stream("bookings").refine(row) for row in rows(pages)]
    assert kinds
    assert all(one.class_session_external_id and one.customer_external_id for one in kinds)  # type: ignore[attr-defined]


def test_deferred_revenue_is_refused_as_sales(world: SandboxClient) -> None:
    deferred = {**SALES, "id": "401", "slug": "deferred-revenue"}
    with (
        at_sandbox(world, clock=today, reports={"sales": deferred}) as connector,
        pytest.raises(SchemaError, match="Deferred revenue is not what was paid"),
    ):
        read(connector, "sales")


# Written down here


class Reports:
    """A tenant whose answers are nested as the test says."""

    def __init__(self, httpserver: HTTPServer) -> None:
        self.server = httpserver
        self.states = ["processing", "complete"]
        self.is_flat = False
        self.table: dict[str, Any] = {"headers": ["Customer ID"], "rows": [[7]], "total_records": 1}
        self.file_headers: list[dict[str, str]] = []
        self.asked: list[dict[str, str]] = []
        api = "/api/async_table_report_data"
        httpserver.expect_request(api).respond_with_handler(self._start)
        httpserver.expect_request(f"{api}/job_status").respond_with_handler(self._status)
        httpserver.expect_request("/file").respond_with_handler(self._file)

    def _start(self, request: Request) -> Response:
        self.asked.append(request.args.to_dict())
        job = {"id": 1_000 + len(self.asked)}
        return _json(job if self.is_flat else {"data": [job]})

    def _status(self, request: Request) -> Response:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        told = {"status": state, "s3_link": self.server.url_for("/file?Signature=x")}
        return _json(told if self.is_flat else {"data": told})

    def _file(self, request: Request) -> Response:
        self.file_headers.append(dict(request.headers))
        return _json(self.table)


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), content_type="application/json")


@pytest.fixture
def reports(httpserver: HTTPServer) -> Reports:
    return Reports(httpserver)


def people(httpserver: HTTPServer, clock: Clock, **more: Any) -> Any:
    return source(
        httpserver.url_for("/").rstrip("/"), clock=clock, reports={"people": {**PEOPLE, **DAYS, **more}}
    )


@pytest.mark.parametrize("is_flat", [False, True])
def test_answers_may_be_nested_or_not(
    is_flat: bool, reports: Reports, httpserver: HTTPServer, clock: Clock
) -> None:
    reports.is_flat = is_flat
    with people(httpserver, clock, history_days=7) as connector:
        assert [row["id"] for row in rows(read(connector, "people"))] == ["people:7"]
    [asked] = reports.asked
    assert asked == {
        "id": "9",
        "slug": "people",
        "page_size": "500",
        "min_day": "2026-03-03",
        "max_day": "2026-03-09",
    }


def test_our_token_does_not_go_to_the_file(reports: Reports, httpserver: HTTPServer, clock: Clock) -> None:
    with people(httpserver, clock, history_days=7) as connector:
        read(connector, "people")
    assert reports.file_headers
    assert not [one for one in reports.file_headers if "Authorization" in one]


def test_days_are_asked_for_a_week_at_a_time(reports: Reports, httpserver: HTTPServer, clock: Clock) -> None:
    with people(httpserver, clock, history_days=16) as connector:
        pages = read(connector, "people")
    windows = [(one["min_day"], one["max_day"]) for one in reports.asked]
    assert windows == [
        ("2026-02-22", "2026-02-28"),
        ("2026-03-01", "2026-03-07"),
        ("2026-03-08", "2026-03-09"),
    ]
    assert pages[-1].expected_total == 3


def test_the_last_days_are_asked_for_again(reports: Reports, httpserver: HTTPServer, clock: Clock) -> None:
    with people(httpserver, clock, lookback_days=2) as connector:
        read(connector, "people", stream_state={"until": "2026-03-07"})
    assert [(one["min_day"], one["max_day"]) for one in reports.asked] == [("2026-03-06", "2026-03-09")]


def test_a_report_that_failed_is_asked_for_once_more(
    reports: Reports, httpserver: HTTPServer, clock: Clock
) -> None:
    reports.states = ["failed", "complete"]
    with people(httpserver, clock, history_days=1) as connector:
        assert len(rows(read(connector, "people"))) == 1
    assert len(reports.asked) == 2
    assert reports.asked[0] == reports.asked[1]


def test_a_report_that_fails_again_says_so(reports: Reports, httpserver: HTTPServer, clock: Clock) -> None:
    reports.states = ["error"]
    with (
        people(httpserver, clock, history_days=1) as connector,
        pytest.raises(SchemaError, match="made no report, tried 2 times"),
    ):
        read(connector, "people")


def test_a_report_shorter_than_it_says_is_refused(
    reports: Reports, httpserver: HTTPServer, clock: Clock
) -> None:
    reports.table["total_records"] = 900
    with (
        people(httpserver, clock, history_days=1) as connector,
        pytest.raises(SchemaError, match="has 900 rows and holds 1: ask for fewer days"),
    ):
        read(connector, "people")


def test_a_cursor_of_other_settings_starts_over(httpserver: HTTPServer, clock: Clock) -> None:
    with people(httpserver, clock) as connector, pytest.raises(CursorExpired):
        read(connector, "people", cursor='{"page":2,"size":100}')


# Answered at once


class AtOnce:
    """Answers at once with two rows at most, by pages or not."""

    def __init__(self, httpserver: HTTPServer, per_day: int) -> None:
        self.per_day = per_day
        self.pages_honoured = True
        self.says_cut = True
        self.asked: list[tuple[str, str, str]] = []
        httpserver.expect_request("/api/table_report_data").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        first, last, page = request.args["min_day"], request.args["max_day"], request.args["page"]
        self.asked.append((first, last, page))
        days = range(int(first[-2:]), int(last[-2:]) + 1)
        found = [[f"{day}-{number}"] for day in days for number in range(self.per_day)]
        start = 2 * (int(page) - 1) if self.pages_honoured else 0
        told: dict[str, Any] = {"headers": ["Customer ID"], "rows": found[start : start + 2]}
        if self.says_cut:
            told["max_results_exceeded"] = len(found) > start + 2 or not self.pages_honoured
        return _json({"data": {"attributes": told}})


def test_too_many_rows_for_some_days_are_asked_for_in_fewer(httpserver: HTTPServer, clock: Clock) -> None:
    tenant = AtOnce(httpserver, per_day=1)
    with people(httpserver, clock, way="sync", history_days=4) as connector:
        pages = read(connector, "people")
    assert [row["id"] for row in rows(pages)] == [f"people:{day}-0" for day in (6, 7, 8, 9)]
    assert tenant.asked[:2] == [("2026-03-06", "2026-03-09", "1"), ("2026-03-06", "2026-03-07", "1")]
    assert pages[-1].expected_total == 4


def test_a_day_with_too_many_rows_is_read_by_pages(httpserver: HTTPServer, clock: Clock) -> None:
    AtOnce(httpserver, per_day=5)
    with people(httpserver, clock, way="sync", history_days=1) as connector:
        pages = read(connector, "people")
    assert len({row["id"] for row in rows(pages)}) == 5
    assert pages[-1].expected_total == 5


@pytest.mark.parametrize(("per_day", "found"), [(1, 4), (2, 8), (5, 20)])
def test_a_full_answer_that_does_not_say_it_is_cut_is_taken_for_cut(
    per_day: int, found: int, httpserver: HTTPServer, clock: Clock
) -> None:
    AtOnce(httpserver, per_day=per_day).says_cut = False
    with people(httpserver, clock, way="sync", history_days=4, row_limit=2) as connector:
        pages = read(connector, "people")
    assert len({row["id"] for row in rows(pages)}) == found
    assert pages[-1].expected_total == found


def test_pages_that_repeat_are_refused(httpserver: HTTPServer, clock: Clock) -> None:
    AtOnce(httpserver, per_day=5).pages_honoured = False
    with (
        people(httpserver, clock, way="sync", history_days=1) as connector,
        pytest.raises(SchemaError, match="set its way to async"),
    ):
        read(connector, "people")


# Rows


def table(headers: list[str], *found: Any, **more: Any) -> Any:
    return table_in(exact_json.dumps({"headers": headers, "rows": list(found), **more}), "mariana_tek")


SALE = TableReport(id="1", slug="orders-utc", shape="sales")
SALE_HEADERS = [
    "Order Number",
    "Product ID",
    "Variant ID",
    "Transaction Date",
    "Line Status",
    "Line Quantity",
    "Line Subtotal",
    "Currency",
]


def test_spellings_of_a_column_are_one() -> None:
    named = [column_named(one) for one in ("Order Date (UTC)", "order_date_utc", "Order Date _UTC_")]
    assert named == ["order_date_utc"] * 3


def test_a_sale_its_refund_and_its_twin_are_three_rows() -> None:
    sold = ["A1", 5, 6, "2026-03-01", "Completed", 1, "10.00", "USD"]
    refund = ["A1", 5, 6, "2026-03-01", "Refunded", -1, "-10.00", "USD"]
    found = records_of(table(SALE_HEADERS, sold, refund, sold), SALE, "mariana_tek")
    assert [one.external_id for one in found] == [
        "A1:5:6:2026-03-01:Completed:1",
        "A1:5:6:2026-03-01:Refunded:-1",
        "A1:5:6:2026-03-01:Completed:1#2",
    ]
    lines = [refine_sale(exact_json.loads(one.body)) for one in found]
    assert sum(line.total_amount or 0 for line in lines) == Decimal("10.00")
    assert lines[1].quantity == Decimal(-1)


def test_rows_that_cannot_be_named_are_kept_with_the_reason() -> None:
    nameless = [None, None, None, None, None, None, "1.00", "USD"]
    found = records_of(table(SALE_HEADERS, ["short"], nameless, "text"), SALE, "mariana_tek")
    assert [one.problem for one in found] == [
        "row 1: 1 values where there are 8 columns",
        "row 2: nothing in order_number, product_id, variant_id, transaction_date, line_status, "
        "line_quantity, which make a row one",
        "row 3: no values where there are 8 columns",
    ]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (["Product ID"], "lacks the columns order_number"),
        ([*SALE_HEADERS, "currency"], "columns of one name: currency"),
        ([*SALE_HEADERS[:6], "Deferred Revenue"], "no price of a sale"),
    ],
)
def test_a_table_of_another_kind_is_refused(headers: list[str], said: str) -> None:
    with pytest.raises(SchemaError, match=said):
        records_of(table(headers), SALE, "mariana_tek")


@pytest.mark.parametrize("told", [b"[]", b'{"data": {}}', b'{"headers": [], "rows": {}}', b"7"])
def test_what_is_no_table_is_refused(told: bytes) -> None:
    with pytest.raises(SchemaError, match="without headers and rows"):
        table_in(told, "mariana_tek")


@pytest.mark.parametrize("day", ["2026-03-01", "3/1/2026", "03/01/2026", "2026-03-01T00:00:00Z"])
def test_days_come_in_two_spellings(day: str) -> None:
    line = refine_sale({"id": "1", "row": {"transaction_date": day}})
    assert line.occurred_at == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(RecordError, match="is not a day"):
        refine_sale({"id": "1", "row": {"transaction_date": "13/45/2026"}})


def test_a_reservation_row_is_classified() -> None:
    row = {"credit": "ClassPass", "guest": "False", "class_id": 7, "customer_id": 9, "creation_date": None}
    one = refine_reservation_row({"id": "1", "row": row})
    assert (one.booking_source, one.class_session_external_id, one.customer_external_id) == (
        "classpass",
        "7",
        "9",
    )


def test_a_plain_row_becomes_a_record() -> None:
    row = {"customer": "Zoë", "customer_email": "Z@Example.com"}
    assert refine_row({"id": "1", "row": row}) == GenericRecord(
        external_id="1", title="Zoë", email="z@example.com"
    )


# Settings


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        ({"orders": PEOPLE}, "orders is the name of another stream"),
        ({"People!": PEOPLE}, "no name for a stream"),
        ({"people": {"id": "9", "slug": "people"}}, 'give "key"'),
        ({"people": {**PEOPLE, "first_day_param": "min_day"}}, "or neither"),
        ({"a": SALES, "b": SALES}, "count the same rows twice"),
        ({"people": {**PEOPLE, "days": 40}}, "less than or equal to 31"),
    ],
)
def test_reports_that_cannot_be_are_told(reports: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said), source("http://127.0.0.1:9", reports=reports):
        pass


def test_a_report_takes_the_place_of_the_stream_that_would_count_the_same() -> None:
    with source("http://127.0.0.1:9", reports={"sales": SALES}) as connector:
        names = {stream.name for stream in connector.streams()}
        assert connector.stream("sales").ways == ("report",)
    assert "order_lines" not in names
    assert {"orders", "reservations", "sales"} <= names


def test_rows_of_two_reports_have_ids_of_their_own() -> None:
    reports = [TableReport(id="1", slug=slug, key=("customer_id",)) for slug in ("first-timers", "details")]
    found = [records_of(table(["Customer ID"], [7]), report, "mariana_tek")[0] for report in reports]
    assert [one.external_id for one in found] == ["first-timers:7", "details:7"]


def test_an_id_that_would_be_too_long_is_told() -> None:
    report = TableReport(id="1", slug="notes", key=("note",))
    [found] = records_of(table(["Note"], ["x" * 300]), report, "mariana_tek")
    assert found.problem == "row 1: note together are too long for an id"
