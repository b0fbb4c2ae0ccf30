"""
Shopify: customers, products with variants, orders with lines, by the REST Admin API.

Quirks, as of 2026-11-22:
- `status` defaults to open: without `status=any` closed and cancelled orders are missing; orders older than
  60 days need the scope read_all_orders (shopify.dev/docs/api/admin-rest/2026-10/resources/order).
- A follow-up takes page_info and limit only; the filters are baked into page_info, which does not last
  (shopify.dev/docs/api/admin-rest/usage/pagination).
- The order of a listing by updated_at_min is not documented, and rows at the edge of a window were
  reported missing: windows must overlap (community.shopify.com, thread 94934).
- Retry-After is a float, "2.0" (shopify.dev/docs/api/admin-rest/usage/rate-limits).
- Products carry no currency: their prices are in the shop's (Shopify/shopify_python_api, test/fixtures).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from msgspec.structs import replace
from pydantic import SecretStr, field_validator

from connectors.auth.schemes import ApiKey, Authorizer
from connectors.base import Access, AuthMode, Config, Connector, FetchRequest, Json, Page, Stream
from connectors.errors import CursorExpired
from connectors.fields import Fields
from connectors.http import Answer, HttpSession, RefusedRequest
from connectors.kinds import Customer, Order, OrderLine, Product, ProductVariant
from connectors.pages import split_records
from connectors.paging import LinkPaging, PageSeen
from connectors.windows import window_end, window_start

MAX_PAGE_SIZE = 250


_SHOP = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}|unstable")


class ShopifyConfig(Config):
    shop: str
    """The shop's own domain, `<name>.myshopify.com`."""
    api_version: str = "2026-10"
    """Quarterly version of the Admin API."""
    base_url: str | None = None
    """Instead of `https://<shop>`; for a stand-in such as the sandbox."""

    @field_validator("shop")
    @classmethod
    def _is_a_shop(cls, shop: str) -> str:
        if not _SHOP.fullmatch(shop):
            raise ValueError("give the shop's own domain, such as my-shop.myshopify.com")
        return shop

    @field_validator("api_version")
    @classmethod
    def _is_a_version(cls, version: str) -> str:
        if not _VERSION.fullmatch(version):
            raise ValueError("give a version such as 2026-10")
        return version


class AccessToken(AuthMode):
    """A token that does not end, made with a custom app in the shop's admin."""

    mode = "access_token"
    title = "Access token of a custom app"

    access_token: SecretStr
    """Admin API access token, `shpat_...`."""

    def doubt(self) -> str:
        if self.access_token.get_secret_value().startswith("shpss_"):
            return "Wrong kind of key: shpss_ is the app's client secret, access tokens begin with shpat_."
        return ""


def refine_customer(payload: Json) -> Customer:
    raw = Fields(payload)
    names = [raw.text("first_name"), raw.text("last_name")]
    return Customer(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        email=raw.text("email"),
        name=" ".join(name for name in names if name) or None,
        phone=raw.text("phone"),
        country=raw.inside("default_address").text("country_code"),
    )


def refine_product(payload: Json) -> Product:
    raw = Fields(payload)
    external_id = raw.identity()
    return Product(
        external_id=external_id,
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        title=raw.text("title"),
        vendor=raw.text("vendor"),
        product_type=raw.text("product_type"),
        handle=raw.text("handle"),
        status=raw.text("status"),
        variants=tuple(_variant(variant, external_id) for variant in raw.each("variants")),
    )


def _variant(raw: Fields, product_external_id: str) -> ProductVariant:
    return ProductVariant(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        product_external_id=product_external_id,
        title=raw.text("title"),
        sku=raw.text("sku"),
        barcode=raw.text("barcode"),
        price=raw.decimal("price"),
        inventory_quantity=raw.integer("inventory_quantity"),
    )


def refine_order(payload: Json) -> Order:
    raw = Fields(payload)
    order = Order(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        number=raw.text("name"),
        customer_external_id=raw.inside("customer").reference("id"),
        email=raw.text("email"),
        status=raw.text("financial_status"),
        fulfillment_status=raw.text("fulfillment_status"),
        currency=raw.text("currency"),
        total_amount=raw.decimal("total_price"),
        subtotal_amount=raw.decimal("subtotal_price"),
        tax_amount=raw.decimal("total_tax"),
        discount_amount=raw.decimal("total_discounts"),
        cancelled_at=raw.moment("cancelled_at"),
    )
    return replace(order, lines=tuple(_line(line, order) for line in raw.each("line_items")))


def _line(raw: Fields, order: Order) -> OrderLine:
    return OrderLine(
        external_id=raw.identity(),
        occurred_at=order.occurred_at,
        updated_at=order.updated_at,
        order_external_id=order.external_id,
        product_external_id=raw.reference("product_id"),
        variant_external_id=raw.reference("variant_id"),
        title=raw.text("title"),
        sku=raw.text("sku"),
        quantity=raw.decimal("quantity"),
        unit_price=raw.decimal("price"),
        currency=order.currency,
    )


STREAMS = tuple(
    Stream(
        name=name,
        kind=kind,
        refine=refine,
        page_size=MAX_PAGE_SIZE,
        is_incremental=True,
        cursor_field="updated_at",
        scopes=(f"read_{name}",),
    )
    for name, kind, refine in (
        ("customers", "customer", refine_customer),
        ("products", "product", refine_product),
        ("orders", "order", refine_order),
    )
)


class Shopify(Connector):
    name = "shopify"
    title = "Shopify"
    config_model = ShopifyConfig
    example = {"shop": "my-shop.myshopify.com"}
    auth_modes = (AccessToken,)

    def __init__(self, *, config: ShopifyConfig, credentials: AccessToken, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        token = credentials.access_token.get_secret_value()
        self._auth = ApiKey(name="X-Shopify-Access-Token", value=token)
        base = (config.base_url or f"https://{config.shop}").rstrip("/")
        self._api = f"{base}/admin/api/{config.api_version}"
        self._paging = LinkPaging(base_url=self._api, limit_param="limit")
        self._http = HttpSession(connector=self.name, access=access, auth=self._auth)

    def streams(self) -> tuple[Stream, ...]:
        return STREAMS

    def authorizers(self) -> Collection[Authorizer]:
        return (self._auth,)

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        answer = self._ask(stream, request)
        listed = split_records(
            answer.body,
            path=stream.name,
            id_path="id",
            updated_path="updated_at",
            connector=self.name,
            content_type=answer.headers.get("Content-Type", ""),
        )
        seen = PageSeen(
            cursor=request.cursor, count=len(listed.records), url=answer.url, headers=answer.headers
        )
        return Page(records=listed.records, next_cursor=self._paging.next_cursor(seen))

    def close(self) -> None:
        self._http.close()

    def _ask(self, stream: Stream, request: FetchRequest) -> Answer:
        call = self._paging.call(request.cursor, min(request.page_size, MAX_PAGE_SIZE))
        if call.url is None:
            filters = {**call.params, **_filters(stream, request)}
            return self._http.request("GET", f"{self._api}/{stream.name}.json", params=filters)
        try:
            return self._http.request("GET", call.url)
        except RefusedRequest as error:
            if error.status in {400, 410} and b"page_info" in error.body:
                raise CursorExpired(str(error)) from None
            raise


def _filters(stream: Stream, request: FetchRequest) -> dict[str, Any]:
    filters = {"status": "any"} if stream.name == "orders" else {}
    if request.window_start:
        filters["updated_at_min"] = window_start(request.window_start)
    if request.window_end:
        filters["updated_at_max"] = window_end(request.window_end)
    return filters
