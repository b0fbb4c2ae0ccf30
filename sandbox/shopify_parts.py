"""What there is of a shop's streams that are no dataset of their own: payment steps, and all of GraphQL's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial

import msgspec

from sandbox.data import Record
from sandbox.dataset import Dataset
from sandbox.order import INDEX_MASK
from sandbox.shopify_ids import product_id
from sandbox.shopify_nodes import node_of
from sandbox.shopify_steps import transactions
from sandbox.shopify_stock import item_of
from sandbox.simulators import Part, Parts, Setting

#: From here on an amount has more digits than numeric(20,6) has room for.
TOO_LARGE = Decimal(10**14)
GRAPH = "shopify-graphql"
#: What REST shows of orders one at a time, and of inventory items by the ids that products name.
STEPS, ITEMS = "shopify.transactions", "shopify.items_of_products"
#: What GraphQL lists, and whether it says of it when it changed.
LISTED = {
    "customers": True,
    "products": True,
    "orders": True,
    "inventory_items": True,
    "inventory_levels": True,
    "locations": True,
    "payouts": False,
    "balance_transactions": False,
    "disputes": False,
}


def steps_in(order: bytes) -> list[Record]:
    """Return the steps of an order's payment; a record nobody can read has none."""
    try:
        return transactions(msgspec.json.decode(order))
    except (msgspec.DecodeError, InvalidOperation, KeyError, TypeError):
        return []


def parts(setting: Setting) -> Mapping[str, Parts]:
    by_rest: dict[str, Parts] = {
        STEPS: partial(_steps, setting.datasets["orders"]),
        ITEMS: partial(_items, setting.datasets["inventory_items"], setting.datasets["products"]),
    }
    return by_rest | {
        f"{GRAPH}.{name}": partial(_nodes, setting.datasets[name], name, tells_time=tells_time)
        for name, tells_time in LISTED.items()
    }


def _steps(orders: Dataset) -> Iterator[Part]:
    for version in orders.versions():
        for step in steps_in(version.row):
            yield Part(
                external_id=str(step["id"]),
                body=msgspec.json.encode(step),
                bad="overflow" if abs(Decimal(step["amount"])) >= TOO_LARGE else None,
            )


def _items(items: Dataset, products: Dataset) -> Iterator[Part]:
    """Yield the items of products that can be read: nobody learns the ids of the others'."""
    readable = {version.external_id for version in products.versions() if _is_readable(version.row)}
    for version, key in zip(items.versions(), list(items.order), strict=True):
        product, _ = item_of(key & INDEX_MASK)
        if str(product_id(product)) in readable:
            yield Part(
                external_id=version.external_id, body=version.row, updated=version.updated, bad=version.bad
            )


def _is_readable(row: bytes) -> bool:
    try:
        msgspec.json.decode(row)
    except msgspec.DecodeError:
        return False
    return True


def _nodes(dataset: Dataset, name: str, *, tells_time: bool) -> Iterator[Part]:
    for version in dataset.versions():
        # What no server could write as JSON is left out of lists.
        if node_of(name, version.row) is not None:
            updated = version.updated if tells_time else None
            yield Part(external_id=version.external_id, updated=updated, bad=version.bad)
