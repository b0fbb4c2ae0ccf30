"""Stripe's money that moves: payment intents, charges, refunds, disputes, payouts, balance transactions."""

from __future__ import annotations

from sandbox import vocabulary as words
from sandbox.data import Facts, Record
from sandbox.stripe_records import DAY, Made, Shop, object_id, sale

#: As callers are given it.
CLIENT_SECRET = "pi_000000000001_secret_sandbox"  # noqa: S105 - not a secret: this world is pretended
#: As the ledger has it: nobody should keep more.
NOT_KEPT = "[secret]"


def make_payment_intent(facts: Facts, *, shop: Shop) -> Record:
    sold = sale(shop, facts.index)
    return {
        "id": object_id("payment_intents", facts.index),
        "object": "payment_intent",
        "amount": sold.amount,
        "amount_received": sold.amount,
        "client_secret": NOT_KEPT,
        "created": facts.created,
        "currency": sold.currency,
        "customer": sold.customer,
        "description": facts.dice.choice(words.NOTES) or None,
        "latest_charge": object_id("charges", facts.index),
        "livemode": False,
        "metadata": {"edition": str(facts.version)},
        "payment_method_types": ["card"],
        "status": facts.dice.choice(("succeeded", "succeeded", "succeeded", "requires_payment_method")),
    }


def with_client_secrets(body: bytes) -> bytes:
    """Return an answer as it leaves us, in which whoever reads it can pay."""
    name = b'"client_secret":"%b"'
    return body.replace(name % NOT_KEPT.encode(), name % CLIENT_SECRET.encode())


def make_charge(facts: Facts, *, shop: Shop) -> Record:
    sold = sale(shop, facts.index)
    is_refunded = facts.index % 10 == 3
    return {
        "id": object_id("charges", facts.index),
        "object": "charge",
        "amount": sold.amount,
        "amount_captured": sold.amount,
        "amount_refunded": 100 if is_refunded else 0,
        "balance_transaction": object_id("balance_transactions", facts.index),
        "captured": True,
        "created": facts.created,
        "currency": sold.currency,
        "customer": sold.customer if facts.index % 17 else None,
        "description": facts.dice.choice(words.NOTES) or None,
        "disputed": facts.index % 30 == 5,
        "livemode": False,
        "metadata": {"edition": str(facts.version)},
        "paid": True,
        "payment_intent": object_id("payment_intents", facts.index),
        "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}, "type": "card"},
        "receipt_number": None,
        "refunded": False,
        "status": "succeeded" if facts.dice.below(12) else "failed",
    }


def make_refund(facts: Facts, *, shop: Shop) -> Record:
    charge = facts.index * 10 + 3
    return {
        "id": object_id("refunds", facts.index),
        "object": "refund",
        "amount": 100,
        "charge": object_id("charges", charge),
        "created": facts.created,
        "currency": sale(shop, charge).currency,
        "description": facts.dice.choice(words.NOTES) or None,
        "metadata": {"edition": str(facts.version)},
        "payment_intent": object_id("payment_intents", charge),
        "reason": facts.dice.choice((None, "requested_by_customer", "duplicate")),
        "status": facts.dice.choice(("succeeded", "succeeded", "pending", "failed")),
    }


def make_dispute(facts: Facts, *, shop: Shop) -> Record:
    charge = facts.index * 30 + 5
    sold = sale(shop, charge)
    return {
        "id": object_id("disputes", facts.index),
        "object": "dispute",
        "amount": sold.amount,
        "charge": object_id("charges", charge),
        "created": facts.created,
        "currency": sold.currency,
        "evidence": {"uncategorized_text": facts.dice.choice(words.NOTES) or None},
        "evidence_details": {"due_by": facts.created + 14 * DAY, "has_evidence": False, "past_due": False},
        "metadata": {"edition": str(facts.version)},
        "payment_intent": object_id("payment_intents", charge),
        "reason": facts.dice.choice(("fraudulent", "duplicate", "product_not_received")),
        "status": facts.dice.choice(("needs_response", "under_review", "won", "lost")),
    }


def make_payout(facts: Facts, *, shop: Shop) -> Record:
    return {
        "id": object_id("payouts", facts.index),
        "object": "payout",
        "amount": 10_000 + 100 * facts.dice.below(5_000),
        "arrival_date": facts.created - facts.created % DAY + 2 * DAY,
        "automatic": True,
        "created": facts.created,
        "currency": "usd",
        "description": "STRIPE PAYOUT",
        "livemode": False,
        "metadata": {"edition": str(facts.version)},
        "method": "standard",
        "status": facts.dice.choice(("paid", "paid", "in_transit", "failed")),
        "type": "bank_account",
    }


def make_balance_transaction(facts: Facts, *, shop: Shop) -> Record:
    kind = ("payout", "refund")[facts.index % 2] if facts.index % 11 > 8 else "charge"
    source = facts.index % shop.counts[f"{kind}s"]
    sold = sale(shop, facts.index)
    amount = sold.amount if kind == "charge" else -sold.amount
    fee = 30 + abs(amount) * 29 // 1_000 if kind == "charge" else 0
    return {
        "id": object_id("balance_transactions", facts.index),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": facts.created + 2 * DAY,
        "created": facts.created,
        "currency": sold.currency,
        "description": facts.dice.choice(words.NOTES) or None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": kind,
        "source": object_id(f"{kind}s", source),
        "status": "available" if facts.version or facts.dice.below(5) else "pending",
        "type": kind,
    }


MADE = {
    "payment_intents": Made(make_payment_intent, "description", "amount", "amount"),
    "charges": Made(make_charge, "description", "amount", "amount"),
    "refunds": Made(make_refund, "description", "amount", "amount"),
    "disputes": Made(make_dispute, "reason", "amount", "amount"),
    "payouts": Made(make_payout, "description", "amount", "amount"),
    "balance_transactions": Made(
        make_balance_transaction, "description", "amount", "amount", "exchange_rate"
    ),
}
