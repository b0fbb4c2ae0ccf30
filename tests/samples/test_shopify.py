"""Recorded bodies and tables of Shopify's: every record of a kind we read becomes a row."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import exact_json
from connectors.kinds import Kind
from connectors.providers.shopify import graph_records, rest_records

Row = dict[str, Any]
Refine = Callable[[Mapping[str, Any]], Kind]

#: Which bodies hold records of which stream, and how many different ones.
BODIES: dict[str, tuple[Refine, tuple[str, ...], int]] = {
    "customers": (
        rest_records.refine_customer,
        ("customer", "customers_search", "customer_saved_search_customers"),
        2,
    ),
    "products": (rest_records.refine_product, ("product", "products"), 5),
    "orders": (rest_records.refine_order, ("order", "orders"), 1),
    "transactions": (rest_records.refine_transaction, ("transaction", "transactions"), 1),
    "inventory_items": (rest_records.refine_inventory_item, ("inventory_item", "inventory_items"), 3),
    "inventory_levels": (
        rest_records.refine_inventory_level,
        ("inventory_level", "inventory_levels", "location_inventory_levels"),
        4,
    ),
    "locations": (rest_records.refine_location, ("location", "locations"), 2),
    "payouts": (rest_records.refine_payout, ("payout", "payouts"), 6),
    "balance_transactions": (rest_records.refine_balance_transaction, ("payouts_transactions",), 25),
    "disputes": (rest_records.refine_dispute, ("dispute", "disputes"), 7),
}


def body(samples: Path, name: str) -> list[Row]:
    """Return the records of an answer, whether in an envelope or bare, one or a list."""
    value = exact_json.loads((samples / "shopify" / "python_api_fixtures" / f"{name}.json").read_bytes())
    if isinstance(value, dict):
        (value,) = value.values()
    return value if isinstance(value, list) else [value]


def table(samples: Path, name: str) -> list[Row]:
    """Return the rows of a table, blank cells as null."""
    path = samples / "shopify" / "dbt_seeds" / f"shopify_{name}_data.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            {column: value.strip() or None for column, value in row.items()} for row in csv.DictReader(file)
        ]


def test_the_recording_is_the_one_described(samples: Path) -> None:
    bodies = [
        json.loads(path.read_bytes()) for path in (samples / "shopify" / "python_api_fixtures").iterdir()
    ]
    tables = [path.name for path in (samples / "shopify" / "dbt_seeds").iterdir()]
    assert (len(bodies), len(tables)) == (100, 95)
    names = [name.removeprefix("shopify_").removesuffix("_data.csv") for name in tables]
    assert sum(len(table(samples, name)) for name in names) == 766


@pytest.mark.parametrize("stream", BODIES)
def test_every_recorded_body_becomes_a_row(stream: str, samples: Path) -> None:
    refine, names, count = BODIES[stream]
    records = [record for name in names for record in body(samples, name)]
    rows = [refine(record) for record in records]
    assert len({row.external_id for row in rows}) == count
    assert len(rows) == len(records) >= count


def test_recorded_refunds_and_fulfillments_become_rows_of_their_order(samples: Path) -> None:
    order = {**body(samples, "order")[0]}
    order["refunds"], order["fulfillments"] = body(samples, "refund"), body(samples, "fulfillment")
    row = rest_records.refine_order(order)
    assert [(one.external_id, one.reason) for one in row.refunds or ()] == [
        ("509562969", "it broke during shipping")
    ]
    [parcel] = row.fulfillments or ()
    assert (parcel.external_id, parcel.status, parcel.tracking_number) == ("255858046", "pending", "1Z2345")
    assert len(row.lines or ()) == len(order["line_items"]) > 0


def test_recorded_images_and_variants_become_rows_of_their_product(samples: Path) -> None:
    product = {**body(samples, "product")[0]}
    product["images"], product["variants"] = body(samples, "images"), body(samples, "variants")
    row = rest_records.refine_product(product)
    assert len(row.images or ()) == 2
    assert len(row.variants or ()) == 4
    assert {one.product_external_id for one in row.variants or ()} == {row.external_id}


def test_recorded_money_adds_up(samples: Path) -> None:
    payout = rest_records.refine_payout(body(samples, "payout")[0])
    moved = [
        rest_records.refine_balance_transaction(record) for record in body(samples, "payouts_transactions")
    ]
    assert payout.amount == Decimal("41.90")
    for one in moved:
        assert one.amount is not None
        assert one.fee_amount is not None
        # The fee of an adjustment stands there as what it adds.
        assert one.net_amount in {one.amount - one.fee_amount, one.amount + one.fee_amount}
    assert {one.currency for one in moved} == {"USD"}
    assert sum(one.payout_external_id == payout.external_id for one in moved) == 25


def of_order(rows: list[Row], order: Row) -> list[Row]:
    return [row for row in rows if row.get("order_id") == order["id"]]


def test_every_row_of_the_rest_tables_becomes_a_row(samples: Path) -> None:
    children = {
        "line_items": table(samples, "order_line"),
        "refunds": table(samples, "refund"),
        "fulfillments": table(samples, "fulfillment"),
    }
    orders = [
        {**order, "customer": {"id": order.get("customer_id")}}
        | {name: of_order(rows, order) for name, rows in children.items()}
        for order in table(samples, "order")
    ]
    variants = table(samples, "product_variant")
    products = [
        {**product, "variants": [one for one in variants if one["product_id"] == product["id"]]}
        for product in table(samples, "product")
    ]
    tables: dict[str, tuple[Refine, list[Row], int]] = {
        "order": (rest_records.refine_order, orders, 8),
        "product": (rest_records.refine_product, products, 8),
        "customer": (rest_records.refine_customer, table(samples, "customer"), 4),
        "transaction": (rest_records.refine_transaction, table(samples, "transaction"), 5),
        "inventory_item": (rest_records.refine_inventory_item, table(samples, "inventory_item"), 5),
        "inventory_level": (rest_records.refine_inventory_level, table(samples, "inventory_level"), 5),
        "location": (rest_records.refine_location, table(samples, "location"), 2),
    }
    for name, (refine, rows, count) in tables.items():
        assert len([refine(row) for row in rows]) == count, name


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def as_node(row: Row) -> Row:
    """Return a row of a GraphQL table as the API has it: amounts in bags, relations as objects."""
    node: Row = {}
    for column, value in row.items():
        if "_set_" in column:
            bag, _, rest = column.partition("_set_")
            money, _, field = rest.partition("_")
            kind = {"shop": "shopMoney", "pres": "presentmentMoney"}[money]
            node.setdefault(camel(f"{bag}_set"), {}).setdefault(kind, {})[camel(field)] = value
        elif column.endswith("_id") and value:
            node[camel(column.removesuffix("_id"))] = {"id": value}
        else:
            node[camel(column)] = value
    return node


@pytest.mark.parametrize(
    ("name", "refine"),
    [
        ("gql_order", graph_records.refine_order),
        ("gql_product", graph_records.refine_product),
        ("gql_customer", graph_records.refine_customer),
        ("gql_inventory_item", graph_records.refine_inventory_item),
        ("gql_inventory_level", graph_records.refine_inventory_level),
        ("gql_location", graph_records.refine_location),
    ],
)
def test_every_row_of_the_graphql_tables_becomes_a_row(name: str, refine: Refine, samples: Path) -> None:
    rows = table(samples, name)
    if name == "gql_inventory_level":
        rows = [{**row, "item_id": row["inventory_item_id"]} for row in rows]
    kinds = [refine(as_node(row)) for row in rows]
    assert [kind.external_id for kind in kinds] or not rows
    assert len(kinds) == len(rows) > 0


def test_rows_of_graphql_orders_keep_their_money(samples: Path) -> None:
    rows = table(samples, "gql_order")
    first = graph_records.refine_order(as_node(rows[0]))
    assert (first.total_amount, first.tax_amount, first.currency) == (
        Decimal("55.00"),
        Decimal("3.00"),
        "USD",
    )
    assert (first.status, first.fulfillment_status, first.customer_external_id) == ("paid", None, "1001")
