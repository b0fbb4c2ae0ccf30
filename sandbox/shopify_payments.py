"""
What a shop is paid: payouts, the balance transactions in them, and disputes.

The net amounts of a payout's transactions come to its amount. None of these says when it last changed.
"""

from __future__ import annotations

from functools import partial

from sandbox.data import Dice, Facts, Recipe, Record, shop_text
from sandbox.defects import json_defects, json_drifts
from sandbox.options import Options
from sandbox.shopify_ids import STRIDE, order_id, transaction_id

PAYOUT_IDS = 1_100_000_000_000
BALANCE_IDS = 1_200_000_000_000
DISPUTE_IDS = 1_300_000_000_000
#: Charges and refunds in a payout; one more row is the payout itself.
IN_PAYOUT = 7
CURRENCY = "USD"
_PAYOUTS, _DISPUTES = 120, 30
_STATUSES = ("paid", "paid", "paid", "in_transit", "scheduled")
_DISPUTE_STATUSES = ("needs_response", "under_review", "won", "lost")


def payout_id(index: int) -> int:
    return PAYOUT_IDS + index * STRIDE


def balance_id(index: int) -> int:
    return BALANCE_IDS + index * STRIDE


def dispute_id(index: int) -> int:
    return DISPUTE_IDS + index * STRIDE


def recipes(options: Options) -> list[tuple[Recipe, int]]:
    payouts = Recipe(
        name="shopify.payouts",
        make=partial(make_payout, seed=options.seed),
        external_id=lambda index: str(payout_id(index)),
        defects=json_defects(text=("status",), typed=("amount",), is_money=True),
        drifts=json_drifts(retyped=("amount",), vanishing="currency"),
    )
    transactions = Recipe(
        name="shopify.balance_transactions",
        make=partial(make_balance_transaction, options=options),
        external_id=lambda index: str(balance_id(index)),
        defects=json_defects(text=("type",), typed=("amount",), is_money=True),
        drifts=json_drifts(retyped=("fee",), vanishing="source_type"),
    )
    disputes = Recipe(
        name="shopify.disputes",
        make=partial(make_dispute, options=options),
        external_id=lambda index: str(dispute_id(index)),
        defects=json_defects(text=("reason",), typed=("amount",), is_money=True),
        drifts=json_drifts(retyped=("amount",), vanishing="network_reason_code"),
    )
    count = max(round(_PAYOUTS * options.scale), 12)
    return [
        (payouts, count),
        (transactions, count * (IN_PAYOUT + 1)),
        (disputes, max(round(_DISPUTES * options.scale), 5)),
    ]


def amounts(seed: int, payout: int, place: int) -> tuple[int, int]:
    """Return the amount and the fee of one row of a payout, in cents."""
    gross = 1_000 + Dice(seed, "balance", payout, place).below(50_000)
    if place == IN_PAYOUT - 1:
        return -(gross // 4), 0
    return gross, gross * 29 // 1_000 + 30


def payout_cents(seed: int, payout: int) -> int:
    rows = [amounts(seed, payout, place) for place in range(IN_PAYOUT)]
    return sum(gross - fee for gross, fee in rows)


def make_payout(facts: Facts, *, seed: int) -> Record:
    return {
        "id": payout_id(facts.index),
        "status": _status(facts.index, facts.version),
        "date": shop_text(facts.created)[:10],
        "currency": CURRENCY,
        "amount": signed(payout_cents(seed, facts.index)),
        "summary": {"charges_fee_amount": "0.00", "refunds_fee_amount": "0.00"},
    }


def make_balance_transaction(facts: Facts, *, options: Options) -> Record:
    payout, place = divmod(facts.index, IN_PAYOUT + 1)
    is_payout = place == IN_PAYOUT
    if is_payout:
        gross, fee, kind = -payout_cents(options.seed, payout), 0, "payout"
    else:
        gross, fee = amounts(options.seed, payout, place)
        kind = "refund" if gross < 0 else "charge"
    order = facts.dice.below(max(options.orders, 1))
    return {
        "id": balance_id(facts.index),
        "type": kind,
        "test": False,
        "payout_id": payout_id(payout),
        "payout_status": _status(payout, facts.version),
        "currency": CURRENCY,
        "amount": signed(gross),
        "fee": signed(fee),
        "net": signed(gross - fee),
        "source_id": payout_id(payout) if is_payout else balance_id(facts.index) + 1,
        "source_type": kind,
        "source_order_id": None if is_payout else order_id(order),
        "source_order_transaction_id": None if is_payout else transaction_id(order, "sale"),
        "processed_at": shop_text(facts.created),
    }


def make_dispute(facts: Facts, *, options: Options) -> Record:
    dice = facts.dice
    return {
        "id": dispute_id(facts.index),
        "order_id": order_id(dice.below(max(options.orders, 1))) if dice.below(6) else None,
        "type": dice.choice(("chargeback", "inquiry")),
        "amount": signed(500 + dice.below(20_000)),
        "currency": CURRENCY,
        "reason": dice.choice(("fraudulent", "product_not_received", "credit_not_processed")),
        "network_reason_code": "4827",
        "status": _DISPUTE_STATUSES[(dice.below(4) + facts.version) % 4],
        "evidence_due_by": shop_text(facts.created + 12 * 86_400),
        "evidence_sent_on": None,
        "finalized_on": None,
        "initiated_at": shop_text(facts.created),
    }


def signed(cents: int) -> str:
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"


def _status(payout: int, version: int) -> str:
    return _STATUSES[(payout + version) % len(_STATUSES)]
