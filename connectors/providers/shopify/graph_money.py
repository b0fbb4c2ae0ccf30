"""
What Shopify Payments tells by the GraphQL Admin API: payouts, what is in them, and disputes.

Names of fields are unconfirmed, as of 2026-11-22. None of these says when it last changed.
"""

from __future__ import annotations

from connectors.base import Json
from connectors.fields import Fields
from connectors.kinds import BalanceTransaction, Dispute, Payout
from connectors.providers.shopify.gids import number_of
from connectors.providers.shopify.graph_fields import id_in, number, word


def refine_payout(payload: Json) -> Payout:
    raw = Fields(payload)
    net = raw.inside("net")
    return Payout(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("issuedAt"),
        status=word(raw, "status"),
        currency=net.text("currencyCode"),
        amount=net.decimal("amount"),
    )


def refine_balance_transaction(payload: Json) -> BalanceTransaction:
    raw = Fields(payload)
    amount, payout = raw.inside("amount"), raw.inside("associatedPayout")
    return BalanceTransaction(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("transactionDate"),
        type=word(raw, "type"),
        status=word(payout, "status"),
        reference=raw.reference("sourceId"),
        currency=amount.text("currencyCode"),
        amount=amount.decimal("amount"),
        fee_amount=raw.inside("fee").decimal("amount"),
        net_amount=raw.inside("net").decimal("amount"),
        payout_external_id=number(payout.reference("id")),
        payment_external_id=raw.reference("sourceOrderTransactionId"),
    )


def refine_dispute(payload: Json) -> Dispute:
    raw = Fields(payload)
    amount = raw.inside("amount")
    return Dispute(
        external_id=number_of(raw.identity()),
        occurred_at=raw.moment("initiatedAt"),
        status=word(raw, "status"),
        reason=word(raw.inside("reasonDetails"), "reason"),
        currency=amount.text("currencyCode"),
        amount=amount.decimal("amount"),
        order_external_id=id_in(raw, "order"),
        due_at=raw.moment("evidenceDueBy"),
    )
