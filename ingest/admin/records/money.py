"""Pages of money that moves."""

from __future__ import annotations

from django.contrib import admin

from ingest.admin.records import shown
from ingest.admin.records.base import RefinedAdmin, Related, money, target, text
from ingest.models import (
    BalanceTransaction,
    Dispute,
    Invoice,
    Payment,
    Payout,
    Price,
    Refund,
    Subscription,
)


@admin.register(Payment)
class PaymentAdmin(RefinedAdmin):
    columns = (*shown.PAYMENT, money("refunded_amount", "Refunded"), target("customer"), target("order"))
    related = (
        Related(title="Next steps", model=Payment, by="parent", columns=shown.PAYMENT),
        Related(title="Refunds", model=Refund, by="payment", columns=shown.REFUND),
        Related(title="Disputes", model=Dispute, by="payment", columns=shown.DISPUTE),
        Related(
            title="Balance transactions",
            model=BalanceTransaction,
            by="payment",
            columns=shown.BALANCE_TRANSACTION,
        ),
    )


@admin.register(Refund)
class RefundAdmin(RefinedAdmin):
    columns = (*shown.REFUND, target("payment"), target("order"))


@admin.register(Dispute)
class DisputeAdmin(RefinedAdmin):
    columns = (*shown.DISPUTE, text("due_at", "Due"), target("payment"))


@admin.register(Payout)
class PayoutAdmin(RefinedAdmin):
    columns = shown.PAYOUT
    related = (
        Related(
            title="Balance transactions",
            model=BalanceTransaction,
            by="payout",
            columns=shown.BALANCE_TRANSACTION,
        ),
    )


@admin.register(BalanceTransaction)
class BalanceTransactionAdmin(RefinedAdmin):
    columns = (*shown.BALANCE_TRANSACTION, target("payout"), target("payment"))


@admin.register(Price)
class PriceAdmin(RefinedAdmin):
    columns = (*shown.PRICE, text("is_active", "Active"), target("product"))
    related = (Related(title="Subscriptions", model=Subscription, by="price", columns=shown.SUBSCRIPTION),)


@admin.register(Subscription)
class SubscriptionAdmin(RefinedAdmin):
    columns = (*shown.SUBSCRIPTION, target("customer"), target("price"))
    related = (Related(title="Invoices", model=Invoice, by="subscription", columns=shown.INVOICE),)
