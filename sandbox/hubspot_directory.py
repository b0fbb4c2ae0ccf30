"""What HubSpot's objects refer to: owners, and pipelines with their stages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox.data import Facts, Recipe, Record, person
from sandbox.defects import json_defects
from sandbox.hubspot_ids import moment, object_id, text_id

PIPELINE_IDS = {"deals": ("default", "75e28846-ad0d", "3"), "tickets": ("0", "3")}
STAGES = {
    "deals": ("appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost"),
    "tickets": ("1", "2", "3", "4"),
}
CLOSED = frozenset({"closedwon", "closedlost", "4"})
_TEAMS = ("Inbound", "Süd", "Enterprise")


def is_archived_owner(index: int) -> bool:
    return index % 5 == 4


def owners(seed: int) -> Recipe:
    return Recipe(
        name="hubspot.owners",
        make=partial(_owner, seed=seed),
        external_id=partial(text_id, "owners"),
        defects=json_defects(text=("firstName",), typed=("email",), is_money=False),
        drifts=_drifts("userId", "teams"),
    )


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


def pipelines(name: str, of: str) -> Recipe:
    return Recipe(
        name=f"hubspot.{name}",
        make=partial(_pipeline, of=of),
        external_id=lambda index: f"{of}/{pipeline_id(of, index)}",
        defects=json_defects(text=("label",), typed=("createdAt",), is_money=False),
        drifts=_drifts("displayOrder", "stages"),
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


def _drifts(retyped: str, vanishing: str) -> dict[str, Callable[[Record], Any]]:
    return {
        "type": lambda record: record.update({retyped: str(record[retyped])}),
        "vanish": lambda record: record.pop(vanishing),
        "appear": lambda record: record.update(added_without_notice={"since": "today", "values": [1, 2]}),
    }
