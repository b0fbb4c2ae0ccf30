"""The ledger, changes, badness and drift."""

import hashlib
import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec
import pytest
import requests

from connectors import exact_json
from connectors.errors import RecordError
from sandbox import Options, SandboxClient, SandboxError, World, running
from tests.sandbox.conftest import NOW, SHOP, SHOPIFY_TOKEN, SMALL, walk_shop

ORDERS = "shopify.orders"


class Orders(msgspec.Struct):
    orders: list[msgspec.Raw]


def raw_orders(http: requests.Session, world: SandboxClient) -> list[bytes]:
    answer = http.get(f"{world.url}{SHOP}/orders.json?status=any&limit=250", headers=SHOPIFY_TOKEN)
    return [bytes(raw) for raw in msgspec.json.decode(answer.content, type=Orders).orders]


def test_ledger_hashes_are_those_of_the_served_bytes(world: SandboxClient, http: requests.Session) -> None:
    world.change(ORDERS, share=0.2, insert=3, delete=2)
    served = {str(json.loads(row)["id"]): hashlib.sha256(row).hexdigest() for row in raw_orders(http, world)}
    expected = world.ledger(ORDERS, full=True)["expected"]
    assert served == {name: version["sha256"] for name, version in expected["newest"].items()}
    assert expected["count"] == 121


def test_same_seed_gives_the_same_bytes_and_another_seed_others(http: requests.Session) -> None:
    rows = []
    for seed in (1, 1, 2):
        with running(now=NOW, seed=seed, **SMALL) as world:
            rows.append(raw_orders(http, world))
    assert rows[0] == rows[1] != rows[2]


def test_change_gives_a_share_new_values_and_the_time_of_now(
    world: SandboxClient, http: requests.Session
) -> None:
    before = {order["id"]: order for order in walk_shop(http, world, "orders", status="any")}
    done = world.change(ORDERS, share=0.25, seed=5)
    after = walk_shop(http, world, "orders", status="any")
    changed = [order for order in after if order != before[order["id"]]]
    assert done["changed"] == len(changed) == 30
    assert {order["updated_at"] for order in changed} == {"2026-09-21T09:14:20-05:00"}
    assert after[-30:] == changed
    assert all(_values(order) != _values(before[order["id"]]) for order in changed)


