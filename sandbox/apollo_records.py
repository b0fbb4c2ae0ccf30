"""What a team keeps at Apollo: contacts, accounts and deals, in the words of its API."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sandbox import vocabulary as words
from sandbox.data import Facts, Recipe, Record, person, utc_text
from sandbox.defects import json_defects, json_drifts
from sandbox.options import Options

CONTACTS, ACCOUNTS, DEALS = 240, 120, 60
CONTACT_STAGES = ("6095a710bd01d100a506d4ae", "6095a710bd01d100a506d4af")
ACCOUNT_STAGES = ("6095a710bd01d100a506d4b9", "6095a710bd01d100a506d4ba")
DEAL_STAGES = ("6095a710bd01d100a506d4bd", "66bb94fbc1695c00017fba5f")
OWNER = "66302798d03b9601c7934ebf"
#: Of each kind of record; Apollo's ids are 24 hexadecimal digits.
CONTACT, ACCOUNT, DEAL = 0x66A1, 0x66A2, 0x66A3
_SEED = 7


def id_of(what: int, index: int) -> str:
    return f"{what:04x}{index:020x}"


def _account_index(index: int) -> int:
    return index // 2


def contact(facts: Facts) -> Record:
    who, dice = person(_SEED, facts.index), facts.dice
    phone = who.phone if dice.below(4) else None
    firm = id_of(ACCOUNT, _account_index(facts.index)) if dice.below(5) else None
    return {
        "id": id_of(CONTACT, facts.index),
        "first_name": who.first_name,
        "last_name": who.last_name,
        "name": f"{who.first_name} {who.last_name}",
        "title": dice.choice(("Buyer", "Head of Operations", None)),
        # Not paid for yet.
        "email": who.email if dice.below(6) else "email_not_unlocked@domain.com",
        "email_status": dice.choice(("verified", "unavailable", None)),
        "organization_name": None if firm is None else _firm(_account_index(facts.index)),
        "account_id": firm,
        "contact_stage_id": CONTACT_STAGES[facts.version % 2],
        "owner_id": OWNER,
        "label_ids": [],
        "sanitized_phone": phone,
        "phone_numbers": [{"raw_number": phone, "sanitized_number": phone}] if phone else [],
        "country": who.country,
        "created_at": _text(facts.created),
        "updated_at": _text(facts.updated),
        "typed_custom_fields": {},
    }


def account(facts: Facts) -> Record:
    city, country = facts.dice.choice(words.PLACES)
    domain = f"firm-{facts.index + 1}.example.com"
    return {
        "id": id_of(ACCOUNT, facts.index),
        "name": _firm(facts.index),
        "domain": domain,
        "primary_domain": domain,
        "phone": None,
        "sanitized_phone": f"+1555{facts.dice.below(10**7):07d}",
        "industry": facts.dice.choice(("retail", "logistics", None)),
        "estimated_num_employees": facts.dice.choice((12, 250, None)),
        "organization_city": city,
        "organization_country": country,
        "account_stage_id": ACCOUNT_STAGES[facts.version % 2],
        "owner_id": OWNER,
        "num_contacts": 2,
        "created_at": _text(facts.created),
    }


def deal(facts: Facts) -> Record:
    cents, code = 10_000 + facts.dice.below(10**6), facts.dice.choice(words.CURRENCIES)
    is_closed = facts.version % 2 == 1
    return {
        "id": id_of(DEAL, facts.index),
        "name": f"{_firm(_account_index(facts.index))}, {facts.version + 1}",
        "amount": cents / 100,
        "currency": {"name": code, "iso_code": code, "symbol": code},
        "account_id": id_of(ACCOUNT, _account_index(facts.index)),
        "owner_id": OWNER,
        "opportunity_pipeline_id": "654b989fcb2a5200010a90db",
        "opportunity_stage_id": DEAL_STAGES[facts.version % 2],
        "stage_name": None,
        "is_closed": is_closed,
        "is_won": is_closed and facts.index % 2 == 0,
        "closed_date": f"{utc_text(facts.updated)[:10]}T00:00:00.000+00:00",
        "created_at": _text(facts.created),
        "stage_updated_at": _text(facts.updated).replace("Z", "+00:00"),
    }


def _firm(index: int) -> str:
    return f"{words.VENDORS[index % len(words.VENDORS)]} {index + 1}"


def _text(stamp: int) -> str:
    return utc_text(stamp).replace("Z", ".000Z")


def recipes(options: Options) -> list[tuple[Recipe, int]]:
    found = (
        (_recipe("contacts", contact, CONTACT, text="organization_name", retyped="label_ids"), CONTACTS),
        (_recipe("accounts", account, ACCOUNT, text="industry", retyped="num_contacts"), ACCOUNTS),
        (_recipe("deals", deal, DEAL, text="stage_name", retyped="amount"), DEALS),
    )
    return [(recipe, round(count * options.scale)) for recipe, count in found]


def _recipe(name: str, make: Callable[[Facts], Record], what: int, *, text: str, retyped: str) -> Recipe:
    return Recipe(
        name=f"apollo.{name}",
        make=make,
        external_id=partial(id_of, what),
        defects=json_defects(text=(text,), typed=("name",), is_money=False),
        drifts=json_drifts(retyped=(retyped,), vanishing="owner_id"),
    )
