"""Mariana Tek's lists: which pages are asked for, what is believed, what is left out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connectors.base import Connector, FetchRequest, Page
from connectors.errors import (
    BadResponse,
    CursorExpired,
    MissingScope,
    RateLimited,
    SchemaError,
    TransientError,
)
from tests.connectors.mariana_tek.conftest import KEY, START, Clock, page, records, source

JSON_API = "application/vnd.api+json"
STREAMS = (
    "locations",
    "employees",
    "products",
    "users",
    "class_sessions",
    "memberships",
    "reservations",
    "orders",
    "order_lines",
)
PATHS = {"employees": "employee_public_profiles", "memberships": "membership_instances"}


class Tenant:
    """A list of so many rows that honours as much as it is told to."""

    def __init__(self, httpserver: HTTPServer, path: str = "orders", count: int = 12) -> None:
        self.ids = list(range(1, count + 1))
        self.largest = 100
        self.honours_updates = False
        self.honours_ordering = True
        #: In place of any order by id.
        self.order: list[int] = []
        self.asked: list[dict[str, str]] = []
        httpserver.expect_request(f"/api/{path}").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        query = request.args.to_dict()
        self.asked.append(query)
        ids = self.order or sorted(self.ids, reverse=self.honours_ordering)
        if self.honours_updates and "min_updated_datetime" in query:
            # The last three have changed this year, and nothing will next year.
            ids = ids[:3] if query["min_updated_datetime"] < "2027" else []
        size, number = min(int(query["page_size"]), self.largest), int(query["page"])
        pages = max(-(-len(ids) // size), 1)
        if number > pages:
            return Response('{"errors": [{"detail": "Invalid page.", "status": "404"}]}', 404)
        rows = [_row(one) for one in ids[(number - 1) * size : number * size]]
        pagination = {"count": len(ids), "pages": pages, "page": number, "per_page": size}
        return _json({"data": rows, "meta": {"pagination": pagination}})

    def pages_asked(self) -> list[str]:
        return [query["page"] for query in self.asked]


def _row(number: int) -> dict[str, Any]:
    placed = f"2026-0{1 + number // 5}-01T00:00:00Z"
    return {"type": "orders", "id": str(number), "attributes": {"date_placed": placed}, "relationships": {}}


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), content_type=JSON_API)


def read(connector: Connector, name: str = "orders", **request: Any) -> list[Page]:
    pages, cursor = [], request.pop("cursor", None)
    while True:
        pages.append(connector.fetch(connector.stream(name), FetchRequest(cursor=cursor, **request)))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages


def ids(pages: list[Page]) -> list[int]:
    return [int(record.external_id) for one in pages for record in one.records]


@pytest.mark.parametrize("name", STREAMS)
def test_every_list_reads_and_refines_its_page(name: str, studio: Connector, httpserver: HTTPServer) -> None:
    headers = {"Accept": JSON_API, "Authorization": f"Bearer {KEY}"}
    httpserver.expect_request(f"/api/{PATHS.get(name, name)}", headers=headers).respond_with_data(
        page(name), content_type=JSON_API
    )
    stream = studio.stream(name)
    found = studio.fetch(stream, FetchRequest())
    assert found.next_cursor is None
    assert [record.external_id for record in found.records] == [one["id"] for one in records(name)]
    for record in found.records:
        kind = stream.refine(msgspec.json.decode(record.body))
        assert (type(kind).kind, kind.external_id) == (stream.kind, record.external_id)


def test_a_list_is_asked_for_newest_first_and_counted(studio: Connector, httpserver: HTTPServer) -> None:
    tenant = Tenant(httpserver)
    pages = read(studio, page_size=5)
    assert ids(pages) == list(range(12, 0, -1))
    assert tenant.asked[0] == {"page": "1", "page_size": "5", "ordering": "-id"}
    assert tenant.pages_asked() == ["1", "2", "3"]
    assert [one.expected_total for one in pages] == [12, 12, 12]
    assert pages[-1].stream_state == {"began": START.isoformat(), "top": 12}
    assert [one.stream_state for one in pages[:-1]] == [None, None]


def test_pages_smaller_than_asked_for_are_read_to_the_end(studio: Connector, httpserver: HTTPServer) -> None:
    Tenant(httpserver).largest = 4
    assert sorted(ids(read(studio, page_size=100))) == list(range(1, 13))


def test_the_size_of_a_page_stays_what_the_pass_began_with(studio: Connector, httpserver: HTTPServer) -> None:
    tenant = Tenant(httpserver)
    first = studio.fetch(studio.stream("orders"), FetchRequest(page_size=5))
    rest = read(studio, cursor=first.next_cursor, page_size=100)
    assert sorted(ids([first, *rest])) == list(range(1, 13))
    assert {query["page_size"] for query in tenant.asked} == {"5"}


def test_rows_that_come_meanwhile_lose_none_of_the_others(studio: Connector, httpserver: HTTPServer) -> None:
    tenant = Tenant(httpserver)
    first = studio.fetch(studio.stream("orders"), FetchRequest(page_size=5))
    tenant.ids += [13, 14]
    rest = read(studio, cursor=first.next_cursor, page_size=5)
    assert set(ids([first, *rest])) >= set(range(1, 13))
    assert rest[-1].expected_total == 12
    assert rest[-1].stream_state == {"began": START.isoformat(), "top": 12}


def test_a_list_that_became_shorter_ends(studio: Connector, httpserver: HTTPServer) -> None:
    tenant = Tenant(httpserver)
    first = studio.fetch(studio.stream("orders"), FetchRequest(page_size=5))
    tenant.ids = tenant.ids[:3]
    [last] = read(studio, cursor=first.next_cursor, page_size=5)
    assert (list(last.records), last.next_cursor, last.expected_total) == ([], None, 12)


# Filters


def state(**more: Any) -> dict[str, Any]:
    return {"began": "2026-03-09T12:00:00+00:00", **more}


def test_a_filter_that_is_honoured_is_used(studio: Connector, httpserver: HTTPServer) -> None:
    tenant = Tenant(httpserver)
    tenant.honours_updates = True
    pages = read(studio, stream_state=state(top=12))
    assert ids(pages) == [12, 11, 10]
    tried, used = tenant.asked
    assert (tried["min_updated_datetime"], tried["page_size"]) == ("2027-03-10T12:00:00Z", "1")
    assert used["min_updated_datetime"] == "2026-03-09T11:50:00Z"


def test_where_it_is_ignored_orders_are_read_from_the_newest_back(
    httpserver: HTTPServer, clock: Clock
) -> None:
    tenant = Tenant(httpserver)
    with source(httpserver.url_for("/").rstrip("/"), clock=clock, recent_ids=5) as connector:
        pages = read(connector, page_size=4, stream_state=state(top=10))
    assert ids(pages) == [12, 11, 10, 9, 8, 7, 6, 5]
    assert "min_updated_datetime" not in tenant.asked[-1]
    assert pages[-1].expected_total is None
    assert pages[-1].stream_state == {"began": START.isoformat(), "top": 12}


def test_where_the_order_is_ignored_too_all_is_read(httpserver: HTTPServer, clock: Clock) -> None:
    tenant = Tenant(httpserver)
    tenant.honours_ordering = False
    with source(httpserver.url_for("/").rstrip("/"), clock=clock, recent_ids=0) as connector:
        pages = read(connector, page_size=4, stream_state=state(top=2))
    assert ids(pages) == list(range(1, 13))


def test_an_order_that_holds_on_some_pages_only_ends_nothing_early(
    httpserver: HTTPServer, clock: Clock
) -> None:
    tenant = Tenant(httpserver)
    tenant.order = [1, 2, 3, 4, 12, 11, 10, 5, 9, 8, 7, 6]
    with source(httpserver.url_for("/").rstrip("/"), clock=clock, recent_ids=0) as connector:
        pages = read(connector, page_size=4, stream_state=state(top=8))
    assert sorted(ids(pages)) == list(range(1, 13))


def test_what_changes_anywhere_is_read_whole_where_the_filter_is_ignored(
    studio: Connector, httpserver: HTTPServer
) -> None:
    Tenant(httpserver, "membership_instances")
    assert len(ids(read(studio, "memberships", page_size=5, stream_state=state(top=12)))) == 12


def test_a_filter_that_is_refused_is_not_used(studio: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/api/users").respond_with_data("{}", status=422)
    httpserver.expect_ordered_request("/api/users").respond_with_data(page("users"), content_type=JSON_API)
    assert len(ids(read(studio, "users", stream_state=state()))) == 2


def test_a_full_refresh_tries_no_filter(studio: Connector, httpserver: HTTPServer) -> None:
    tenant = Tenant(httpserver)
    tenant.honours_updates = True
    assert len(ids(read(studio))) == 12
    assert len(tenant.asked) == 1


def test_a_filter_may_be_left_alone(httpserver: HTTPServer, clock: Clock) -> None:
    tenant = Tenant(httpserver, "users")
    with source(httpserver.url_for("/").rstrip("/"), clock=clock, uses_updated_filter=False) as connector:
        assert len(ids(read(connector, "users", stream_state=state()))) == 12
    assert len(tenant.asked) == 1


def test_rows_before_the_wanted_history_are_left_out_though_the_tenant_lists_them(
    httpserver: HTTPServer, clock: Clock
) -> None:
    tenant = Tenant(httpserver)
    with source(
        httpserver.url_for("/").rstrip("/"), clock=clock, history_from=date(2026, 2, 1).isoformat()
    ) as connector:
        pages = read(connector)
    assert ids(pages) == [12, 11, 10, 9, 8, 7, 6, 5]
    assert tenant.asked[0]["min_datetime"] == "2026-02-01"
    assert pages[0].expected_total is None


# What goes wrong


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"data": []}, "no meta.pagination"),
        ({"data": [], "meta": {"pagination": {"count": "many", "pages": 1}}}, "not a number"),
        ({"results": []}, "no 'data'"),
    ],
)
def test_an_answer_that_is_no_list_is_refused(
    body: Any, said: str, studio: Connector, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/api/orders").respond_with_json(body)
    with pytest.raises(SchemaError, match=said):
        read(studio)


def test_a_page_without_rows_before_the_last_is_asked_for_again(
    studio: Connector, httpserver: HTTPServer
) -> None:
    empty = {"data": [], "meta": {"pagination": {"count": 9, "pages": 2}}}
    httpserver.expect_request("/api/orders").respond_with_json(empty)
    with pytest.raises(TransientError, match="page 1 of 2 is empty"):
        read(studio)


def test_a_login_page_is_told_as_such(studio: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/orders").respond_with_data("<html>Sign in</html>")
    with pytest.raises(BadResponse, match="login page"):
        read(studio)


def test_a_missing_permission_spares_the_other_streams(studio: Connector, httpserver: HTTPServer) -> None:
    body = '{"errors": [{"detail": "You do not have permission to perform this action.", "status": "403"}]}'
    httpserver.expect_request("/api/users").respond_with_data(body, status=403)
    with pytest.raises(MissingScope, match="permission to see users") as refusal:
        read(studio, "users")
    assert refusal.value.needed == ("users",)


def test_being_throttled_waits_as_told(studio: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/users").respond_with_data("{}", status=429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimited) as throttled:
        read(studio, "users")
    assert throttled.value.retry_after == 7


def test_a_cursor_of_another_kind_starts_over(studio: Connector) -> None:
    with pytest.raises(CursorExpired):
        read(studio, cursor="page=3")


# Lines from orders


@pytest.fixture
def from_orders(httpserver: HTTPServer, clock: Clock) -> Any:
    with source(httpserver.url_for("/").rstrip("/"), clock=clock, order_lines="orders") as connector:
        yield connector


def order(number: int, items: Callable[[int], list[Any]]) -> Response:
    attributes = {"date_placed": "2026-03-01T00:00:00Z", "currency": "CAD", "purchased_items": items(number)}
    return _json({"data": {"type": "orders", "id": str(number), "attributes": attributes}})


def serve_orders(httpserver: HTTPServer, items: Callable[[int], list[Any]]) -> None:
    for number in range(1, 13):
        httpserver.expect_request(f"/api/orders/{number}").respond_with_response(order(number, items))


def test_lines_are_taken_from_each_order(from_orders: Connector, httpserver: HTTPServer) -> None:
    Tenant(httpserver)
    serve_orders(httpserver, lambda number: [{"order_line_id": 100 + number, "price": "2.50"}])
    pages = read(from_orders, "order_lines", page_size=5)
    assert sorted(ids(pages)) == list(range(101, 113))
    assert pages[-1].stream_state == {"began": START.isoformat(), "top": 12}
    line = from_orders.stream("order_lines").refine(msgspec.json.decode(pages[0].records[0].body))
    assert (line.order_external_id, str(line.total_amount), line.currency) == ("12", "2.50", "CAD")  # type: ignore[attr-defined]


def test_pieces_of_one_line_come_as_one_line(from_orders: Connector, httpserver: HTTPServer) -> None:
    Tenant(httpserver, count=1)
    item = {"order_line_id": 7, "product_title": "Water", "price": "2.50"}
    serve_orders(httpserver, lambda _: [item, {**item, "price": "2.00"}, {"price": "1"}])
    [found] = read(from_orders, "order_lines")
    water, nameless = found.records
    line = from_orders.stream("order_lines").refine(msgspec.json.decode(water.body))
    assert (str(line.quantity), str(line.total_amount)) == ("2", "4.50")  # type: ignore[attr-defined]
    assert (nameless.external_id, nameless.problem) == ("", "line 2 of order 1 has no order_line_id")


def test_an_order_that_is_gone_has_no_lines(from_orders: Connector, httpserver: HTTPServer) -> None:
    Tenant(httpserver, count=1)
    httpserver.expect_request("/api/orders/1").respond_with_data("{}", status=404)
    assert ids(read(from_orders, "order_lines")) == []


def test_orders_without_items_say_what_to_do(from_orders: Connector, httpserver: HTTPServer) -> None:
    Tenant(httpserver, count=1)
    httpserver.expect_request("/api/orders/1").respond_with_json({"data": {"id": "1", "attributes": {}}})
    with pytest.raises(SchemaError, match='set order_lines to "list"'):
        read(from_orders, "order_lines")


def test_a_pass_over_orders_goes_on_from_its_cursor(from_orders: Connector, httpserver: HTTPServer) -> None:
    Tenant(httpserver)
    serve_orders(httpserver, lambda number: [{"order_line_id": 100 + number, "price": "1"}])
    stream = from_orders.stream("order_lines")
    first = from_orders.fetch(stream, FetchRequest(page_size=5))
    with source(httpserver.url_for("/").rstrip("/"), order_lines="orders") as another:
        rest = read(another, "order_lines", cursor=first.next_cursor, page_size=5)
    assert sorted(ids([first, *rest])) == list(range(101, 113))
    # Not when the other one took over.
    assert rest[-1].stream_state is not None
    assert rest[-1].stream_state["began"] == START.isoformat()
