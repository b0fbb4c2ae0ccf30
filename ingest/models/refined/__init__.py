"""What we understood: one typed table per kind, keyed by source and the provider's id."""

from __future__ import annotations

from ingest.models.refined.base import RefinedRecord
from ingest.models.refined.books import Account, Bill, Invoice, InvoiceLine, Vendor
from ingest.models.refined.content import CatalogItem, ContentItem, GenericRecord
from ingest.models.refined.crm import Company, Deal, Employee, Ticket
from ingest.models.refined.money import (
    BalanceTransaction,
    Dispute,
    Payment,
    Payout,
    Price,
    Refund,
    Subscription,
)
from ingest.models.refined.shop import (
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
from ingest.models.refined.studio import ClassSession, Membership, Reservation

__all__ = [
    "REFINED_MODELS",
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
    "RefinedRecord",
    "Refund",
    "Reservation",
    "Subscription",
    "Ticket",
    "Vendor",
]

#: The table of each kind, by the kind's name.
REFINED_MODELS: dict[str, type[RefinedRecord]] = {
    "customer": Customer,
    "employee": Employee,
    "company": Company,
    "location": Location,
    "product": Product,
    "product_variant": ProductVariant,
    "product_image": ProductImage,
    "price": Price,
    "inventory_item": InventoryItem,
    "inventory_level": InventoryLevel,
    "order": Order,
    "order_line": OrderLine,
    "fulfillment": Fulfillment,
    "payment": Payment,
    "refund": Refund,
    "dispute": Dispute,
    "payout": Payout,
    "balance_transaction": BalanceTransaction,
    "subscription": Subscription,
    "invoice": Invoice,
    "invoice_line": InvoiceLine,
    "vendor": Vendor,
    "bill": Bill,
    "account": Account,
    "deal": Deal,
    "ticket": Ticket,
    "class_session": ClassSession,
    "membership": Membership,
    "reservation": Reservation,
    "content_item": ContentItem,
    "catalog_item": CatalogItem,
    "record": GenericRecord,
}
