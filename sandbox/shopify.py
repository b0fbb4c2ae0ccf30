"""
Shopify's Admin REST API, and the way to its GraphQL one (`shopify_graph`).

Confirmed: paths, X-Shopify-Access-Token, limit 50 up to 250, Link paging in which a follow-up carries only
page_info, limit and fields, default status open, bucket of 40 leaking 2/s, float Retry-After; transactions of
one order at a time, inventory items by their ids, levels by location or item.
Unconfirmed [M]: a limit above 250 is read as 250; the exact texts of error bodies; updated_at_max is
inclusive; unknown parameters are ignored; listings come oldest update first (the real order is undocumented);
at most 100 ids of items and 50 of locations at once.
One shop has one currency; here it varies so that sums by currency have something to add.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec

from sandbox import shopify_payments, shopify_records, shopify_stock
from sandbox.data import Recipe
from sandbox.dataset import Dataset
from sandbox.listing import BadCursor, Leaf, Place, limit_from, place_from, stamp_from, turn
from sandbox.messages import Answer, BadRequest, Handler, Request, joined, json_answer, served_rows
from sandbox.options import Options
from sandbox.order import Window
from sandbox.shopify_bulk import FILES
from sandbox.shopify_doors import ALL_ORDERS, CLIENT_ID, CLIENT_SECRET, VERSION, Bucket, Door, Keys
from sandbox.shopify_graph import GraphApi
from sandbox.shopify_ids import ORDER_IDS, STRIDE, location_id
from sandbox.shopify_parts import GRAPH, ITEMS, LISTED, STEPS, parts, steps_in
from sandbox.simulators import Offer, Setting, Simulator

ROOT = "/shopify/admin/"
PREFIX = f"{ROOT}api/"
FOLLOW_UP_PARAMETERS = frozenset({"page_info", "limit", "fields"})
#: Where each list is, what it is called there, and the scope it needs.
LISTS = {
    "customers": ("customers", "customers", "read_customers"),
    "products": ("products", "products", "read_products"),
    "orders": ("orders", "orders", "read_orders"),
    "payouts": ("shopify_payments/payouts", "payouts", "read_shopify_payments_payouts"),
    "balance_transactions": (
        "shopify_payments/balance/transactions",
        "transactions",
        "read_shopify_payments_payouts",
    ),
    "disputes": ("shopify_payments/disputes", "disputes", "read_shopify_payments_disputes"),
}
COUNTED = ("customers", "products", "orders")
MOST_ITEMS, MOST_LOCATIONS = 100, 50
AT = "at "


class Shop:
    """One shop: its datasets behind one door."""

    def __init__(self, datasets: dict[str, Dataset], *, door: Door) -> None:
        self._datasets = datasets
        self._door = door

    def routes(self) -> dict[str, Handler]:
        base, guarded = f"{PREFIX}{VERSION}", self._door.guarded
        routes: dict[str, Handler] = {}
        for resource, (path, key, scope) in LISTS.items():
            routes[f"{base}/{path}.json"] = guarded(scope, partial(self._list, resource, key))
        for resource in COUNTED:
            counting = partial(self._count, resource)
            routes[f"{base}/{resource}/count.json"] = guarded(LISTS[resource][2], counting)
        routes[f"{base}/orders/*"] = guarded("read_orders", self._transactions)
        routes[f"{base}/locations.json"] = guarded("read_locations", self._locations)
        routes[f"{base}/inventory_items.json"] = guarded("read_inventory", self._items)
        routes[f"{base}/inventory_levels.json"] = guarded("read_inventory", self._levels)
        return routes

    def _list(self, resource: str, key: str, request: Request) -> Answer:
        return self._page(resource, key, _place(request, resource), request)

    def _page(self, resource: str, key: str, place: Place, request: Request) -> Answer:
        dataset = self._datasets[resource]
        limit = _limit(request)
        leaf = turn(
            dataset, place, limit=limit, request=request, accepts=self._accepts(resource, place, request)
        )
        rows = _only_fields(leaf.rows, request.query.get("fields"))
        return Answer(
            body=joined(f'{{"{key}":'.encode(), rows, b"}"),
            headers=_links(leaf, limit=limit, request=request),
            served=served_rows(dataset, leaf.rows, cursor=place.token()),
        )

    def _accepts(self, resource: str, place: Place, request: Request) -> Callable[[int], bool] | None:
        wanted = _filter(place)
        since = self._door.keys.orders_since(request) if resource == "orders" else 0.0
        if not since:
            return wanted
        created = self._datasets[resource].created
        return lambda index: created(index) >= since and (wanted is None or wanted(index))

    def _count(self, resource: str, request: Request) -> Answer:
        place = _first_place(request, resource)
        accepts = self._accepts(resource, place, request)
        window = Window(low=place.low, high=place.high, accepts=accepts)
        return json_answer({"count": self._datasets[resource].order.total(window)})

    def _locations(self, request: Request) -> Answer:
        return self._all("locations", list(self._datasets["locations"].order), cursor="all")

    def _items(self, request: Request) -> Answer:
        wanted = _ids(request, "ids", most=MOST_ITEMS)
        numbers = {shopify_stock.index_of(one) for one in wanted}
        keys = self._datasets["inventory_items"].keys_of(sorted(numbers))
        return self._all("inventory_items", keys[: _limit(request)], cursor=f"ids from {wanted[0]}")

    def _levels(self, request: Request) -> Answer:
        if "page_info" in request.query:
            return self._page("inventory_levels", "inventory_levels", _place(request, ""), request)
        if "location_ids" not in request.query:
            text = "inventory_item_ids or location_ids must be present"
            raise BadRequest({"errors": {"base": [text]}}, status=422)
        where = _ids(request, "location_ids", most=MOST_LOCATIONS)
        status = AT + ",".join(map(str, where))
        at = msgspec.structs.replace(_first_place(request, ""), status=status)
        return self._page("inventory_levels", "inventory_levels", at, request)

    def _all(self, resource: str, keys: list[int], *, cursor: str) -> Answer:
        dataset = self._datasets[resource]
        rows = dataset.rows(keys)
        return Answer(
            body=joined(f'{{"{resource}":'.encode(), rows, b"}"),
            served=served_rows(dataset, rows, cursor=cursor),
        )

    def _transactions(self, request: Request) -> Answer:
        number, _, rest = request.path.rpartition("/orders/")[2].partition("/")
        index, odd = divmod(int(number) - ORDER_IDS, STRIDE) if number.isdecimal() else (-1, 0)
        dataset = self._datasets["orders"]
        keys = dataset.keys_of([index])
        if rest != "transactions.json" or not keys or odd:
            return json_answer({"errors": "Not Found"}, status=404)
        [row] = dataset.rows(keys)
        return json_answer({"transactions": steps_in(row)})


def _ids(request: Request, name: str, *, most: int) -> list[int]:
    parts = request.query.get(name, "").split(",")
    if not all(part.isdecimal() for part in parts) or len(parts) > most:
        raise BadRequest({"errors": {name: f"must be 1 to {most} ids, with commas between"}}, status=422)
    return [int(part) for part in parts]


def _place(request: Request, resource: str) -> Place:
    token = request.query.get("page_info")
    if token is None:
        return _first_place(request, resource)
    for name in request.query:
        if name not in FOLLOW_UP_PARAMETERS:
            raise BadRequest({"errors": {name: "Cannot be used together with page_info."}})
    try:
        return place_from(token)
    except BadCursor:
        raise BadRequest({"errors": {"page_info": "Invalid value."}}) from None


def _first_place(request: Request, resource: str) -> Place:
    default = "open" if resource == "orders" else "any"
    status = request.query.get("status", default) if resource == "orders" else default
    if status not in shopify_records.STATUSES:
        raise BadRequest({"errors": {"status": "is not one of open, closed, cancelled, any"}})
    bounds: dict[str, Any] = {}
    for name, parameter in (("low", "updated_at_min"), ("high", "updated_at_max")):
        if parameter in request.query:
            bounds[name] = _bound(request, parameter)
    return Place(status=status, **bounds)


def _bound(request: Request, parameter: str) -> int:
    try:
        return max(stamp_from(request.query[parameter], is_upper=parameter.endswith("max")), 0)
    except ValueError:
        raise BadRequest({"errors": {parameter: "must be an ISO 8601 time"}}) from None


def _filter(place: Place) -> Callable[[int], bool] | None:
    if place.status.startswith(AT):
        numbers = {int(one) for one in place.status.removeprefix(AT).split(",")}
        return lambda index: location_id(shopify_stock.level_of(index)[1]) in numbers
    return shopify_records.status_filter(place.status)


def _limit(request: Request) -> int:
    limit = limit_from(request, default=50, most=10**9)
    if limit is None:
        raise BadRequest({"errors": {"limit": "must be a number from 1 to 250"}})
    return min(limit, 250)


def _links(leaf: Leaf, *, limit: int, request: Request) -> dict[str, str]:
    links = []
    for relation, place in (("previous", leaf.previous), ("next", leaf.next)):
        if place is not None:
            query = {"limit": limit, "page_info": place.token()}
            if "fields" in request.query:
                query["fields"] = request.query["fields"]
            links.append(f'<{request.origin}{request.path}?{urlencode(query)}>; rel="{relation}"')
    return {"Link": ", ".join(links)} if links else {}


def _only_fields(rows: list[bytes], fields: str | None) -> list[bytes]:
    if fields is None:
        return rows
    wanted = set(fields.split(","))
    return [_only(wanted, row) for row in rows]


def _only(wanted: set[str], row: bytes) -> bytes:
    try:
        members = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return row  # a bad record is bad whatever is asked of it
    return msgspec.json.encode({name: value for name, value in members.items() if name in wanted})


def _recipes(options: Options) -> list[tuple[Recipe, int]]:
    made = shopify_records.recipes(options)
    counts = {"customers": options.customers, "products": options.products, "orders": options.orders}
    usual = [(made[name], count) for name, count in counts.items()]
    return [*usual, *shopify_stock.recipes(options), *shopify_payments.recipes(options)]


def _routes(setting: Setting) -> dict[str, Handler]:
    options, clock, datasets = setting.options, setting.clock, dict(setting.datasets)
    keys = Keys(token=options.shopify_token, clock=clock)
    shop = Shop(datasets, door=Door(keys, Bucket(leak_rate=options.leak_rate, clock=clock)))
    graph = GraphApi(datasets, keys=keys, leak_rate=options.leak_rate, clock=clock)
    return {
        **shop.routes(),
        f"{ROOT}oauth/authorize": keys.authorize,
        f"POST {ROOT}oauth/access_token": keys.token,
        f"POST {PREFIX}{VERSION}/graphql.json": graph.answer,
        f"{FILES}*": graph.exports.file,
    }


def _offer(url: str) -> Offer:
    # As fast as a sandbox is; the real rates are the connector's defaults.
    speed = {"rest_rate": 1_000.0, "graphql_rate": 50_000.0, "bulk_poll_seconds": 0.2}
    config = {"shop": "sandbox.myshopify.com", "base_url": f"{url}/shopify", **speed}
    usual = Offer(
        config=config,
        datasets={
            **{name: f"shopify.{name}" for name in LISTED},
            "inventory_items": ITEMS,
            "transactions": STEPS,
        },
        credentials={"access_token": Options(now=0).shopify_token},
        bad_credentials={"access_token": "shpat_wrong"},
    )
    app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    graph = replace(usual, datasets={name: f"{GRAPH}.{name}" for name in LISTED})
    by_page = replace(
        graph,
        config={**config, "api": "graphql", "extra_scopes": [ALL_ORDERS]},
        credentials={"mode": "oauth", **app},
        connects=True,
    )
    by_file = replace(
        graph, config={**config, "api": "bulk"}, credentials={"mode": "client_credentials", **app}
    )
    return replace(usual, more={"graphql": by_page, "bulk": by_file})


SIMULATOR = Simulator(connector="shopify", recipes=_recipes, routes=_routes, offer=_offer, parts=parts)
