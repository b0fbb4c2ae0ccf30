"""Shopify: what is asked, what a page holds, what its records become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connectors import connect, exact_json
from connectors.base import Access, Connector, FetchRequest, Page
from connectors.errors import (
    AuthenticationError,
    ConfigError,
    CursorExpired,
    RateLimited,
    RecordError,
    SchemaError,
)
from connectors.http import RefusedRequest
from connectors.kinds import Customer, Order, OrderLine, Product
from connectors.providers.shopify import graph_records, rest_records

PAGES = Path(__file__).parent / "pages"
ORDERS = "/admin/api/2026-10/orders.json"
TOKEN = "shpat_canary"


def page(name: str) -> bytes:
    return (PAGES / f"{name}.json").read_bytes()


def records(name: str) -> list[dict[str, Any]]:
    [listed] = exact_json.loads(page(f"{name}_1")).values()
    return listed  # type: ignore[no-any-return]


@pytest.fixture
def shop(httpserver: HTTPServer) -> Iterator[Connector]:
    connector = connect(
        "shopify",
        config={"shop": "stools.myshopify.com", "base_url": httpserver.url_for("/")},
        credentials={"access_token": TOKEN},
        access=Access(private_hosts=frozenset({"localhost"})),
    )
    yield connector
    connector.close()


def fetch(shop: Connector, stream: str, **request: Any) -> Page:
    return shop.fetch(shop.stream(stream), FetchRequest(**request))


def query(httpserver: HTTPServer) -> dict[str, str]:
    return httpserver.log[-1][0].args.to_dict()


def refined(stream: str, number: int = 0) -> Any:
    connector = connect(
        "shopify",
        config={"shop": "stools.myshopify.com"},
        credentials={"access_token": TOKEN},
        access=Access(),
    )
    return connector.stream(stream).refine(records(stream)[number])


@pytest.mark.parametrize(("stream", "count"), [("customers", 2), ("products", 1), ("orders", 2)])
def test_every_stream_reads_and_refines_its_page(
    stream: str, count: int, shop: Connector, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(
        f"/admin/api/2026-10/{stream}.json", headers={"X-Shopify-Access-Token": TOKEN}
    ).respond_with_data(page(f"{stream}_1"), content_type="application/json; charset=utf-8")
    answer = fetch(shop, stream, page_size=250)
    assert answer.next_cursor is None
    assert [record.external_id for record in answer.records] == [
        str(record["id"]) for record in records(stream)
    ]
    assert len(answer.records) == count
    for record in answer.records:
        kind = shop.stream(stream).refine(exact_json.loads(record.body))
        assert (kind.external_id, kind.updated_at) == (record.external_id, record.updated_at)
        assert type(kind).kind == shop.stream(stream).kind


def test_a_customer_is_understood() -> None:
    assert refined("customers") == Customer(
        external_id="7100000000001",
        occurred_at=datetime(2026, 3, 1, 14, tzinfo=UTC),
        updated_at=datetime(2026, 3, 2, 15, 30, tzinfo=UTC),
        email="zoe@example.com",
        name="Zoë Łukasik",
        phone="+15005550006",
        country="PL",
    )
    assert (refined("customers", 1).name, refined("customers", 1).country) == ("Wu", None)


def test_who_a_customer_is_reads_alike_by_both_apis() -> None:
    by_rest = rest_records.refine_customer(
        {
            "id": 7,
            "email": "Zoe@Example.com",
            "first_name": " Zoë",
            "last_name": "",
            "phone": "(503) 555-0100",
            "default_address": {"country_code": "US", "company": " ACME,  Inc. "},
        }
    )
    by_graph = graph_records.refine_customer(
        {
            "id": "gid://shopify/Customer/7",
            "defaultEmailAddress": {"emailAddress": "Zoe@Example.com"},
            "firstName": " Zoë",
            "lastName": "",
            "defaultPhoneNumber": {"phoneNumber": "(503) 555-0100"},
            "defaultAddress": {"countryCodeV2": "US", "company": " ACME,  Inc. "},
        }
    )
    assert by_rest == by_graph
    assert (by_rest.email, by_rest.name) == ("zoe@example.com", "Zoë")
    assert (by_rest.phone, by_rest.company_name) == ("+15035550100", "ACME, Inc.")


def test_a_product_is_understood_with_its_variants() -> None:
    product: Product = refined("products")
    assert (product.title, product.vendor, product.status) == ("Oak stool", "North & Sons", "active")
    low, high = product.variants or ()
    assert (low.external_id, low.product_external_id, low.price) == (
        "8200000000001",
        product.external_id,
        Decimal("45.50"),
    )
    assert (high.title, high.sku, high.inventory_quantity, high.currency) == ("High", None, -1, None)


def test_an_order_is_understood_with_its_lines() -> None:
    order: Order = refined("orders")
    assert (order.number, order.customer_external_id, order.currency) == ("#1001", "7100000000001", "EUR")
    assert (order.total_amount, order.tax_amount) == (Decimal("61.75"), Decimal("7.25"))
    first, second = order.lines or ()
    assert first == OrderLine(
        external_id="9200000000001",
        occurred_at=order.occurred_at,
        updated_at=order.updated_at,
        order_external_id="9100000000001",
        product_external_id="8100000000001",
        variant_external_id="8200000000001",
        title="Oak stool",
        sku="OAK-L",
        quantity=Decimal(1),
        unit_price=Decimal("45.50"),
        currency="EUR",
    )
    assert (second.product_external_id, second.variant_external_id) == (None, None)


def test_an_order_without_a_customer_is_understood() -> None:
    order: Order = refined("orders", 1)
    assert (order.customer_external_id, order.lines) == (None, ())
    assert order.cancelled_at == datetime(2026, 3, 5, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None}, "no value for id"),
        ({"total_price": "much"}, "total_price: 'much' is not a number"),
        ({"total_price": {"amount": "1"}}, "total_price"),
        ({"customer": "Zoë"}, "customer: expected an object"),
        ({"line_items": {}}, "line_items: expected a list"),
        ({"line_items": [None]}, r"line_items\[1\]: expected an object"),
        ({"line_items": [{"price": "1"}]}, r"no value for line_items\[1\].id"),
        ({"created_at": "last week"}, "created_at"),
    ],
)
def test_an_order_that_cannot_be_understood_names_the_field(change: dict[str, Any], message: str) -> None:
    connector = connect(
        "shopify", config={"shop": "s.myshopify.com"}, credentials={"access_token": TOKEN}, access=Access()
    )
    with pytest.raises(RecordError, match=message):
        connector.stream("orders").refine({**records("orders")[0], **change})


def test_orders_of_every_status_are_asked_for(shop: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ORDERS).respond_with_json({"orders": []})
    fetch(shop, "orders", page_size=1000)
    assert query(httpserver) == {"status": "any", "limit": "250"}


def test_the_window_is_asked_for_and_never_narrowed(shop: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/admin/api/2026-10/customers.json").respond_with_json({"customers": []})
    start = datetime(2026, 3, 1, 12, 0, 0, 900_000, tzinfo=UTC)
    fetch(shop, "customers", window_start=start, window_end=start)
    assert query(httpserver) == {
        "limit": "100",
        "updated_at_min": "2026-03-01T12:00:00Z",
        "updated_at_max": "2026-03-01T12:00:01Z",
    }


def test_a_follow_up_carries_nothing_but_what_the_link_says(shop: Connector, httpserver: HTTPServer) -> None:
    link = f'<{httpserver.url_for(ORDERS)}?limit=250&page_info=abc%3D>; rel="next"'
    httpserver.expect_oneshot_request(ORDERS).respond_with_data(page("orders_1"), headers={"Link": link})
    start = datetime(2026, 3, 1, tzinfo=UTC)
    first = fetch(shop, "orders", page_size=250, window_start=start)
    assert first.next_cursor is not None
    httpserver.expect_oneshot_request(ORDERS).respond_with_data(page("orders_1"))
    second = fetch(shop, "orders", page_size=250, window_start=start, cursor=first.next_cursor)
    assert query(httpserver) == {"limit": "250", "page_info": "abc="}
    assert second.next_cursor is None


def test_a_link_to_another_host_is_refused(shop: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ORDERS).respond_with_data(
        page("orders_1"), headers={"Link": '<https://evil.example/?page_info=x>; rel="next"'}
    )
    with pytest.raises(ConfigError, match=r"evil\.example"):
        fetch(shop, "orders")


@pytest.mark.parametrize("status", [400, 410])
def test_a_page_info_nobody_remembers_is_an_expired_cursor(
    status: int, shop: Connector, httpserver: HTTPServer
) -> None:
    body = json.dumps({"errors": {"page_info": "Invalid value."}})
    httpserver.expect_request(ORDERS).respond_with_data(body, status)
    with pytest.raises(CursorExpired, match="page_info"):
        fetch(shop, "orders", cursor=httpserver.url_for(ORDERS) + "?page_info=old")
    with pytest.raises(RefusedRequest):
        fetch(shop, "orders")


def test_a_refused_follow_up_that_is_not_about_the_cursor_stays_refused(
    shop: Connector, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(ORDERS).respond_with_json({"errors": "Not Found"}, 404)
    with pytest.raises(RefusedRequest):
        fetch(shop, "orders", cursor=httpserver.url_for(ORDERS) + "?page_info=old")


def test_a_full_bucket_asks_for_the_float_it_names(shop: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ORDERS).respond_with_json(
        {"errors": "Exceeded 2 calls per second"}, 429, headers={"Retry-After": "2.0"}
    )
    with pytest.raises(RateLimited) as caught:
        fetch(shop, "orders")
    assert caught.value.retry_after == 2.0


def test_a_wrong_token_is_an_authentication_error_without_the_token(
    shop: Connector, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(ORDERS).respond_with_json({"errors": f"Invalid API key {TOKEN}"}, 401)
    with pytest.raises(AuthenticationError, match="Invalid API key") as caught:
        fetch(shop, "orders")
    assert TOKEN not in str(caught.value)


def test_an_answer_about_something_else_is_a_schema_error(shop: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(ORDERS).respond_with_json({"errors": "Order API is being upgraded"})
    with pytest.raises(SchemaError, match="no 'orders' as the whole answer: found 'errors'"):
        fetch(shop, "orders")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"shop": "evil.example"},
        {"shop": "evil.example/.myshopify.com"},
        {"shop": "a.myshopify.com.evil.example"},
        {"shop": "-a.myshopify.com"},
        {"shop": "a.myshopify.com\n"},
        {"shop": "A.myshopify.com"},
        {"shop": "a.myshopify.com", "api_version": "../x"},
        {"shop": "a.myshopify.com", "colour": "red"},
    ],
)
def test_a_config_that_is_none_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="shopify config is not usable"):
        connect("shopify", config=config, credentials={"access_token": TOKEN}, access=Access())


def test_a_missing_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="shopify credentials fit none of the modes"):
        connect("shopify", config={"shop": "a.myshopify.com"}, credentials={}, access=Access())
