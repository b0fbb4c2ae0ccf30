"""REST beyond plain lists: what needs a call per parent, what a shop may lack, what bad records do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

import sandbox
from connectors import connect, exact_json
from connectors.base import Access, Connector, FetchRequest
from connectors.errors import MissingScope, RateLimited, RecordError, RefusedRequest
from connectors.kinds import Order
from tests.connectors.shopify.shops import TOKEN, Clock, fetch, rows, shop, world

API = "/admin/api/2026-10"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Iterator[sandbox.SandboxClient]:
    with world(clock) as client:
        yield client


@pytest.fixture
def rest(httpserver: HTTPServer) -> Iterator[Connector]:
    connector = connect(
        "shopify",
        config={"shop": "a.myshopify.com", "base_url": httpserver.url_for("")},
        credentials=TOKEN,
        access=Access(private_hosts=frozenset({"localhost"})),
    )
    yield connector
    connector.close()


def get(connector: Connector, stream: str, **request: Any) -> Any:
    return connector.fetch(connector.stream(stream), FetchRequest(**request))


def test_transactions_go_on_in_the_middle_of_their_orders(
    client: sandbox.SandboxClient, clock: Clock
) -> None:
    with shop(client, clock, api="rest") as connector:
        whole = rows(connector, "transactions")
        cursors: list[str] = []
        found: dict[str, bytes] = {}
        cursor = None
        while True:
            # A new process knows the cursor and nothing else.
            with shop(client, clock, api="rest") as other:
                page = fetch(other, "transactions", cursor=cursor, page_size=3)
            found |= {record.external_id: record.body for record in page.records}
            cursor = page.next_cursor
            if cursor is None:
                break
            cursors.append(cursor)
    assert found == whole
    assert len(set(cursors)) == len(cursors) > 5


def test_transactions_of_changed_orders_only(client: sandbox.SandboxClient, clock: Clock) -> None:
    with shop(client, clock, api="rest") as connector:
        assert rows(connector, "transactions", window_start=clock.now() + timedelta(days=1)) == {}


def test_an_order_that_is_gone_has_no_transactions(rest: Connector, httpserver: HTTPServer) -> None:
    orders = [{"id": number, "updated_at": "2026-03-01T00:00:00Z"} for number in (1, 2)]
    httpserver.expect_request(f"{API}/orders.json").respond_with_json({"orders": orders})
    httpserver.expect_request(f"{API}/orders/1/transactions.json").respond_with_json({"errors": "x"}, 404)
    one = {"id": 7, "order_id": 2, "kind": "sale", "amount": "1.00", "currency": "EUR"}
    httpserver.expect_request(f"{API}/orders/2/transactions.json").respond_with_json({"transactions": [one]})
    page = get(rest, "transactions")
    assert [record.external_id for record in page.records] == ["7"]
    assert page.records[0].updated_at is not None
    assert httpserver.log[0][0].args.to_dict() == {
        "status": "any",
        "fields": "id,updated_at",
        "limit": "100",
    }


def test_inventory_items_are_asked_for_a_hundred_at_once(rest: Connector, httpserver: HTTPServer) -> None:
    variants = [{"id": number, "inventory_item_id": 1_000 + number} for number in range(230)]
    products = [{"id": 1, "variants": variants}, {"id": 2, "variants": variants[:5]}, {"id": 3}]
    httpserver.expect_request(f"{API}/products.json").respond_with_json({"products": products})
    asked: list[int] = []

    def items(request: Request) -> Response:
        ids = request.args["ids"].split(",")
        asked.append(len(ids))
        body = {"inventory_items": [{"id": int(one)} for one in ids]}
        return Response(exact_json.dumps(body), content_type="application/json")

    httpserver.expect_request(f"{API}/inventory_items.json").respond_with_handler(items)
    page = get(rest, "inventory_items", page_size=1_000)
    assert asked == [100, 100, 30]
    assert len({record.external_id for record in page.records}) == len(page.records) == 230


def test_a_level_is_an_item_at_a_location(rest: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"{API}/locations.json").respond_with_json({"locations": [{"id": 5}]})
    levels = [
        {"inventory_item_id": 9, "location_id": 5, "available": 3, "updated_at": "2026-03-01T00:00:00Z"},
        {"inventory_item_id": 10, "location_id": None, "available": 3},
    ]
    httpserver.expect_request(f"{API}/inventory_levels.json").respond_with_json({"inventory_levels": levels})
    good, bad = get(rest, "inventory_levels").records
    assert (good.external_id, good.problem) == ("9:5", "")
    assert "location_id" in bad.problem
    level: Any = rest.stream("inventory_levels").refine(exact_json.loads(good.body))
    assert (level.external_id, level.inventory_item_external_id, level.available) == ("9:5", "9", 3)


@pytest.mark.parametrize("stream", ["payouts", "balance_transactions", "disputes"])
def test_a_shop_without_payments_has_none(stream: str, rest: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_json({"errors": "Not Found"}, 404)
    page = get(rest, stream)
    assert (list(page.records), page.next_cursor) == ([], None)
    with pytest.raises(RefusedRequest):
        get(rest, "locations")


def test_a_missing_scope_is_told_from_a_bad_token(rest: Connector, httpserver: HTTPServer) -> None:
    text = "[API] This action requires merchant approval for read_orders scope."
    httpserver.expect_request(f"{API}/orders.json").respond_with_json({"errors": text}, 403)
    with pytest.raises(MissingScope, match="read_orders") as refusal:
        get(rest, "orders")
    assert refusal.value.needed == ("read_orders",)


def test_the_bucket_of_forty_is_the_real_one() -> None:
    clock = Clock(is_still=True)
    with world(clock, leak_rate=2.0) as client, shop(client, clock, api="rest") as connector:
        answered = Counter[str]()
        for _ in range(50):
            try:
                fetch(connector, "locations")
            except RateLimited as refusal:
                answered[f"wait {refusal.retry_after}"] += 1
            else:
                answered["ok"] += 1
    assert answered == {"ok": 40, "wait 2.0": 10}


def test_bad_records_do_not_take_others_with_them(clock: Clock) -> None:
    with world(clock, bad_share=0.3) as client:
        for api in ("rest", "graphql"):
            with shop(client, clock, api=api) as connector:
                for stream in connector.streams():
                    _check(connector, stream.name)


def _check(connector: Connector, stream: str) -> None:
    refine = connector.stream(stream).refine
    good = bad = 0
    cursor = None
    while True:
        page = fetch(connector, stream, cursor=cursor)
        for record in page.records:
            try:
                good += not record.problem and bool(refine(exact_json.loads(record.body)))
            except RecordError:
                bad += 1
        cursor = page.next_cursor
        if cursor is None:
            break
    assert good > bad or stream in {"locations", "disputes"}, stream


def order(**fields: Any) -> Order:
    with_them = {"id": 1, "currency": "EUR", "updated_at": "2026-03-01T00:00:00Z", **fields}
    connector = connect("shopify", config={"shop": "a.myshopify.com"}, credentials=TOKEN, access=Access())
    refined: Any = connector.stream("orders").refine(with_them)
    connector.close()
    return refined  # type: ignore[no-any-return]


def test_a_refund_is_what_its_transactions_paid_back() -> None:
    steps = [
        {"id": 1, "kind": "refund", "status": "success", "amount": "10.00", "parent_id": 99},
        {"id": 2, "kind": "refund", "status": "failure", "amount": "10.00"},
        {"id": 3, "kind": "refund", "status": "success", "amount": "2.50"},
        {"id": 4, "kind": "void", "status": "success", "amount": "7.00"},
    ]
    [whole] = order(refunds=[{"id": 5, "transactions": steps}]).refunds or ()
    assert (str(whole.amount), whole.currency, whole.payment_external_id) == ("12.50", "EUR", "99")
    [silent] = order(refunds=[{"id": 5}]).refunds or ()
    assert (silent.amount, silent.payment_external_id) == (None, None)


def test_what_an_order_does_not_speak_of_stays() -> None:
    silent = order()
    assert (silent.lines, silent.refunds, silent.fulfillments, silent.payments) == (None, None, None, None)
    empty = order(line_items=[], refunds=[], fulfillments=[])
    assert (empty.lines, empty.refunds, empty.fulfillments, empty.payments) == ((), (), (), None)


def test_a_line_comes_to_its_price_less_its_discount() -> None:
    [line] = (
        order(line_items=[{"id": 2, "price": "9.99", "quantity": 3, "total_discount": "1.00"}]).lines or ()
    )
    assert str(line.total_amount) == "28.97"
