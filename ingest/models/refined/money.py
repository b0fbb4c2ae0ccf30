"""Tables of money that moves: paid, paid back, paid out, disputed, charged again each month."""

from __future__ import annotations

from typing import Any

from django.db import models

from ingest.models.refined.base import CURRENCY, ID, LINK, MONEY, TEXT, RefinedRecord, links
from ingest.models.refined.shop import Customer, Order, Product

#: Prices of metered things have more digits than money that changes hands.
FINE_MONEY: dict[str, Any] = {"max_digits": 26, "decimal_places": 12, "null": True}


class Price(RefinedRecord):
    product = models.ForeignKey(Product, related_name="prices", **LINK)
    product_external_id = models.CharField(**ID)
    title = models.TextField(**TEXT)
    type = models.TextField(**TEXT)
    currency = models.CharField(**CURRENCY)
    amount = models.DecimalField(**FINE_MONEY)
    interval = models.TextField(**TEXT)
    interval_count = models.BigIntegerField(null=True)
    is_active = models.BooleanField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("price", "product")]


class Subscription(RefinedRecord):
    status = models.TextField(**TEXT)
    customer = models.ForeignKey(Customer, related_name="subscriptions", **LINK)
    customer_external_id = models.CharField(**ID)
    price = models.ForeignKey(Price, related_name="subscriptions", **LINK)
    price_external_id = models.CharField(**ID)
    quantity = models.DecimalField(**MONEY)
    currency = models.CharField(**CURRENCY)
    amount = models.DecimalField(**FINE_MONEY)
    interval = models.TextField(**TEXT)
    interval_count = models.BigIntegerField(null=True)
    period_starts_at = models.DateTimeField(null=True)
    period_ends_at = models.DateTimeField(null=True)
    trial_ends_at = models.DateTimeField(null=True)
    is_ending = models.BooleanField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("subscription", "customer", "price")]


class Payment(RefinedRecord):
    type = models.TextField(**TEXT)
    status = models.TextField(**TEXT)
    method = models.TextField(**TEXT)
    reference = models.TextField(**TEXT)
    currency = models.CharField(**CURRENCY)
    amount = models.DecimalField(**MONEY)
    refunded_amount = models.DecimalField(**MONEY)
    customer = models.ForeignKey(Customer, related_name="payments", **LINK)
    customer_external_id = models.CharField(**ID)
    order = models.ForeignKey(Order, related_name="payments", **LINK)
    order_external_id = models.CharField(**ID)
    invoice = models.ForeignKey("ingest.Invoice", related_name="payments", **LINK)
    invoice_external_id = models.CharField(**ID)
    parent = models.ForeignKey("self", related_name="next_steps", **LINK)
    parent_external_id = models.CharField(**ID)

    class Meta(RefinedRecord.Meta):
        indexes = [
            *RefinedRecord.Meta.indexes,
            *links("payment", "customer", "order", "invoice", "parent"),
        ]


class Refund(RefinedRecord):
    status = models.TextField(**TEXT)
    reason = models.TextField(**TEXT)
    currency = models.CharField(**CURRENCY)
    amount = models.DecimalField(**MONEY)
    payment = models.ForeignKey(Payment, related_name="refunds", **LINK)
    payment_external_id = models.CharField(**ID)
    order = models.ForeignKey(Order, related_name="refunds", **LINK)
    order_external_id = models.CharField(**ID)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("refund", "payment", "order")]


class Dispute(RefinedRecord):
    status = models.TextField(**TEXT)
    reason = models.TextField(**TEXT)
    currency = models.CharField(**CURRENCY)
    amount = models.DecimalField(**MONEY)
    payment = models.ForeignKey(Payment, related_name="disputes", **LINK)
    payment_external_id = models.CharField(**ID)
    order = models.ForeignKey(Order, related_name="disputes", **LINK)
    order_external_id = models.CharField(**ID)
    due_at = models.DateTimeField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("dispute", "payment", "order")]


class Payout(RefinedRecord):
    status = models.TextField(**TEXT)
    method = models.TextField(**TEXT)
    currency = models.CharField(**CURRENCY)
    amount = models.DecimalField(**MONEY)
    arrives_at = models.DateTimeField(null=True)


class BalanceTransaction(RefinedRecord):
    type = models.TextField(**TEXT)
    status = models.TextField(**TEXT)
    reference = models.TextField(**TEXT)
    currency = models.CharField(**CURRENCY)
    amount = models.DecimalField(**MONEY)
    fee_amount = models.DecimalField(**MONEY)
    net_amount = models.DecimalField(**MONEY)
    available_at = models.DateTimeField(null=True)
    payout = models.ForeignKey(Payout, related_name="balance_transactions", **LINK)
    payout_external_id = models.CharField(**ID)
    payment = models.ForeignKey(Payment, related_name="balance_transactions", **LINK)
    payment_external_id = models.CharField(**ID)
    refund = models.ForeignKey(Refund, related_name="balance_transactions", **LINK)
    refund_external_id = models.CharField(**ID)

    class Meta(RefinedRecord.Meta):
        verbose_name = "balance transaction"
        indexes = [*RefinedRecord.Meta.indexes, *links("balance", "payout", "payment", "refund")]
