"""Contacts, companies, deals, tickets, owners and pipelines as HubSpot writes them, ids related."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sandbox import vocabulary as words
from sandbox.data import Dice, Facts, Recipe, Record, money, person, utc_text
from sandbox.defects import json_defects
from sandbox.options import Options

#: Records of each type at scale 1.
COUNTS = {"contacts": 800, "companies": 400, "deals": 600, "tickets": 500, "owners": 60}
BASES = {
    "contacts": 151_000_000_000,
    "companies": 9_000_000_000,
    "deals": 14_000_000_000,
    "tickets": 2_100_000_000,
    "owners": 44_000_000,
}
#: Ids are not dense: others were deleted, or merged away long ago.
STRIDE = 64
#: Beside each other in a record, the last of it; they are told apart from it.
ASSOCIATIONS = b',"associations":'
PIPELINE_IDS = {"deals": ("default", "75e28846-ad0d", "3"), "tickets": ("0", "3")}
STAGES = {
    "deals": ("appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost"),
    "tickets": ("1", "2", "3", "4"),
}
CLOSED = frozenset({"closedwon", "closedlost", "4"})
_INDUSTRIES = ("COMPUTER_SOFTWARE", "RETAIL", "HOSPITAL_HEALTH_CARE", "")
_LIFECYCLE = ("subscriber", "lead", "marketingqualifiedlead", "opportunity", "customer")
_TEAMS = ("Inbound", "Süd", "Enterprise")
#: The types of an association, in HubSpot's numbers, the first of them "Primary" [M].
_TYPE_IDS = {
    ("deals", "companies"): (5, 341),
    ("deals", "contacts"): (0, 3),
    ("tickets", "companies"): (26, 339),
    ("tickets", "contacts"): (0, 16),
}


def object_id(name: str, index: int) -> int:
    return BASES[name] + index * STRIDE


def index_of(name: str, external_id: int) -> int:
    """Return the number of the object; between two objects, that of the one before."""
    return (external_id - BASES[name]) // STRIDE


def milliseconds(stamp: int) -> int:
    """Return a time of HubSpot's for one of whole seconds: equal for equal ones, in the same order."""
    return stamp * 1_000 + stamp * 7_919 % 1_000


def moment(stamp: int) -> str:
    return f"{utc_text(stamp)[:-1]}.{milliseconds(stamp) % 1_000:03d}Z"


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
            external_id=partial(_text_id, name),
            defects=json_defects(
                text=("properties", text), typed=("properties", typed), is_money=typed == "amount"
            ),
            drifts=_drifts(typed),
            removed_share=0.05,
        )
        for name, (make, text, typed) in makers.items()
    ]
    owners = Recipe(
        name="hubspot.owners",
        make=partial(_owner, seed=options.seed),
        external_id=partial(_text_id, "owners"),
        defects=json_defects(text=("firstName",), typed=("email",), is_money=False),
        drifts=_flat_drifts("userId", "teams"),
    )
    found.append(owners)
    found += [_pipelines("deal_pipelines", "deals"), _pipelines("ticket_pipelines", "tickets")]
    return [(recipe, many[recipe.name.partition(".")[2]]) for recipe in found]


def _text_id(name: str, index: int) -> str:
    return str(object_id(name, index))


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


def is_archived_owner(index: int) -> bool:
    return index % 5 == 4


def _owner(facts: Facts, *, seed: int) -> Record:
    who, index = person(seed, 1_000_000 + facts.index), facts.index
    is_queue = index % 12 == 11
    is_archived = is_archived_owner(index)
    return {
        "id": str(object_id("owners", index)),
        "email": who.email,
        "type": "QUEUE" if is_queue else "PERSON",
        "firstName": "" if is_queue else who.first_name,
        "lastName": "" if is_queue else who.last_name,
        "userId": None if is_archived or is_queue else 1_000 + index,
        "userIdIncludingInactive": 1_000 + index,
        "createdAt": moment(facts.created),
        "updatedAt": moment(facts.updated),
        "archived": is_archived,
        "teams": [
            {"id": str(number + 1), "name": name, "primary": number == index % len(_TEAMS)}
            for number, name in enumerate(_TEAMS)
            if number <= (index + facts.version) % len(_TEAMS)
        ],
    }


def _pipelines(name: str, of: str) -> Recipe:
    return Recipe(
        name=f"hubspot.{name}",
        make=partial(_pipeline, of=of),
        external_id=lambda index: f"{of}/{pipeline_id(of, index)}",
        defects=json_defects(text=("label",), typed=("createdAt",), is_money=False),
        drifts=_flat_drifts("displayOrder", "stages"),
    )


def pipeline_id(of: str, index: int) -> str:
    known = PIPELINE_IDS[of]
    return known[index] if index < len(known) else str(90_000_000 + index)


def _pipeline(facts: Facts, *, of: str) -> Record:
    created, updated = moment(facts.created), moment(facts.updated)
    return {
        "id": pipeline_id(of, facts.index),
        "label": f"{'Sales' if of == 'deals' else 'Support'} {facts.index + 1}" + "*" * facts.version,
        "displayOrder": facts.index,
        "createdAt": created,
        "updatedAt": updated,
        "archived": False,
        "stages": [
            {
                "id": stage,
                "label": stage.title(),
                "displayOrder": number,
                "metadata": {"isClosed": "true" if stage in CLOSED else "false"},
                "createdAt": created,
                "updatedAt": updated,
                "archived": False,
            }
            for number, stage in enumerate(STAGES[of])
        ],
    }


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


def _flat_drifts(retyped: str, vanishing: str) -> dict[str, Callable[[Record], Any]]:
    return {
        "type": lambda record: record.update({retyped: str(record[retyped])}),
        "vanish": lambda record: record.pop(vanishing),
        "appear": lambda record: record.update(added_without_notice={"since": "today", "values": [1, 2]}),
    }
