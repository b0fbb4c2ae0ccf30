"""Contacts, companies, deals and tickets as HubSpot writes them, their ids related; how all data is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from sandbox import vocabulary as words
from sandbox.data import Dice, Facts, Recipe, Record, money, person
from sandbox.defects import json_defects
from sandbox.hubspot_directory import CLOSED, PIPELINE_IDS, STAGES, owners, pipelines
from sandbox.hubspot_ids import moment, object_id, text_id
from sandbox.options import Options

#: Records of each type at scale 1.
COUNTS = {"contacts": 800, "companies": 400, "deals": 600, "tickets": 500, "owners": 60}
#: Beside each other in a record, the last of it; they are told apart from it.
ASSOCIATIONS = b',"associations":'
_INDUSTRIES = ("COMPUTER_SOFTWARE", "RETAIL", "HOSPITAL_HEALTH_CARE", "")
_LIFECYCLE = ("subscriber", "lead", "marketingqualifiedlead", "opportunity", "customer")
#: The types of an association, in HubSpot's numbers, the first of them "Primary" [M].
_TYPE_IDS = {
    ("deals", "companies"): (5, 341),
    ("deals", "contacts"): (0, 3),
    ("tickets", "companies"): (26, 339),
    ("tickets", "contacts"): (0, 16),
}


def counts(options: Options) -> dict[str, int]:
    """Return how many of each there are; a world without any has none of their relations."""
    scaled = {name: round(count * options.scale) for name, count in COUNTS.items()}
    return {**scaled, "deal_pipelines": len(PIPELINE_IDS["deals"]), "ticket_pipelines": 2}


def recipes(options: Options) -> list[tuple[Recipe, int]]:
    """Return how each type's records are made, and how many there are."""
    many = counts(options)
    # With each the properties to spoil: one that holds text, and one that every reader gives a type.
    makers: dict[str, tuple[Callable[..., Record], str, str]] = {
        "contacts": (_contact, "country", "email"),
        "companies": (_company, "city", "name"),
        "deals": (_deal, "dealname", "amount"),
        "tickets": (_ticket, "hs_ticket_category", "subject"),
    }
    found = [
        Recipe(
            name=f"hubspot.{name}",
            make=partial(_object, name=name, make=make, seed=options.seed, many=many),
            external_id=partial(text_id, name),
            defects=json_defects(
                text=("properties", text), typed=("properties", typed), is_money=typed == "amount"
            ),
            drifts=_drifts(typed),
            removed_share=0.05,
        )
        for name, (make, text, typed) in makers.items()
    ]
    found += [owners(options.seed), pipelines("deal_pipelines", "deals")]
    found.append(pipelines("ticket_pipelines", "tickets"))
    return [(recipe, many[recipe.name.partition(".")[2]]) for recipe in found]


def _object(
    facts: Facts, *, name: str, make: Callable[..., Record], seed: int, many: Mapping[str, int]
) -> Record:
    created, updated = moment(facts.created), moment(facts.updated)
    modified_by = "lastmodifieddate" if name == "contacts" else "hs_lastmodifieddate"
    external_id = object_id(name, facts.index)
    properties: Record = {
        **make(facts, seed, many),
        "hubspot_owner_id": _maybe("owners", facts.dice, many),
        "createdate": created,
        modified_by: updated,
        "hs_object_id": str(external_id),
        "hs_merged_object_ids": f"{external_id + 1};{external_id + 2}" if facts.index % 41 == 7 else None,
    }
    record: Record = {
        "id": str(external_id),
        "properties": properties,
        "createdAt": created,
        "updatedAt": updated,
        "archived": False,
    }
    if name in {"deals", "tickets"}:
        record["associations"] = {
            other: _associated(name, other, facts.dice, many) for other in ("companies", "contacts")
        }
    return record


def _contact(facts: Facts, seed: int, many: Mapping[str, int]) -> Record:
    who, dice = person(seed, facts.index), facts.dice
    company = dice.below(max(many["companies"], 1))
    works = bool(many["companies"]) and dice.below(4) > 0
    return {
        "email": who.email,
        "firstname": who.first_name,
        "lastname": who.last_name,
        "phone": who.phone if dice.below(3) else "",
        "mobilephone": None,
        "country": who.country,
        "lifecyclestage": _LIFECYCLE[(dice.below(len(_LIFECYCLE)) + facts.version) % len(_LIFECYCLE)],
        "company": _company_name(seed, company) if works else None,
        "associatedcompanyid": str(object_id("companies", company)) if works else None,
    }


