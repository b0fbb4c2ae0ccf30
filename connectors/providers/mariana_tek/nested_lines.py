"""Order lines taken from the orders themselves, one call each, where the list of lines is not to be had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import msgspec

from connectors import exact_json
from connectors.base import FetchRequest, Json, Page, SourceRecord
from connectors.errors import BadResponse, CursorExpired, RecordError, RefusedRequest, SchemaError
from connectors.kinds import to_decimal
from connectors.nested import NestedListing
from connectors.providers.mariana_tek.listing import Ask, Listing, Lists, Place, cursor_of
from connectors.providers.mariana_tek.resources import Resource

#: An item says neither when it was sold nor in which currency.
TAKEN_FROM_ORDER = ("date_placed", "currency", "currency_code")
NO_ID = "without id "


class _Pass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cursor: what the pass began with, and where it stands."""

    first: Place
    inner: str | None = None


_decoder = msgspec.json.Decoder(_Pass)


class NestedLines:
    """The lines of one source's orders. Belongs to one connector, as its sessions do."""

    def __init__(self, lists: Lists, orders: Listing, ask: Ask) -> None:
        self._lists = lists
        self._orders = orders
        self._ask = ask
        self._first: Place | None = None
        self._state: Json | None = None
        self._nested = NestedListing(parents=self._parents, children=self._lines)

    def fetch(self, request: FetchRequest) -> Page:
        """Return the lines of some orders."""
        place = self._begun(request)
        self._first = place.first
        page = self._nested.fetch(replace(request, cursor=place.inner))
        if page.next_cursor is None:
            began = {"began": place.first.began.isoformat()}
            return replace(page, stream_state={**(self._state or {}), **began})
        following = msgspec.structs.replace(place, inner=page.next_cursor)
        return replace(page, next_cursor=msgspec.json.encode(following).decode())

    def _begun(self, request: FetchRequest) -> _Pass:
        if request.cursor is None:
            return _Pass(first=self._lists.first(self._orders, request))
        try:
            return _decoder.decode(request.cursor)
        except msgspec.DecodeError:
            raise CursorExpired(
                f"{request.cursor[:80]!r} is no place among orders: order_lines was changed"
            ) from None

    def _parents(self, request: FetchRequest) -> Page:
        if request.cursor is None and self._first is not None:
            request = replace(request, cursor=cursor_of(self._first))
        page = self._lists.fetch(self._orders, request)
        self._state = page.stream_state or self._state
        return page

    def _lines(self, order: SourceRecord, cursor: str | None, request: FetchRequest) -> Page:
        try:
            answer = self._ask(f"orders/{quote(order.external_id, safe='')}", {})
        except RefusedRequest as error:
            if error.status == 404:
                return Page()
            raise
        return Page(records=list(_items(answer.body)))


def _items(body: bytes) -> Iterator[SourceRecord]:
    """:raises SchemaError: if the answer is not an order with its items"""
    try:
        told = exact_json.loads(body)
    except RecordError as error:
        raise BadResponse(f"mariana_tek: an order cannot be read: {error}") from None
    order = told.get("data") if isinstance(told, Mapping) else None
    attributes = order.get("attributes") if isinstance(order, Mapping) else None
    items = attributes.get("purchased_items") if isinstance(attributes, Mapping) else None
    if not isinstance(order, Mapping) or not isinstance(attributes, Mapping) or not isinstance(items, list):
        raise SchemaError('mariana_tek: an order has no "purchased_items": set order_lines to "list"')
    order_id = Resource(order).external_id
    for number, (line_id, found) in enumerate(_by_line(items).items(), 1):
        yield _line(line_id, found, attributes, order_id, f"line {number} of order {order_id}")


def _by_line(items: list[Any]) -> dict[str, list[Json]]:
    """Return the items by their line: a line of three pieces comes as three items."""
    found: dict[str, list[Json]] = {}
    for number, item in enumerate(items):
        line_id = item.get("order_line_id") if isinstance(item, Mapping) else None
        is_id = isinstance(line_id, int | str) and not isinstance(line_id, bool) and line_id != ""
        # Those without an id are not put together.
        key = str(line_id) if is_id else f"{NO_ID}{number}"
        found.setdefault(key, []).append(item if isinstance(item, Mapping) else {"item": item})
    return found


def _line(line_id: str, items: list[Json], order: Json, order_id: str, position: str) -> SourceRecord:
    """Return the line as the list of lines would have it."""
    has_id = not line_id.startswith(NO_ID)
    taken = {name: order[name] for name in TAKEN_FROM_ORDER if order.get(name) is not None}
    try:
        pieces = _pieces(items)
        problem = "" if has_id else f"{position} has no order_line_id"
    except RecordError as error:
        pieces, problem = {}, f"{position}: {error}"
    resource = {
        "type": "order_lines",
        "id": line_id if has_id else "",
        "attributes": {**taken, **items[0], **pieces},
        "relationships": {"order": {"data": {"type": "orders", "id": order_id}}},
    }
    return SourceRecord(
        body=exact_json.dumps(resource),
        external_id=line_id if has_id else "",
        position=position,
        problem=problem,
    )


def _pieces(items: list[Json]) -> Json:
    """Return what several items of one line come to. :raises RecordError: if a price is no number"""
    if len(items) == 1:
        return {}
    prices = [to_decimal("price", item["price"]) for item in items if item.get("price") is not None]
    total = sum((price for price in prices if price is not None), Decimal())
    return {"quantity": len(items), "line_price_excl_tax": str(total)}
