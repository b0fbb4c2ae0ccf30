"""GraphQL and bulk operations against the sandbox: costs, points, children, deep listings, exports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer

import sandbox
from connectors import connect, exact_json
from connectors.base import Access, Connector, Deletes, FetchRequest
from connectors.errors import (
    BadResponse,
    ConfigError,
    ConnectorError,
    CursorExpired,
    MissingScope,
    NotReady,
    RateLimited,
    RefusedRequest,
    SchemaError,
    TransientError,
)
from connectors.kinds import Order, Product
from tests.connectors.shopify.shops import TOKEN, Clock, fetch, rows, shop, world

GRAPHQL = "/admin/api/2026-10/graphql.json"
PAGE = {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Iterator[sandbox.SandboxClient]:
    with world(clock) as client:
        yield client


@pytest.fixture
def graph(httpserver: HTTPServer) -> Iterator[Connector]:
    connector = connect(
        "shopify",
        config={"shop": "a.myshopify.com", "base_url": httpserver.url_for(""), "api": "graphql"},
        credentials=TOKEN,
        access=Access(private_hosts=frozenset({"localhost"})),
    )
    yield connector
    connector.close()


def ask(client: sandbox.SandboxClient, text: str, **variables: Any) -> Any:
    answer = requests.post(
        f"{client.url}/shopify{GRAPHQL}",
        json={"query": text, "variables": variables},
        headers={"X-Shopify-Access-Token": "shpat_sandbox"},
        timeout=5,
    )
    return answer.json()


# The same rows as by REST


def test_both_apis_tell_the_same_of_orders(client: sandbox.SandboxClient, clock: Clock) -> None:
    by_api: dict[str, dict[str, Order]] = {}
    for api in ("rest", "graphql"):
        with shop(client, clock, api=api) as connector:
            refine: Any = connector.stream("orders").refine
            found = rows(connector, "orders").items()
            by_api[api] = {name: refine(exact_json.loads(body)) for name, body in found}
    assert by_api["rest"].keys() == by_api["graphql"].keys()
    for name, rest in by_api["rest"].items():
        graph = by_api["graphql"][name]
        for field in ("number", "status", "fulfillment_status", "total_amount", "currency", "occurred_at"):
            assert getattr(rest, field) == getattr(graph, field), field
        assert [line.external_id for line in rest.lines or ()] == [
            line.external_id for line in graph.lines or ()
        ]
        assert [(one.external_id, one.amount) for one in rest.refunds or ()] == [
            (one.external_id, one.amount) for one in graph.refunds or ()
        ]
        assert rest.fulfillments == graph.fulfillments
    assert any(order.refunds for order in by_api["rest"].values())


def test_transactions_are_the_same_by_a_call_each_and_with_their_orders(
    client: sandbox.SandboxClient, clock: Clock
) -> None:
    with shop(client, clock, api="rest") as connector:
        refine: Any = connector.stream("transactions").refine
        alone = {
            name: refine(exact_json.loads(body)) for name, body in rows(connector, "transactions").items()
        }
    with shop(client, clock) as connector:
        refine = connector.stream("orders").refine
        orders = [refine(exact_json.loads(body)) for body in rows(connector, "orders").values()]
    inside = {one.external_id: one for order in orders for one in order.payments}
    assert alone.keys() == inside.keys()
    for name, payment in alone.items():
        other = inside[name]
        assert (payment.type, payment.amount, payment.parent_external_id, payment.order_external_id) == (
            other.type,
            other.amount,
            other.parent_external_id,
            other.order_external_id,
        )
    assert {payment.type for payment in alone.values()} >= {"sale", "refund"}


@pytest.mark.parametrize(
    "stream", ["inventory_items", "inventory_levels", "locations", "payouts", "disputes"]
)
def test_both_apis_list_the_same_ids(stream: str, client: sandbox.SandboxClient, clock: Clock) -> None:
    found = []
    for api in ("rest", "graphql"):
        with shop(client, clock, api=api) as connector:
            found.append(rows(connector, stream, page_size=7).keys())
    assert found[0] == found[1]


def test_a_payout_is_what_its_balance_transactions_come_to(
    client: sandbox.SandboxClient, clock: Clock
) -> None:
    with shop(client, clock) as connector:
        refine: Any = connector.stream("payouts").refine
        payouts = [refine(exact_json.loads(body)) for body in rows(connector, "payouts").values()]
        refine = connector.stream("balance_transactions").refine
        moved = [refine(exact_json.loads(body)) for body in rows(connector, "balance_transactions").values()]
    for payout in payouts:
        inside = [one for one in moved if one.payout_external_id == payout.external_id]
        assert sum(one.net_amount for one in inside if one.type != "payout") == payout.amount
        assert sum(one.net_amount for one in inside) == 0


def test_what_a_full_refresh_lacks_is_gone_but_for_orders(
    client: sandbox.SandboxClient, clock: Clock
) -> None:
    with shop(client, clock) as connector:
        deletes = {stream.name: stream.deletes for stream in connector.streams()}
    # Without read_all_orders only those of 60 days are listed.
    assert deletes["orders"] is Deletes.NONE
    assert deletes["products"] is Deletes.FULL_PASS
    with shop(client, clock, api="rest") as connector:
        assert {stream.deletes for stream in connector.streams() if stream.name != "locations"} == {
            Deletes.NONE
        }


# Pages


def test_children_beyond_the_first_page_are_asked_for(client: sandbox.SandboxClient, clock: Clock) -> None:
    with shop(client, clock, nested_page_size=100) as connector:
        whole = rows(connector, "products", page_size=1)
    with shop(client, clock, nested_page_size=1) as connector:
        pieces = rows(connector, "products", page_size=5)
        refine: Any = connector.stream("products").refine
        products: list[Product] = [refine(exact_json.loads(body)) for body in pieces.values()]
    assert pieces == whole
    assert {len(product.variants or ()) for product in products} == {1, 2, 3, 4}
    assert {len(product.images or ()) for product in products} == {0, 1, 2, 3}


def test_pages_that_are_too_costly_are_halved(client: sandbox.SandboxClient, clock: Clock) -> None:
    with shop(client, clock, nested_page_size=50) as connector:
        assert len(rows(connector, "orders", page_size=250)) == 24
    text = "query ($first: Int!) { orders(first: $first) { nodes { id customer { id } } } }"
    assert ask(client, text, first=250)["extensions"]["cost"]["requestedQueryCost"] == 2 + 250 * 2
    text = text.replace("customer { id }", "customer { id defaultAddress { city } } refunds { id }")
    assert ask(client, text, first=250)["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


def test_a_listing_is_begun_anew_before_it_is_too_deep(clock: Clock) -> None:
    with world(clock, customers=700) as client, shop(client, clock, most_per_listing=400) as connector:
        cursors, found, cursor = [], set(), None
        while True:
            page = fetch(connector, "customers", cursor=cursor, page_size=100)
            found |= {record.external_id for record in page.records}
            cursor = page.next_cursor
            if cursor is None:
                break
            cursors.append(json.loads(cursor))
            clock.seconds += 10
    assert len(found) == 700
    assert [one for one in cursors if "since" in one and "after" not in one]
    assert max(one.get("read", 0) for one in cursors) <= 400


def test_a_listing_too_deep_to_go_on_says_what_to_do(client: sandbox.SandboxClient, clock: Clock) -> None:
    with shop(client, clock, most_per_listing=6) as connector:
        first = fetch(connector, "inventory_items", page_size=6)
        assert len(first.records) == 6
        with pytest.raises(ConfigError, match=r'6 inventoryItems were read.*Set api to "bulk"'):
            fetch(connector, "inventory_items", page_size=6, cursor=first.next_cursor)


def test_a_cursor_of_the_other_api_begins_again(client: sandbox.SandboxClient, clock: Clock) -> None:
    with shop(client, clock) as connector, pytest.raises(CursorExpired):
        fetch(connector, "orders", cursor=f"{client.url}/shopify/admin/api/2026-10/orders.json?page_info=x")


def test_a_cursor_nobody_remembers_begins_again(client: sandbox.SandboxClient, clock: Clock) -> None:
    with shop(client, clock) as connector, pytest.raises(CursorExpired, match="Invalid cursor"):
        fetch(connector, "orders", cursor='{"after":"nonsense"}')


# Points


def rows_for_ever(connector: Connector) -> None:
    for _ in range(100):
        fetch(connector, "orders")


def test_points_that_are_used_up_are_waited_for() -> None:
    clock = Clock(is_still=True)
    with world(clock, leak_rate=2.0) as client, shop(client, clock) as connector:
        with pytest.raises(RateLimited) as refusal:
            rows_for_ever(connector)
        assert refusal.value.retry_after is not None
        assert 0.5 <= refusal.value.retry_after < 20
        clock.seconds += refusal.value.retry_after + 0.1
        assert fetch(connector, "orders").records


def test_an_unknown_field_is_refused_by_name(client: sandbox.SandboxClient) -> None:
    told = ask(client, "{ orders(first: 1) { nodes { id colour } } }")["errors"][0]
    assert told["message"] == "Field 'colour' doesn't exist on type 'Order'"
    assert "first" in ask(client, "{ orders(first: 251) { nodes { id } } }")["errors"][0]["message"]
    assert "syntax error" in ask(client, "{ orders(first: 1) { nodes { id } }")["errors"][0]["message"]


def error(code: str, message: str = "it is so") -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


@pytest.mark.parametrize(
    ("answer", "expected", "told"),
    [
        (error("SHOP_INACTIVE"), ConfigError, "closed or frozen"),
        (error("INTERNAL_SERVER_ERROR"), TransientError, "it is so"),
        (error("ACCESS_DENIED", "Required access: `read_locations`"), MissingScope, "read_locations"),
        (error("", "Field 'colour' doesn't exist"), SchemaError, "api_version"),
        ({"errors": "Not that way"}, SchemaError, "Not that way"),
        ([1], BadResponse, "no JSON object"),
        ({"data": {"locations": {"nodes": []}}}, SchemaError, "pageInfo"),
        ({"data": None}, SchemaError, "data"),
    ],
)
def test_an_answer_with_errors_is_named_by_what_happens_next(
    answer: Any, expected: type[ConnectorError], told: str, graph: Connector, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(GRAPHQL).respond_with_json(answer)
    with pytest.raises(expected, match=told):
        graph.fetch(graph.stream("locations"), FetchRequest())


@pytest.mark.parametrize(("status", "told"), [(402, "frozen"), (423, "locked")])
def test_a_shop_that_is_closed_says_so(
    status: int, told: str, graph: Connector, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(GRAPHQL).respond_with_json({"errors": "Unavailable Shop"}, status)
    with pytest.raises(RefusedRequest, match=told):
        graph.fetch(graph.stream("locations"), FetchRequest())


def test_a_shop_without_payments_has_no_payouts(graph: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(GRAPHQL).respond_with_json({"data": {"shopifyPaymentsAccount": None}})
    page = graph.fetch(graph.stream("payouts"), FetchRequest())
    assert (list(page.records), page.next_cursor) == ([], None)


# Bulk operations


def exported(connector: Connector, clock: Clock, stream: str, **request: Any) -> dict[str, bytes]:
    """Read an export to its end, winding the clock where it has to be waited for."""
    found: dict[str, bytes] = {}
    cursor = None
    while True:
        try:
            page = fetch(connector, stream, cursor=cursor, **request)
        except NotReady as wait:
            clock.seconds += wait.retry_after
            continue
        found |= {record.external_id: record.body for record in page.records}
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("stream", ["customers", "products", "orders", "inventory_items"])
def test_an_export_holds_what_pages_hold(stream: str, client: sandbox.SandboxClient, clock: Clock) -> None:
    with shop(client, clock) as connector:
        pages = {name: exact_json.loads(body) for name, body in rows(connector, stream).items()}
    with shop(client, clock, api="bulk") as connector:
        file = exported(connector, clock, stream, page_size=5)
    assert {name: exact_json.loads(body) for name, body in file.items()} == pages


def test_an_export_is_started_waited_for_and_read() -> None:
    clock = Clock(is_still=True)
    with world(clock) as client, shop(client, clock, api="bulk", bulk_poll_seconds=7) as connector:
        begun = fetch(connector, "orders")
        assert (list(begun.records), "report" in (begun.next_cursor or "")) == ([], True)
        with pytest.raises(NotReady) as wait:
            fetch(connector, "orders", cursor=begun.next_cursor)
        assert wait.value.retry_after == 7
        clock.seconds += 1
        page = fetch(connector, "orders", cursor=begun.next_cursor, page_size=10)
    assert len(page.records) == 10
    assert page.expected_total == 24


def test_changes_are_read_by_page_although_exports_are_wanted(
    client: sandbox.SandboxClient, clock: Clock
) -> None:
    with shop(client, clock, api="bulk") as connector:
        page = fetch(connector, "orders", window_start=clock.now())
    assert page.next_cursor is None


def test_a_sixth_export_waits_for_the_others() -> None:
    clock = Clock(is_still=True)
    with world(clock) as client, shop(client, clock, api="bulk") as connector:
        for _ in range(5):
            fetch(connector, "orders")
        with pytest.raises(NotReady, match="already in progress"):
            fetch(connector, "products")


def test_an_export_of_nothing_has_no_file(clock: Clock) -> None:
    with world(clock, customers=0) as client, shop(client, clock, api="bulk") as connector:
        assert exported(connector, clock, "customers") == {}


def test_an_export_that_is_not_allowed_names_its_reason(graph: Connector, httpserver: HTTPServer) -> None:
    refusal = {"bulkOperation": None, "userErrors": [{"field": ["query"], "message": "Too many connections"}]}
    httpserver.expect_request(GRAPHQL).respond_with_json({"data": {"bulkOperationRunQuery": refusal}})
    bulk = connect(
        "shopify",
        config={"shop": "a.myshopify.com", "base_url": httpserver.url_for(""), "api": "bulk"},
        credentials=TOKEN,
        access=Access(private_hosts=frozenset({"localhost"})),
    )
    with pytest.raises(ConfigError, match="Too many connections"):
        bulk.fetch(bulk.stream("orders"), FetchRequest())
    bulk.close()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("{ orders { edges { node { id } } } products { edges { node { id } } } }", "exactly one"),
        ("{ orders { nodes { id } } }", "at least one connection"),
        ("{ shop { edges { node { id } } } }", "cannot be exported"),
        ("{ orders { edges { node { id colour } } } }", "colour"),
    ],
)
def test_the_sandbox_refuses_exports_shopify_refuses(
    query: str, told: str, client: sandbox.SandboxClient
) -> None:
    text = (
        "mutation ($query: String!) { bulkOperationRunQuery(query: $query) "
        "{ bulkOperation { id } userErrors { message } } }"
    )
    payload = ask(client, text, query=query)["data"]["bulkOperationRunQuery"]
    assert payload["bulkOperation"] is None
    assert told in payload["userErrors"][0]["message"]