def _company(facts: Facts, seed: int, many: Mapping[str, int]) -> Record:
    dice = facts.dice
    return {
        "name": _company_name(seed, facts.index),
        "domain": f"company-{facts.index}.example",
        "industry": dice.choice(_INDUSTRIES),
        "phone": f"+4930{dice.below(10**7):07d}" if dice.below(2) else None,
        "city": dice.choice(words.PLACES)[0],
        "country": dice.choice(words.PLACES)[1],
        "numberofemployees": str(1 + dice.below(500) + facts.version) if dice.below(5) else None,
        "lifecyclestage": dice.choice(_LIFECYCLE),
    }


def _deal(facts: Facts, seed: int, many: Mapping[str, int]) -> Record:
    dice = facts.dice
    stage = STAGES["deals"][(dice.below(len(STAGES["deals"])) + facts.version) % len(STAGES["deals"])]
    return {
        "dealname": f"{dice.choice(words.LOOKS)} {dice.choice(words.WARES)} {facts.index}",
        "amount": money(dice.below(5_000_000) + 100 * facts.version) if dice.below(8) else "",
        "deal_currency_code": dice.choice(words.CURRENCIES),
        "pipeline": dice.choice(PIPELINE_IDS["deals"]),
        "dealstage": stage,
        "hs_is_closed": "true" if stage in CLOSED else "false",
        "hs_is_closed_won": "true" if stage == "closedwon" else "false",
        "closedate": moment(facts.created + 86_400 * dice.below(90)) if dice.below(3) else None,
    }


def _ticket(facts: Facts, seed: int, many: Mapping[str, int]) -> Record:
    dice = facts.dice
    stage = STAGES["tickets"][(dice.below(len(STAGES["tickets"])) + facts.version) % len(STAGES["tickets"])]
    return {
        "subject": f"{dice.choice(words.EVENTS)} ({facts.index})",
        "hs_pipeline": dice.choice(PIPELINE_IDS["tickets"]),
        "hs_pipeline_stage": stage,
        "hs_ticket_priority": dice.choice(("LOW", "MEDIUM", "HIGH", "")),
        "hs_ticket_category": dice.choice(("PRODUCT_ISSUE", "BILLING_ISSUE", "", "PRODUCT_ISSUE;OTHER")),
        "closed_date": moment(facts.updated) if stage in CLOSED else None,
    }


def _company_name(seed: int, index: int) -> str:
    return f"{Dice(seed, 'hubspot company', index).choice(words.VENDORS)} {index}"


def _maybe(name: str, dice: Dice, many: Mapping[str, int]) -> str | None:
    if not many[name] or dice.below(6) == 0:
        return None
    return str(object_id(name, dice.below(many[name])))


def _associated(name: str, other: str, dice: Dice, many: Mapping[str, int]) -> list[Record]:
    primary, plain = _TYPE_IDS[name, other]
    wanted = {dice.below(many[other]) for _ in range(dice.below(4))} if many[other] else set()
    indexes = sorted(wanted)
    first = indexes[-1:] if primary else []
    return [
        {
            "toObjectId": object_id(other, index),
            "associationTypes": [
                *([_association_type(primary, "Primary")] if index in first else []),
                _association_type(plain, None),
            ],
        }
        for index in indexes
    ]


def _association_type(number: int, label: str | None) -> Record:
    return {"category": "HUBSPOT_DEFINED", "typeId": number, "label": label}


def _drifts(retyped: str) -> dict[str, Callable[[Record], None]]:
    def retype(record: Record) -> None:
        value = record["properties"][retyped]
        record["properties"][retyped] = len(value or "")

    def appear(record: Record) -> None:
        associations = record.pop("associations", None)
        record["added_without_notice"] = {"since": "today", "values": [1, 2]}
        if associations is not None:
            record["associations"] = associations

    return {
        "type": retype,
        "vanish": lambda record: record["properties"].pop("hubspot_owner_id"),
        "appear": appear,
    }
