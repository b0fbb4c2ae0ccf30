"""The streams of a shop, by each API: what they are called is the same, what a record looks like is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors.base import Deletes, Json, Stream
from connectors.kinds import Kind
from connectors.providers.shopify import graph_money, graph_records, queries, rest, rest_records

MAX_PAGE_SIZE = 250
#: Their children make them dear where a query may cost 1,000 points at most; in a file they cost nothing.
DEAR = {"orders": 10, "products": 20}
SELDOM = "every 6h"
PAYOUTS_SCOPE = "read_shopify_payments_payouts"
DISPUTES_SCOPE = "read_shopify_payments_disputes"

REST_LISTINGS: Mapping[str, rest.RestListing] = {
    "customers": rest.CUSTOMERS,
    "products": rest.PRODUCTS,
    "orders": rest.ORDERS,
    "locations": rest.LOCATIONS,
    "payouts": rest.PAYOUTS,
    "balance_transactions": rest.BALANCE_TRANSACTIONS,
    "disputes": rest.DISPUTES,
}
GRAPH_LISTINGS: Mapping[str, queries.Listing] = {
    "customers": queries.CUSTOMERS,
    "products": queries.PRODUCTS,
    "orders": queries.ORDERS,
    "inventory_items": queries.INVENTORY_ITEMS,
    "locations": queries.LOCATIONS,
    "payouts": queries.PAYOUTS,
    "balance_transactions": queries.BALANCE_TRANSACTIONS,
    "disputes": queries.DISPUTES,
}
#: Whose full refreshes may be bulk operations.
EXPORTED = frozenset({"customers", "products", "orders", "inventory_items"})

Refine = Callable[[Json], Kind]
_KINDS = {
    "customers": "customer",
    "products": "product",
    "orders": "order",
    "transactions": "payment",
    "inventory_items": "inventory_item",
    "inventory_levels": "inventory_level",
    "locations": "location",
    "payouts": "payout",
    "balance_transactions": "balance_transaction",
    "disputes": "dispute",
}
_SCOPES: Mapping[str, tuple[str, ...]] = {
    "customers": ("read_customers",),
    "products": ("read_products",),
    "orders": ("read_orders",),
    "transactions": ("read_orders",),
    "inventory_items": ("read_inventory",),
    "inventory_levels": ("read_inventory", "read_locations"),
    "locations": ("read_locations",),
    "payouts": (PAYOUTS_SCOPE,),
    "balance_transactions": (PAYOUTS_SCOPE,),
    "disputes": (DISPUTES_SCOPE,),
}
_SELDOM = frozenset({"payouts", "balance_transactions", "disputes", "locations"})


def _stream(  # noqa: PLR0913
    name: str,
    refine: Refine,
    *,
    cursor_field: str = "",
    page_size: int = MAX_PAGE_SIZE,
    deletes: Deletes = Deletes.NONE,
    key: tuple[str, ...] = ("id",),
    scopes: tuple[str, ...] = (),
    ways: tuple[str, ...] = ("poll",),
) -> Stream:
    return Stream(
        name=name,
        kind=_KINDS[name],
        refine=refine,
        page_size=page_size,
        is_incremental=bool(cursor_field),
        cursor_field=cursor_field,
        deletes=deletes,
        key=key,
        scopes=(*_SCOPES[name], *scopes),
        ways=ways,
        default_schedule=SELDOM if name in _SELDOM else "every 1h",
    )


#: Nothing is inferred from what a paged REST listing lacks, as its order is not documented.
REST_STREAMS = (
    _stream("customers", rest_records.refine_customer, cursor_field="updated_at"),
    _stream("products", rest_records.refine_product, cursor_field="updated_at"),
    _stream("orders", rest_records.refine_order, cursor_field="updated_at"),
    _stream("transactions", rest_records.refine_transaction, cursor_field="order.updated_at"),
    _stream("inventory_items", rest_records.refine_inventory_item, scopes=("read_products",)),
    _stream(
        "inventory_levels",
        rest_records.refine_inventory_level,
        cursor_field="updated_at",
        key=("inventory_item_id", "location_id"),
    ),
    _stream("locations", rest_records.refine_location, deletes=Deletes.FULL_PASS),
    _stream("payouts", rest_records.refine_payout),
    _stream("balance_transactions", rest_records.refine_balance_transaction),
    _stream("disputes", rest_records.refine_dispute),
)


def graph_streams(*, is_bulk: bool) -> tuple[Stream, ...]:
    """Return the streams of the GraphQL API; the transactions come with their orders."""
    ways = ("export", "poll") if is_bulk else ("poll",)
    sizes = dict.fromkeys(DEAR, MAX_PAGE_SIZE) if is_bulk else DEAR
    return (
        _stream(
            "customers",
            graph_records.refine_customer,
            cursor_field="updatedAt",
            deletes=Deletes.FULL_PASS,
            ways=ways,
        ),
        _stream(
            "products",
            graph_records.refine_product,
            cursor_field="updatedAt",
            page_size=sizes["products"],
            deletes=Deletes.FULL_PASS,
            ways=ways,
        ),
        # Without read_all_orders a full refresh lists those of 60 days: what is missing is not gone.
        _stream(
            "orders",
            graph_records.refine_order,
            cursor_field="updatedAt",
            page_size=sizes["orders"],
            ways=ways,
        ),
        _stream(
            "inventory_items",
            graph_records.refine_inventory_item,
            cursor_field="updatedAt",
            deletes=Deletes.FULL_PASS,
            ways=ways,
        ),
        _stream(
            "inventory_levels",
            graph_records.refine_inventory_level,
            cursor_field="updatedAt",
            key=("item.id", "location.id"),
        ),
        _stream("locations", graph_records.refine_location, deletes=Deletes.FULL_PASS),
        _stream("payouts", graph_money.refine_payout),
        _stream("balance_transactions", graph_money.refine_balance_transaction),
        _stream("disputes", graph_money.refine_dispute),
    )
