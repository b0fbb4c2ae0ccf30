"""Stripe's lists: where each is, what its records mean, and which events tell of changes to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connectors.base import Deletes, Json, Stream
from connectors.kinds import Kind
from connectors.providers.stripe import billing, refining

#: The most that Stripe gives.
PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One list of Stripe's."""

    name: str
    kind: str
    refine: Callable[[Json], Kind]
    #: What a restricted key needs, as Stripe's refusals name it.
    permission: str
    #: At most 20, as one question may name no more. None of them: the list itself is asked for what is new.
    events: tuple[str, ...] = ()
    #: The event that means that the object is gone; a deleted subscription has only ended.
    deleted_by: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    def stream(self) -> Stream:
        return Stream(
            name=self.name,
            kind=self.kind,
            refine=self.refine,
            page_size=PAGE_SIZE,
            is_incremental=not self.events,
            cursor_field="" if self.events else "created",
            deletes=Deletes.FULL_PASS if self.deleted_by else Deletes.NONE,
            scopes=(self.permission, *(("rak_event_read",) if self.events else ())),
        )


def _events(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names)


CUSTOMERS = Resource(
    name="customers",
    kind="customer",
    refine=refining.refine_customer,
    permission="rak_customer_read",
    events=_events("customer", "created", "updated", "deleted"),
    deleted_by="customer.deleted",
)
PRODUCTS = Resource(
    name="products",
    kind="product",
    refine=refining.refine_product,
    permission="rak_product_read",
    events=_events("product", "created", "updated", "deleted"),
    deleted_by="product.deleted",
)
PRICES = Resource(
    name="prices",
    kind="price",
    refine=refining.refine_price,
    permission="rak_plan_read",
    events=_events("price", "created", "updated", "deleted"),
    deleted_by="price.deleted",
)
PAYMENT_INTENTS = Resource(
    name="payment_intents",
    kind="payment",
    refine=refining.refine_payment_intent,
    permission="rak_payment_intent_read",
    events=_events(
        "payment_intent",
        "created",
        "succeeded",
        "payment_failed",
        "canceled",
        "processing",
        "requires_action",
        "partially_funded",
        "amount_capturable_updated",
    ),
)
CHARGES = Resource(
    name="charges",
    kind="payment",
    refine=refining.refine_charge,
    permission="rak_charge_read",
    events=_events("charge", "succeeded", "failed", "pending", "captured", "expired", "refunded", "updated"),
)
REFUNDS = Resource(
    name="refunds",
    kind="refund",
    refine=refining.refine_refund,
    permission="rak_charge_read",
    events=("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"),
)
DISPUTES = Resource(
    name="disputes",
    kind="dispute",
    refine=refining.refine_dispute,
    permission="rak_dispute_read",
    events=_events("charge.dispute", "created", "updated", "closed", "funds_withdrawn", "funds_reinstated"),
)
INVOICES = Resource(
    name="invoices",
    kind="invoice",
    refine=billing.refine_invoice,
    permission="rak_invoice_read",
    # Not invoice.upcoming: what it shows has no id.
    events=_events(
        "invoice",
        "created",
        "updated",
        "deleted",
        "finalized",
        "finalization_failed",
        "sent",
        "paid",
        "payment_succeeded",
        "payment_failed",
        "payment_action_required",
        "overdue",
        "overpaid",
        "voided",
        "marked_uncollectible",
    ),
    deleted_by="invoice.deleted",
)
SUBSCRIPTIONS = Resource(
    name="subscriptions",
    kind="subscription",
    refine=billing.refine_subscription,
    permission="rak_subscription_read",
    events=_events(
        "customer.subscription",
        "created",
        "updated",
        "deleted",
        "paused",
        "resumed",
        "pending_update_applied",
        "pending_update_expired",
        "trial_will_end",
    ),
    # Else those that have ended are left out.
    params={"status": "all"},
)
PAYOUTS = Resource(
    name="payouts",
    kind="payout",
    refine=refining.refine_payout,
    permission="rak_payout_read",
    events=_events("payout", "created", "updated", "paid", "failed", "canceled", "reconciliation_completed"),
)
BALANCE_TRANSACTIONS = Resource(
    name="balance_transactions",
    kind="balance_transaction",
    refine=refining.refine_balance_transaction,
    permission="rak_balance_transaction_source_read",
)

RESOURCES = (
    CUSTOMERS,
    PRODUCTS,
    PRICES,
    SUBSCRIPTIONS,
    INVOICES,
    PAYMENT_INTENTS,
    CHARGES,
    REFUNDS,
    DISPUTES,
    PAYOUTS,
    BALANCE_TRANSACTIONS,
)

#: Lines of invoices that have more than come with them; the others' come with their invoice.
INVOICE_LINES = Stream(
    name="invoice_lines",
    kind="invoice_line",
    refine=billing.refine_invoice_line,
    page_size=PAGE_SIZE,
    scopes=(INVOICES.permission, "rak_event_read"),
)
