"""Tables of bookkeeping: what is owed to us, what we owe, and the accounts it goes through."""

from __future__ import annotations

from django.db import models

from ingest.models.refined.base import CURRENCY, EMAIL, ID, LINK, MONEY, PARENT, TEXT, RefinedRecord, links
from ingest.models.refined.money import FINE_MONEY, Price, Subscription
from ingest.models.refined.shop import Customer, Product


class Invoice(RefinedRecord):
    number = models.TextField(**TEXT)
    status = models.TextField(**TEXT)
    customer = models.ForeignKey(Customer, related_name="invoices", **LINK)
    customer_external_id = models.CharField(**ID)
    subscription = models.ForeignKey(Subscription, related_name="invoices", **LINK)
    subscription_external_id = models.CharField(**ID)
    email = models.CharField(**EMAIL)
    currency = models.CharField(**CURRENCY)
    total_amount = models.DecimalField(**MONEY)
    subtotal_amount = models.DecimalField(**MONEY)
    tax_amount = models.DecimalField(**MONEY)
    paid_amount = models.DecimalField(**MONEY)
    due_amount = models.DecimalField(**MONEY)
    due_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [
            *RefinedRecord.Meta.indexes,
            models.Index(fields=["email"], name="invoice_email"),
            *links("invoice", "customer", "subscription"),
        ]


class InvoiceLine(RefinedRecord):
    invoice = models.ForeignKey(Invoice, related_name="lines", **PARENT)
    invoice_external_id = models.CharField(**ID)
    product = models.ForeignKey(Product, related_name="invoice_lines", **LINK)
    product_external_id = models.CharField(**ID)
    price = models.ForeignKey(Price, related_name="invoice_lines", **LINK)
    price_external_id = models.CharField(**ID)
    title = models.TextField(**TEXT)
    quantity = models.DecimalField(**MONEY)
    unit_price = models.DecimalField(**FINE_MONEY)
    total_amount = models.DecimalField(**MONEY)
    currency = models.CharField(**CURRENCY)
    period_starts_at = models.DateTimeField(null=True)
    period_ends_at = models.DateTimeField(null=True)

    class Meta(RefinedRecord.Meta):
        verbose_name = "invoice line"
        indexes = [*RefinedRecord.Meta.indexes, *links("invoiceline", "invoice", "product", "price")]


class Vendor(RefinedRecord):
    name = models.TextField(**TEXT)
    company_name = models.TextField(**TEXT)
    email = models.CharField(**EMAIL)
    phone = models.TextField(**TEXT)
    country = models.TextField(**TEXT)
    currency = models.CharField(**CURRENCY)
    balance_amount = models.DecimalField(**MONEY)
    is_active = models.BooleanField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, models.Index(fields=["email"], name="vendor_email")]


class Account(RefinedRecord):
    name = models.TextField(**TEXT)
    number = models.TextField(**TEXT)
    classification = models.TextField(**TEXT)
    type = models.TextField(**TEXT)
    subtype = models.TextField(**TEXT)
    parent = models.ForeignKey("self", related_name="subaccounts", **LINK)
    parent_external_id = models.CharField(**ID)
    currency = models.CharField(**CURRENCY)
    balance_amount = models.DecimalField(**MONEY)
    is_active = models.BooleanField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("account", "parent")]


class Bill(RefinedRecord):
    number = models.TextField(**TEXT)
    status = models.TextField(**TEXT)
    vendor = models.ForeignKey(Vendor, related_name="bills", **LINK)
    vendor_external_id = models.CharField(**ID)
    account = models.ForeignKey(Account, related_name="bills", **LINK)
    account_external_id = models.CharField(**ID)
    currency = models.CharField(**CURRENCY)
    total_amount = models.DecimalField(**MONEY)
    due_amount = models.DecimalField(**MONEY)
    due_at = models.DateTimeField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("bill", "vendor", "account")]