def _values(order: dict[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in order.items()
        if name not in {"updated_at", "closed_at", "cancelled_at"}
    }


def test_late_arrivals_carry_the_time_they_are_given(world: SandboxClient, http: requests.Session) -> None:
    world.change(ORDERS, insert=4, at="2026-01-05T00:00:00Z")
    late = walk_shop(http, world, "orders", status="any", updated_at_max="2026-01-05T00:00:00Z")[-4:]
    assert {order["updated_at"] for order in late} == {"2026-01-04T19:00:00-05:00"}
    assert len({order["id"] for order in late}) == 4


def test_deleted_objects_are_gone_and_listed_as_such(world: SandboxClient, http: requests.Session) -> None:
    before = {str(order["id"]) for order in walk_shop(http, world, "orders", status="any")}
    world.change(ORDERS, delete=7)
    after = {str(order["id"]) for order in walk_shop(http, world, "orders", status="any")}
    assert set(world.ledger(ORDERS)["deleted"]) == before - after
    assert len(before - after) == 7


def test_ledger_counts_how_often_each_page_was_served(world: SandboxClient, http: requests.Session) -> None:
    walk_shop(http, world, "orders", status="any")
    walk_shop(http, world, "orders", status="any", limit=50)
    http.get(f"{world.url}{SHOP}/orders.json", headers={"X-Shopify-Access-Token": "wrong"})
    served = world.ledger(ORDERS)["served"]
    assert (served["requests"], served["records"]) == (6, 240)
    assert list(served["pages"].values()) == [2, 2, 2]
    assert world.requests()["by_status"] == {"200": 6, "401": 1}
    world.forget_requests()
    assert world.ledger(ORDERS)["served"]["requests"] == 0


def test_reset_puts_everything_back(world: SandboxClient, http: requests.Session) -> None:
    before = world.ledger(ORDERS, full=True)["expected"]
    world.change(ORDERS, share=0.5, insert=5, spoil=3)
    world.misbehave("/shopify", "status")
    assert world.ledger(ORDERS, full=True)["expected"] != before
    world.reset()
    assert world.ledger(ORDERS, full=True)["expected"] == before
    assert len(raw_orders(http, world)) == 120


@pytest.mark.parametrize("dataset", ["shopify.orders", "shopify.products", "shopify.customers", "api.page"])
def test_every_kind_of_badness_occurs_and_the_ledger_knows_it(dataset: str) -> None:
    amounts = {**SMALL, "products": 120, "customers": 120, "items": 120}
    with running(now=NOW, bad_share=0.2, **amounts) as world:
        expected = world.ledger(dataset, full=True)["expected"]
        kinds = Counter(version["bad"] for version in expected["newest"].values() if version["bad"])
        assert kinds == expected["bad_by_kind"]
        assert sum(kinds.values()) == expected["bad"] == 24
        plain = {"nul", "lone_surrogate", "nan", "huge_number", "missing_id", "long_id", "wrong_type"}
        assert plain <= kinds.keys() <= plain | {"overflow"}


def test_bad_orders_are_bad_as_the_ledger_says() -> None:
    orders = World(Options(now=NOW, **SMALL)).datasets[ORDERS]
    assert orders.spoil(16, at=NOW, seed=1) == 16
    bad = {version.sha256: version.bad for version in orders.versions() if version.bad}
    rows = {hashlib.sha256(row).hexdigest(): row for row in orders.rows(orders.order.at(0, limit=120))}
    found = {kind: rows[sha256] for sha256, kind in bad.items()}
    for kind in ("nul", "lone_surrogate", "nan", "huge_number"):
        with pytest.raises(RecordError):
            exact_json.loads(found[kind])
    assert "id" not in json.loads(found["missing_id"])
    assert len(json.loads(found["long_id"])["id"]) == 300
    assert isinstance(json.loads(found["wrong_type"])["total_price"], dict)
    assert len(json.loads(found["overflow"])["total_price"].split(".")[0]) == 15


def test_bad_rows_of_a_file_count_as_served_where_they_were(
    world: SandboxClient, http: requests.Session
) -> None:
    world.change("files.music", spoil=2)
    http.get(f"{world.url}/files/music.csv", headers={"Range": "bytes=0-9"})
    assert world.ledger("files.music", full=True)["served"]["bad"] == []
    http.get(f"{world.url}/files/music.csv")
    assert len(world.ledger("files.music", full=True)["served"]["bad"]) == 2


def test_healed_objects_are_good_again_with_a_new_time(world: SandboxClient, http: requests.Session) -> None:
    world.change(ORDERS, spoil=5)
    assert world.change(ORDERS, heal=2)["healed"] == 2
    assert world.ledger(ORDERS)["expected"]["bad"] == 3


@pytest.mark.parametrize(("drift", "shape"), [("type", "number"), ("vanish", "absent"), ("appear", "extra")])
def test_drift_changes_the_shape_of_the_changed_share(
    world: SandboxClient, http: requests.Session, drift: str, shape: str
) -> None:
    world.change(ORDERS, share=0.1, drift=drift)
    orders = walk_shop(http, world, "orders", status="any")
    has = {
        "number": lambda order: isinstance(order["total_price"], float),
        "absent": lambda order: "fulfillment_status" not in order,
        "extra": lambda order: "added_without_notice" in order,
    }
    assert [has[shape](order) for order in orders].count(True) == 12
    newest = world.ledger(ORDERS, full=True)["expected"]["newest"]
    assert [version["drift"] for version in newest.values()].count(drift) == 12


@pytest.mark.parametrize(
    ("dataset", "order", "said"),
    [
        ("shopify.refunds", {}, "there are .*shopify.customers"),
        (ORDERS, {"share": 2}, "<= 1"),
        (ORDERS, {"delete": 500}, "120 objects"),
        (ORDERS, {"drift": "sideways", "share": 0.1}, "known here: type, vanish, appear"),
        (ORDERS, {"at": "noon"}, "noon"),
        (ORDERS, {"sahre": 0.1}, "sahre"),
    ],
)
def test_order_that_makes_no_sense_is_refused_by_name(
    world: SandboxClient, dataset: str, order: dict[str, object], said: str
) -> None:
    before = world.ledgers()
    with pytest.raises(SandboxError, match=said):
        world.change(dataset, **order)
    assert world.ledgers() == before


def test_an_answer_to_a_caller_who_hung_up_is_not_served(
    world: SandboxClient, http: requests.Session
) -> None:
    world.latency(300)
    address = urlsplit(f"{world.url}/shopify/admin/api/2026-10/orders.json?limit=5")
    for _ in range(2):
        with socket.create_connection((address.hostname, address.port)) as caller:
            lines = [f"GET {address.path}?{address.query} HTTP/1.1", f"Host: {address.netloc}"]
            lines += [f"{name}: {value}" for name, value in SHOPIFY_TOKEN.items()]
            caller.sendall("\r\n".join([*lines, "", ""]).encode())
            wait_until(lambda: world.ledger(ORDERS)["served"]["records"] == 5)
        wait_until(lambda: world.ledger(ORDERS)["served"] == {"requests": 0, "records": 0, "pages": {}})

    world.latency(0)
    assert len(http.get(address.geturl(), headers=SHOPIFY_TOKEN).json()["orders"]) == 5
    assert list(world.ledger(ORDERS)["served"]["pages"].values()) == [1]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_ledger_knows_streams_that_are_made_of_parts(
    world: SandboxClient, http: requests.Session
) -> None:
    # No more than fit in the bucket: this world's clock stands still.
    orders = walk_shop(http, world, "orders", status="any")[:30]
    served = {}
    for order in orders:
        path = f"{world.url}{SHOP}/orders/{order['id']}/transactions.json"
        for step in http.get(path, headers=SHOPIFY_TOKEN).json()["transactions"]:
            served[str(step["id"])] = hashlib.sha256(msgspec.json.encode(step)).hexdigest()
    told = world.ledger("shopify.transactions", full=True)["expected"]
    assert served.items() <= {name: part["sha256"] for name, part in told["newest"].items()}.items()
    assert (told["count"], told["bad"]) == (len(told["newest"]), 0)
    assert "shopify.transactions" not in world.ledgers()
