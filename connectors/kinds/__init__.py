"""
The refined kinds as connectors hand them over: plain frozen data, no database.

They are structs and not frozen dataclasses because a page makes a thousand, and those take ten times as long.
A relation is named by the other object's external id; `ingest` finds the row, now or when it arrives.
Money is Decimal with an ISO 4217 currency beside it. A field left None means "the source does not say"; for
children, too: () means that there are none, and takes away those that were.
"""

from connectors.kinds.base import Kind
from connectors.kinds.books import Account, Bill, Invoice, InvoiceLine, Vendor
from connectors.kinds.building import KIND_ALIASES, KINDS, build, kind_named, mappable_fields
from connectors.kinds.content import CatalogItem, ContentItem, GenericRecord
from connectors.kinds.converting import to_boolean, to_datetime, to_decimal, to_integer, to_text
from connectors.kinds.crm import Company, Deal, Employee, Ticket
from connectors.kinds.money import (
    BalanceTransaction,
    Dispute,
    Payment,
    Payout,
    Price,
    Refund,
    Subscription,
)
from connectors.kinds.shop import (
    Customer,
    Fulfillment,
    InventoryItem,
    InventoryLevel,
    Location,
    Order,
    OrderLine,
    Product,
    ProductImage,
    ProductVariant,
)
from connectors.kinds.studio import ClassSession, Membership, Reservation

__all__ = [
    "KINDS",
    "KIND_ALIASES",
    "Account",
    "BalanceTransaction",
    "Bill",
    "CatalogItem",
    "ClassSession",
    "Company",
    "ContentItem",
    "Customer",
    "Deal",
    "Dispute",
    "Employee",
    "Fulfillment",
    "GenericRecord",
    "InventoryItem",
    "InventoryLevel",
    "Invoice",
    "InvoiceLine",
    "Kind",
    "Location",
    "Membership",
    "Order",
    "OrderLine",
    "Payment",
    "Payout",
    "Price",
    "Product",
    "ProductImage",
    "ProductVariant",
    "Refund",
    "Reservation",
    "Subscription",
    "Ticket",
    "Vendor",
    "build",
    "kind_named",
    "mappable_fields",
    "to_boolean",
    "to_datetime",
    "to_decimal",
    "to_integer",
    "to_text",
]
