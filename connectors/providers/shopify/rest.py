"""
The REST Admin API: legacy since 2024-10-01, still served to custom apps.

Quirks, as of 2026-11-22:
- `status` defaults to open: without `status=any` closed and cancelled orders are missing; orders older than
  60 days need the scope read_all_orders (shopify.dev/docs/api/admin-rest/2026-10/resources/order).
- A follow-up takes page_info and limit only; the filters are baked into page_info, which does not last
  (shopify.dev/docs/api/admin-rest/usage/pagination).
- The order of a listing by updated_at_min is not documented, and rows at the edge of a window were
  reported missing: windows must overlap (community.shopify.com, thread 94934).
- Retry-After is a float, "2.0" (shopify.dev/docs/api/admin-rest/usage/rate-limits).
- Inventory items are had by their ids only, 100 at once, and levels by location (unconfirmed limits).
- A shop without Shopify Payments answers 404 where payouts would be (unconfirmed).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from msgspec.structs import replace

from connectors import exact_json
from connectors.auth.schemes import Authorizer
from connectors.base import Access, FetchRequest, Page, SourceRecord
from connectors.budgets import used_of_limit
from connectors.errors import CursorExpired, RecordError
from connectors.http import Answer, HttpSession, RefusedRequest
from connectors.nested import NestedListing
from connectors.pages import split_records
from connectors.paging import LinkPaging, PageSeen
from connectors.paths import walk
from connectors.providers.shopify.refused import named
from connectors.providers.shopify.rest_records import level_id
from connectors.providers.shopify.settings import ShopifyConfig
from connectors.windows import window_end, window_start

MAX_PAGE_SIZE = 250
ITEMS_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RestListing:
    """One list of the API."""

    path: str
    #: The list's name in the answer.
    key: str
    params: Mapping[str, str] = field(default_factory=dict)
    id_path: str = "id"
    has_window: bool = False
    #: It comes whole, and knows no pages.
    is_whole: bool = False
    #: Shops without the feature have no such address.
    may_be_absent: bool = False


CUSTOMERS = RestListing(path="customers", key="customers", has_window=True)
PRODUCTS = RestListing(path="products", key="products", has_window=True)
ORDERS = RestListing(path="orders", key="orders", params={"status": "any"}, has_window=True)
LOCATIONS = RestListing(path="locations", key="locations", is_whole=True)
PAYOUTS = RestListing(path="shopify_payments/payouts", key="payouts", may_be_absent=True)
BALANCE_TRANSACTIONS = RestListing(
    path="shopify_payments/balance/transactions", key="transactions", may_be_absent=True
)
DISPUTES = RestListing(path="shopify_payments/disputes", key="disputes", may_be_absent=True)

_ORDER_IDS = RestListing(
    path="orders", key="orders", params={"status": "any", "fields": "id,updated_at"}, has_window=True
)
_PRODUCT_ITEMS = RestListing(path="products", key="products", params={"fields": "id,variants"})
_ITEMS = RestListing(path="inventory_items", key="inventory_items")
_LEVELS = RestListing(path="inventory_levels", key="inventory_levels", id_path="inventory_item_id")


class Rest:
    """Lists of one shop. Belongs to one connector, as its session does."""

    def __init__(self, *, config: ShopifyConfig, access: Access, auth: Authorizer, connector: str) -> None:
        self._connector = connector
        self._api = config.admin_api
        self._paging = LinkPaging(base_url=self._api, limit_param="limit")
        self._http = HttpSession(
            connector=connector,
            access=access,
            auth=auth,
            budget=access.budget and access.budget(config.rest_policy),
            quota=used_of_limit("X-Shopify-Shop-Api-Call-Limit"),
        )
        self.transactions = NestedListing(
            parents=lambda request: self.fetch(_ORDER_IDS, request), children=self._transactions
        )
        self.inventory_items = NestedListing(parents=self._item_batches, children=self._items)
        self.inventory_levels = NestedListing(
            parents=lambda request: self.fetch(LOCATIONS, request), children=self._levels
        )

    def close(self) -> None:
        self._http.close()

    def fetch(self, listing: RestListing, request: FetchRequest) -> Page:
        """Return a page of the listing. :raises CursorExpired: if page_info is not known any more"""
        try:
            answer = self._ask(listing, request)
        except RefusedRequest as error:
            if error.status == 404 and listing.may_be_absent and request.cursor is None:
                return Page()
            raise named(error) from None
        listed = split_records(
            answer.body,
            path=listing.key,
            id_path=listing.id_path,
            updated_path="updated_at",
            connector=self._connector,
            content_type=answer.headers.get("Content-Type", ""),
        )
        seen = PageSeen(
            cursor=request.cursor,
            count=len(listed.records),
            page_size=request.page_size,
            url=answer.url,
            headers=answer.headers,
        )
        return Page(records=listed.records, next_cursor=self._paging.next_cursor(seen))

    def _ask(self, listing: RestListing, request: FetchRequest) -> Answer:
        call = self._paging.call(request.cursor, min(request.page_size, MAX_PAGE_SIZE))
        if call.url is None:
            limit = {} if listing.is_whole else call.params
            filters = {**limit, **listing.params, **(_window(request) if listing.has_window else {})}
            return self._http.request("GET", f"{self._api}/{listing.path}.json", params=filters)
        try:
            return self._http.request("GET", call.url)
        except RefusedRequest as error:
            if error.status in {400, 410} and b"page_info" in error.body:
                raise CursorExpired(str(error)) from None
            raise

    # What needs a call per parent

    def _transactions(self, order: SourceRecord, _cursor: str | None, request: FetchRequest) -> Page:
        listing = RestListing(
            path=f"orders/{order.external_id}/transactions", key="transactions", is_whole=True
        )
        page = self._of_parent(listing, request)
        # They do not say when they changed; their order does.
        return Page(records=[replace(one, updated_at=order.updated_at) for one in page.records])

    def _item_batches(self, request: FetchRequest) -> Page:
        """Return inventory items as their products' variants name them, so many to a record."""
        page = self.fetch(_PRODUCT_ITEMS, request)
        ids = dict.fromkeys(one for product in page.records for one in _item_ids(product))
        left, batches = iter(ids), []
        while some := list(islice(left, ITEMS_AT_ONCE)):
            batches.append(SourceRecord(body=",".join(some).encode(), external_id=some[0]))
        return Page(records=batches, next_cursor=page.next_cursor)

    def _items(self, batch: SourceRecord, _cursor: str | None, request: FetchRequest) -> Page:
        params = {"ids": batch.body.decode(), "limit": str(ITEMS_AT_ONCE)}
        listing = RestListing(path=_ITEMS.path, key=_ITEMS.key, params=params, is_whole=True)
        return Page(records=self._of_parent(listing, request).records)

    def _levels(self, location: SourceRecord, cursor: str | None, request: FetchRequest) -> Page:
        params = {"location_ids": location.external_id}
        if request.window_start:
            params["updated_at_min"] = window_start(request.window_start)
        listing = RestListing(path=_LEVELS.path, key=_LEVELS.key, params=params, id_path=_LEVELS.id_path)
        page = self._of_parent(listing, request, cursor)
        return Page(
            records=[_level(one, location.external_id) for one in page.records], next_cursor=page.next_cursor
        )

    def _of_parent(self, listing: RestListing, request: FetchRequest, cursor: str | None = None) -> Page:
        """Return children; none of a parent that is gone by now."""
        asked = FetchRequest(cursor=cursor, page_size=request.page_size)
        try:
            return self.fetch(listing, asked)
        except RefusedRequest as error:
            if error.status == 404:
                return Page()
            raise


def _window(request: FetchRequest) -> dict[str, Any]:
    filters = {}
    if request.window_start:
        filters["updated_at_min"] = window_start(request.window_start)
    if request.window_end:
        filters["updated_at_max"] = window_end(request.window_end)
    return filters


def _item_ids(product: SourceRecord) -> Iterator[str]:
    """Yield the items of a product; of one that cannot be read they are had with its next version."""
    with suppress(RecordError):
        variants = walk(exact_json.loads(product.body), ("variants",))
        for variant in variants if isinstance(variants, list) else ():
            item = walk(variant, ("inventory_item_id",))
            if type(item) is int:
                yield str(item)


def _level(record: SourceRecord, asked_of: str) -> SourceRecord:
    if record.problem:
        # Two of one item that cannot be read, at two locations, are two.
        item = record.external_id
        return replace(record, external_id=level_id(item, asked_of)) if item else record
    location = walk(exact_json.loads(record.body), ("location_id",))
    if type(location) is not int:
        return replace(record, external_id="", problem="no location_id, which is part of its key")
    return replace(record, external_id=level_id(record.external_id, str(location)))
