"""
What is asked for by GraphQL, page by page and as a bulk operation: the same fields in both.

Quirks, as of 2026-11-22:
- A page holds 250 objects at most, and 25,000 can be paged through (shopify.dev/api/usage/limits).
- A bulk query has at most five connections, two of them nested, and none within a list
  (shopify.dev/api/usage/bulk-operations/queries); so refunds come without their lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MONEY = "{ amount currencyCode }"
SHOP_MONEY = "{ shopMoney { amount currencyCode } }"
BOTH_MONIES = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
PAGE_INFO = "pageInfo { hasNextPage endCursor }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A list of children that is paged in turn."""

    fields: str
    #: What kinds of objects its lines in a bulk file are.
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list of objects."""

    #: Where it stands; dotted where it stands within something.
    path: str
    type: str
    fields: str
    nested: Mapping[str, Nested] = field(default_factory=dict)
    #: More for the list, such as its order.
    arguments: str = ""
    #: It can be narrowed to what changed since a time, and comes in that order where `is_sorted`.
    has_window: bool = False
    is_sorted: bool = False

    def page_query(self, nested_size: int) -> str:
        """Return the query for a page."""
        inner = " ".join(_page_of(name, one, nested_size) for name, one in self.nested.items())
        arguments = ["first: $first", "after: $after"]
        arguments += ["query: $query"] * self.has_window + [self.arguments] * bool(self.arguments)
        *outer, name = self.path.split(".")
        text = f"{name}({', '.join(arguments)}) {{ nodes {{ {self.fields} {inner} }} {PAGE_INFO} }}"
        for step in reversed(outer):
            text = f"{step} {{ {text} }}"
        known = "$first: Int!, $after: String" + ", $query: String" * self.has_window
        return f"query ({known}) {{ {text} }}"

    def rest_query(self, name: str) -> str:
        """Return the query for more of an object's children."""
        one = self.nested[name]
        inner = f"{name}(first: $first, after: $after) {{ nodes {{ {one.fields} }} {PAGE_INFO} }}"
        return (
            "query ($id: ID!, $first: Int!, $after: String) "
            f"{{ node(id: $id) {{ ... on {self.type} {{ {inner} }} }} }}"
        )

    def bulk_query(self, condition: str) -> str:
        """Return the query of a bulk operation."""
        inner = " ".join(
            f"{name} {{ edges {{ node {{ {one.fields} }} }} }}" for name, one in self.nested.items()
        )
        asked = f'(query: "{condition}")' if condition else ""
        return f"{{ {self.path}{asked} {{ edges {{ node {{ {self.fields} {inner} }} }} }} }}"


def _page_of(name: str, one: Nested, size: int) -> str:
    return f"{name}(first: {size}) {{ nodes {{ {one.fields} }} {PAGE_INFO} }}"


_UPDATED = "sortKey: UPDATED_AT"

CUSTOMERS = Listing(
    path="customers",
    type="Customer",
    fields="id firstName lastName defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber } "
    f"state note tags numberOfOrders amountSpent {MONEY} "
    "defaultAddress { company city countryCodeV2 } createdAt updatedAt",
    arguments=_UPDATED,
    has_window=True,
    is_sorted=True,
)
PRODUCTS = Listing(
    path="products",
    type="Product",
    fields="id title handle vendor productType status tags createdAt updatedAt publishedAt",
    nested={
        "variants": Nested(
            fields="id title sku barcode price position inventoryQuantity createdAt updatedAt "
            "inventoryItem { id }",
            types=("ProductVariant",),
        ),
        "media": Nested(
            fields="... on MediaImage { id alt createdAt updatedAt image { url width height } }",
            types=("MediaImage",),
        ),
    },
    arguments=_UPDATED,
    has_window=True,
    is_sorted=True,
)
ORDERS = Listing(
    path="orders",
    type="Order",
    fields="id name email note tags test createdAt updatedAt processedAt closedAt cancelledAt currencyCode "
    "displayFinancialStatus displayFulfillmentStatus customer { id } "
    f"totalPriceSet {BOTH_MONIES} subtotalPriceSet {SHOP_MONEY} totalTaxSet {SHOP_MONEY} "
    f"totalDiscountsSet {SHOP_MONEY} "
    "transactions { id kind status gateway authorizationCode createdAt processedAt "
    f"amountSet {SHOP_MONEY} parentTransaction {{ id }} }} "
    f"refunds {{ id note createdAt updatedAt totalRefundedSet {SHOP_MONEY} }} "
    "fulfillments { id status createdAt updatedAt location { id } trackingInfo { company number url } }",
    nested={
        "lineItems": Nested(
            fields="id title sku quantity product { id } variant { id } "
            f"originalUnitPriceSet {SHOP_MONEY} discountedTotalSet {SHOP_MONEY}",
            types=("LineItem",),
        )
    },
    arguments=_UPDATED,
    has_window=True,
    is_sorted=True,
)
INVENTORY_ITEMS = Listing(
    path="inventoryItems",
    type="InventoryItem",
    fields=f"id sku tracked countryCodeOfOrigin unitCost {MONEY} createdAt updatedAt",
    has_window=True,
)
LOCATIONS = Listing(
    path="locations",
    type="Location",
    fields="id name isActive address { address1 address2 city province provinceCode zip countryCode phone } "
    "createdAt updatedAt",
    arguments="includeInactive: true, includeLegacy: true",
)
INVENTORY_LEVELS = Nested(
    fields="id updatedAt item { id } location { id } "
    'quantities(names: ["available", "on_hand", "committed", "incoming"]) { name quantity }',
    types=("InventoryLevel",),
)
PAYOUTS = Listing(
    path="shopifyPaymentsAccount.payouts",
    type="ShopifyPaymentsPayout",
    fields=f"id issuedAt status transactionType net {MONEY}",
)
BALANCE_TRANSACTIONS = Listing(
    path="shopifyPaymentsAccount.balanceTransactions",
    type="ShopifyPaymentsBalanceTransaction",
    fields=f"id type test transactionDate amount {MONEY} fee {MONEY} net {MONEY} "
    "sourceId sourceType sourceOrderTransactionId associatedPayout { id status } associatedOrder { id }",
)
DISPUTES = Listing(
    path="shopifyPaymentsAccount.disputes",
    type="ShopifyPaymentsDispute",
    fields=f"id type status initiatedAt evidenceDueBy amount {MONEY} reasonDetails {{ reason }} "
    "order { id }",
)
#: More of the levels at one location.
LEVELS_QUERY = (
    "query ($id: ID!, $first: Int!, $after: String, $query: String) { node(id: $id) { ... on Location { "
    "inventoryLevels(first: $first, after: $after, query: $query, includeInactive: true) "
    f"{{ nodes {{ {INVENTORY_LEVELS.fields} }} {PAGE_INFO} }} }} }} }}"
)
BULK_START = (
    "mutation ($query: String!, $groupObjects: Boolean!) { "
    "bulkOperationRunQuery(query: $query, groupObjects: $groupObjects) { "
    "bulkOperation { id status } userErrors { field message } } }"
)
BULK_STATE = (
    "query ($id: ID!) { node(id: $id) { ... on BulkOperation { "
    "id status errorCode objectCount rootObjectCount fileSize url partialDataUrl completedAt } } }"
)
