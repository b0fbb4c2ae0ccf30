"""Shopify's wire format as the sandbox speaks it."""

from typing import Any

import pytest
import requests

from sandbox import SandboxClient, running
from tests.sandbox.conftest import NOW, SHOP, SHOPIFY_TOKEN, SMALL, walk_shop


def shop(http: requests.Session, world: SandboxClient, path: str, **params: Any) -> requests.Response:
    return http.get(f"{world.url}{SHOP}/{path}", params=params, headers=SHOPIFY_TOKEN)


@pytest.mark.parametrize(("resource", "count"), [("customers", 60), ("products", 40), ("orders", 120)])
def test_walking_next_links_gives_every_record_once(
    world: SandboxClient, http: requests.Session, resource: str, count: int
) -> None:
    params = {"status": "any"} if resource == "orders" else {}
    ids = [record["id"] for record in walk_shop(http, world, resource, limit=7, **params)]
    assert len(ids) == len(set(ids)) == count
    assert all(len(str(number)) == 13 for number in ids)


def test_listings_come_oldest_update_first_and_contain_ties(
    world: SandboxClient, http: requests.Session
) -> None:
    orders = walk_shop(http, world, "orders", status="any")
    keys = [(order["updated_at"], order["id"]) for order in orders]
    assert keys == sorted(keys)
    assert len({updated for updated, _ in keys}) < len(keys)
    assert all(order["created_at"] <= order["updated_at"] for order in orders)


def test_orders_name_lines_variants_and_customers_that_exist(
    world: SandboxClient, http: requests.Session
) -> None:
    customers = {customer["id"] for customer in walk_shop(http, world, "customers")}
    products = walk_shop(http, world, "products")
    variants = {variant["id"]: product["id"] for product in products for variant in product["variants"]}
    orders = walk_shop(http, world, "orders", status="any")
    lines = [line for order in orders for line in order["line_items"]]
    assert {variants[line["variant_id"]] for line in lines} == {line["product_id"] for line in lines}
    assert {order["customer"]["id"] for order in orders if order["customer"]} <= customers
    assert any(order["customer"] is None for order in orders)
    assert {1, 2, 3, 4} == {len(product["variants"]) for product in products}
    assert {1, 5} < {len(order["line_items"]) for order in orders}


def test_order_totals_add_up_to_the_cent(world: SandboxClient, http: requests.Session) -> None:
    for order in walk_shop(http, world, "orders", status="any"):
        lines = sum(_cents(line["price"]) * line["quantity"] for line in order["line_items"])
        assert lines == _cents(order["subtotal_price"]) + _cents(order["total_discounts"])
        assert _cents(order["total_price"]) == _cents(order["subtotal_price"]) + _cents(order["total_tax"])


def _cents(money: str) -> int:
    whole, cents = money.split(".")
    return int(whole) * 100 + int(cents)


def test_only_open_orders_are_listed_unless_asked(world: SandboxClient, http: requests.Session) -> None:
    everything = walk_shop(http, world, "orders", status="any")
    is_open = [order["id"] for order in everything if not order["closed_at"] and not order["cancelled_at"]]
    assert [order["id"] for order in walk_shop(http, world, "orders", limit=9)] == is_open
    assert 0 < len(is_open) < len(everything)
    assert shop(http, world, "orders/count.json").json() == {"count": len(is_open)}
    assert shop(http, world, "orders/count.json", status="any").json() == {"count": 120}


def test_window_bounds_are_inclusive(world: SandboxClient, http: requests.Session) -> None:
    times = [order["updated_at"] for order in walk_shop(http, world, "orders", status="any")]
    inside = walk_shop(
        http, world, "orders", status="any", updated_at_min=times[30], updated_at_max=times[80], limit=11
    )
    assert [order["updated_at"] for order in inside] == [t for t in times if times[30] <= t <= times[80]]


def test_follow_up_with_another_filter_is_refused(world: SandboxClient, http: requests.Session) -> None:
    following = shop(http, world, "orders.json", limit=5, status="any").links["next"]["url"]
    answer = http.get(following + "&status=any", headers=SHOPIFY_TOKEN)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["status"])
    assert http.get(following + "&fields=id", headers=SHOPIFY_TOKEN).json()["orders"][0].keys() == {"id"}


def test_previous_link_leads_back(world: SandboxClient, http: requests.Session) -> None:
    first = shop(http, world, "products.json", limit=8)
    second = http.get(first.links["next"]["url"], headers=SHOPIFY_TOKEN)
    back = http.get(second.links["previous"]["url"], headers=SHOPIFY_TOKEN)
    assert back.json() == first.json()
    assert "previous" not in first.links
    assert "previous" not in back.links


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"page_info": "nonsense"}, "page_info"),
        ({"page_info": "é"}, "page_info"),
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"updated_at_min": "yesterday"}, "updated_at_min"),
        ({"status": "lost"}, "status"),
    ],
)
def test_refused_parameter_is_named(
    world: SandboxClient, http: requests.Session, params: dict[str, str], field: str
) -> None:
    answer = shop(http, world, "orders.json", **params)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_limit_is_fifty_by_default_and_250_at_most(http: requests.Session) -> None:
    with running(now=NOW, **{**SMALL, "customers": 300}) as world:
        assert len(shop(http, world, "customers.json").json()["customers"]) == 50
        assert len(shop(http, world, "customers.json", limit=1000).json()["customers"]) == 250


def test_wrong_token_is_refused(world: SandboxClient, http: requests.Session) -> None:
    answer = http.get(f"{world.url}{SHOP}/orders.json", headers={"X-Shopify-Access-Token": "guess"})
    assert answer.status_code == 401
    assert "Invalid API key" in answer.json()["errors"]


def test_strict_bucket_overflows_after_forty_calls_and_drains(http: requests.Session) -> None:
    now = [float(NOW)]
    with running(clock=lambda: now[0], leak_rate=2.0, **SMALL) as world:
        answers = [shop(http, world, "orders/count.json") for _ in range(41)]
        assert [answer.status_code for answer in answers] == [200] * 40 + [429]
        assert answers[39].headers["X-Shopify-Shop-Api-Call-Limit"] == "40/40"
        assert answers[40].headers["Retry-After"] == "2.0"
        now[0] += 1
        assert [shop(http, world, "orders/count.json").status_code for _ in range(3)] == [200, 200, 429]


def test_plain_orders_have_three_lines_a_customer_and_a_kilobyte(http: requests.Session) -> None:
    with running(now=NOW, plain_orders=True, **SMALL) as world:
        answer = shop(http, world, "orders.json", status="any", limit=250)
        orders = answer.json()["orders"]
        assert {len(order["line_items"]) for order in orders} == {3}
        assert all(order["customer"] for order in orders)
        assert 900 < len(answer.content) / len(orders) < 1_200
