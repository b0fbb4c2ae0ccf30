"""
Shopify's Admin REST API: customers, products with variants, orders with lines.

Confirmed: paths, X-Shopify-Access-Token, limit 50 up to 250, Link paging in which a follow-up carries only
page_info, limit and fields, default status open, bucket of 40 leaking 2/s, float Retry-After.
Unconfirmed [M]: a limit above 250 is read as 250; the exact texts of error bodies; updated_at_max is
inclusive; unknown parameters are ignored; listings come oldest update first (the real order is undocumented).
One shop has one currency; here it varies so that sums by currency have something to add.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec

from sandbox import shopify_records
from sandbox.data import Recipe
from sandbox.dataset import Dataset
from sandbox.listing import BadCursor, Leaf, Place, limit_from, place_from, stamp_from, turn
from sandbox.messages import Answer, BadRequest, Handler, Request, joined, json_answer, served_rows
from sandbox.options import Options
from sandbox.order import Window
from sandbox.simulators import Offer, Setting, Simulator

PREFIX = "/shopify/admin/api/"
VERSION = "2026-10"
BUCKET = 40
FOLLOW_UP_PARAMETERS = frozenset({"page_info", "limit", "fields"})


class Bucket:
    """Shopify's leaky bucket: each call adds one, `leak_rate` run out per second."""

    def __init__(self, *, leak_rate: float, clock: Callable[[], float]) -> None:
        self._leak_rate = leak_rate
        self._clock = clock
        self._lock = threading.Lock()
        self._level = 0.0
        self._filled_at = clock()

    def take(self) -> int | None:
        """Return how full the bucket is with this call, or None when the call does not fit."""
        with self._lock:
            now = self._clock()
            leaked = max(now - self._filled_at, 0.0) * self._leak_rate
            self._level, self._filled_at = max(self._level - leaked, 0.0), now
            if self._level + 1 > BUCKET:
                return None
            self._level += 1
            return int(self._level)


class Shop:
    """One shop: its three datasets behind one token and one bucket."""

    def __init__(self, datasets: dict[str, Dataset], *, token: str, bucket: Bucket) -> None:
        self._datasets = datasets
        self._token = token
        self._bucket = bucket

    def routes(self) -> dict[str, Handler]:
        routes: dict[str, Handler] = {}
        for resource in self._datasets:
            routes[f"{PREFIX}{VERSION}/{resource}.json"] = self._guarded(resource, self._list)
            routes[f"{PREFIX}{VERSION}/{resource}/count.json"] = self._guarded(resource, self._count)
        return routes

    def _guarded(self, resource: str, handler: Callable[[str, Request], Answer]) -> Handler:
        def guarded(request: Request) -> Answer:
            if request.headers.get("x-shopify-access-token") != self._token:
                text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
                return json_answer({"errors": text}, status=401)
            level = self._bucket.take()
            if level is None:
                return _slow_down()
            answer = handler(resource, request)
            answer.headers["X-Shopify-Shop-Api-Call-Limit"] = f"{level}/{BUCKET}"
            answer.headers["X-Shopify-API-Version"] = VERSION
            return answer

        return guarded

    def _list(self, resource: str, request: Request) -> Answer:
        dataset = self._datasets[resource]
        place = _place(request, resource)
        limit = _limit(request)
        leaf = turn(dataset, place, limit=limit, request=request, accepts=_filter(place))
        rows = _only_fields(leaf.rows, request.query.get("fields"))
        return Answer(
            body=joined(f'{{"{resource}":'.encode(), rows, b"}"),
            headers=_links(leaf, limit=limit, request=request),
            served=served_rows(dataset, leaf.rows, cursor=place.token()),
        )

    def _count(self, resource: str, request: Request) -> Answer:
        place = _first_place(request, resource)
        window = Window(low=place.low, high=place.high, accepts=_filter(place))
        return json_answer({"count": self._datasets[resource].order.total(window)})


def _slow_down() -> Answer:
    text = "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service."
    headers = {"Retry-After": "2.0", "X-Shopify-Shop-Api-Call-Limit": f"{BUCKET}/{BUCKET}"}
    return json_answer({"errors": text}, status=429, headers=headers)


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
    decoded = [msgspec.json.decode(row, type=dict[str, msgspec.Raw]) for row in rows]
    return [
        msgspec.json.encode({name: value for name, value in row.items() if name in wanted}) for row in decoded
    ]


def _recipes(options: Options) -> list[tuple[Recipe, int]]:
    made = shopify_records.recipes(options)
    counts = {"customers": options.customers, "products": options.products, "orders": options.orders}
    return [(made[name], count) for name, count in counts.items()]


def _routes(setting: Setting) -> dict[str, Handler]:
    bucket = Bucket(leak_rate=setting.options.leak_rate, clock=setting.clock)
    return Shop(dict(setting.datasets), token=setting.options.shopify_token, bucket=bucket).routes()


def _offer(url: str) -> Offer:
    return Offer(
        config={"shop": "sandbox.myshopify.com", "base_url": f"{url}/shopify"},
        datasets={name: f"shopify.{name}" for name in ("customers", "products", "orders")},
        credentials={"access_token": Options(now=0).shopify_token},
        bad_credentials={"access_token": "shpat_wrong"},
    )


SIMULATOR = Simulator(connector="shopify", recipes=_recipes, routes=_routes, offer=_offer)
