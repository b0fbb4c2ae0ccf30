"""Stripe's objects, related by their ids; amounts in minor units of two, none and three decimals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from sandbox import vocabulary as words
from sandbox.data import Dice, Facts, Recipe, Record, person, ware
from sandbox.defects import json_defects, json_drifts
from sandbox.options import Options

DAY = 86_400
CURRENCIES = ("usd", "usd", "usd", "eur", "eur", "gbp", "jpy", "kwd")
#: Too large for numeric(20,6), also as thousandths.
TOO_LARGE = 10**18 + 1
#: Lines that come with an invoice.
MOST_LINES_SHOWN = 10
PREFIXES = {
    "customers": "cus_",
    "products": "prod_",
    "prices": "price_",
    "subscriptions": "sub_",
    "invoices": "in_",
    "payment_intents": "pi_",
    "charges": "ch_",
    "refunds": "re_",
    "disputes": "dp_",
    "payouts": "po_",
    "balance_transactions": "txn_",
}
BASE_COUNTS = {
    "customers": 400,
    "products": 40,
    "prices": 80,
    "subscriptions": 150,
    "invoices": 300,
    "payment_intents": 900,
    "charges": 900,
    "refunds": 90,
    "disputes": 30,
    "payouts": 52,
    "balance_transactions": 1_100,
}
LEAST = 4


def counts(options: Options) -> dict[str, int]:
    return {name: max(LEAST, round(base * options.scale)) for name, base in BASE_COUNTS.items()}


def object_id(resource: str, index: int) -> str:
    return f"{PREFIXES[resource]}{index + 1:012d}"


def index_of(resource: str, external_id: str) -> int | None:
    """Return which object an id names; None if it is no id of this resource."""
    digits = external_id.removeprefix(PREFIXES[resource])
    is_ours = external_id.startswith(PREFIXES[resource]) and digits.isascii() and digits.isdigit()
    return int(digits) - 1 if is_ours and len(digits) == 12 else None


class Shop(NamedTuple):
    """What all makers know."""

    seed: int
    counts: Mapping[str, int]

    def some(self, resource: str, dice: Dice) -> str:
        return object_id(resource, dice.below(self.counts[resource]))


class Sale(NamedTuple):
    """What a charge and its payment intent have in common."""

    amount: int
    currency: str
    customer: str


def sale(shop: Shop, index: int) -> Sale:
    dice = Dice(shop.seed, "stripe sale", index)
    currency = dice.choice(CURRENCIES)
    return Sale(500 + 10 * dice.below(20_000), currency, shop.some("customers", dice))


def make_customer(facts: Facts, *, shop: Shop) -> Record:
    who = person(shop.seed, facts.index)
    return {
        "id": object_id("customers", facts.index),
        "object": "customer",
        "address": {"city": who.city, "country": who.country, "line1": None, "postal_code": None},
        "balance": -100 * facts.dice.below(3),
        "created": facts.created,
        "currency": None,
        "delinquent": facts.dice.below(20) == 0,
        "description": facts.dice.choice(words.NOTES) or None,
        "email": who.email,
        "invoice_prefix": f"S{facts.index:07d}",
        "livemode": False,
        "metadata": {"edition": str(facts.version)},
        "name": f"{who.first_name} {who.last_name}",
        "phone": who.phone if facts.dice.below(3) else None,
        "preferred_locales": [],
        "tax_exempt": "none",
    }


def make_product(facts: Facts, *, shop: Shop) -> Record:
    return {
        "id": object_id("products", facts.index),
        "object": "product",
        "active": bool(facts.dice.below(6)),
        "created": facts.created,
        "default_price": object_id("prices", facts.index),
        "description": facts.dice.choice(words.NOTES) or None,
        "images": [],
        "livemode": False,
        "metadata": {"edition": str(facts.version)},
        "name": ware(shop.seed, facts.index).title,
        "type": "service",
        "updated": facts.updated,
    }


def make_price(facts: Facts, *, shop: Shop) -> Record:
    is_recurring = facts.index % 3 != 2
    cents = 500 + 100 * facts.dice.below(90) + facts.version
    # Of metered use a fraction of a cent.
    is_fine = facts.index % 10 == 9
    return {
        "id": object_id("prices", facts.index),
        "object": "price",
        "active": bool(facts.dice.below(6)),
        "billing_scheme": "per_unit",
        "created": facts.created,
        "currency": price_currency(shop, facts.index),
        "livemode": False,
        "metadata": {},
        "nickname": facts.dice.choice(("Monthly", "Yearly", None)),
        "product": object_id("products", facts.index % shop.counts["products"]),
        "recurring": {"interval": "month", "interval_count": 1 + facts.dice.below(3)}
        if is_recurring
        else None,
        "type": "recurring" if is_recurring else "one_time",
        "unit_amount": None if is_fine else cents,
        "unit_amount_decimal": "0.125" if is_fine else str(cents),
    }


def price_currency(shop: Shop, index: int) -> str:
    return Dice(shop.seed, "stripe price", index).choice(CURRENCIES)


class Made(NamedTuple):
    """How a resource's objects are made, and which of their fields go wrong."""

    make: Callable[..., Record]
    #: Free text.
    text: str
    #: Every reader gives it a type.
    typed: str
    #: Comes in another type one day.
    retyped: str
    #: Is left out one day.
    vanishing: str = "metadata"


_MONEY = frozenset({"amount", "total"})


def recipe(resource: str, made: Made, shop: Shop) -> Recipe:
    defects = dict(json_defects(text=(made.text,), typed=(made.typed,), is_money=False))
    # A list goes on behind the id of its last object: without ids there would be no list.
    del defects["missing_id"], defects["long_id"]
    if made.typed in _MONEY:
        defects["overflow"] = lambda record: record.update({made.typed: TOO_LARGE})
    return Recipe(
        name=f"stripe.{resource}",
        make=partial(made.make, shop=shop),
        external_id=partial(object_id, resource),
        defects=defects,
        drifts=json_drifts(retyped=(made.retyped,), vanishing=made.vanishing),
    )


MADE = {
    "customers": Made(make_customer, "name", "created", "balance"),
    "products": Made(make_product, "name", "created", "updated"),
    "prices": Made(make_price, "nickname", "unit_amount_decimal", "unit_amount_decimal"),
}
