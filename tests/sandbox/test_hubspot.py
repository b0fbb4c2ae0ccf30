"""The pretended HubSpot refuses what the real one refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sandbox import World
from sandbox.hubspot import PRIVATE_APP
from sandbox.messages import Answer, Request
from sandbox.options import Options

NOW = 1_790_000_000
CONTACTS = "/hubspot/crm/v3/objects/contacts"
BATCH = "/hubspot/crm/v4/associations/deals/companies/batch/read"


@pytest.fixture(scope="module")
def world() -> World:
    return World(Options(now=NOW, scale=0.1), clock=lambda: NOW + 60.0)


def ask(
    world: World, path: str, *, body: Any = None, token: str = PRIVATE_APP, **query: str
) -> tuple[int, Any, Answer]:
    answer = world.answer(
        Request(
            method="GET" if body is None else "POST",
            path=path,
            query=query,
            headers={"authorization": f"Bearer {token}"},
            body=b"" if body is None else msgspec.json.encode(body),
            origin="http://x",
            client="",
        )
    )
    return answer.status, msgspec.json.decode(answer.body), answer


def test_ten_a_page_unless_more_is_asked_for_and_never_more_than_a_hundred(world: World) -> None:
    assert len(ask(world, CONTACTS)[1]["results"]) == 10
    assert len(ask(world, CONTACTS, limit="100")[1]["results"]) == 80
    for query in ({"limit": "101"}, {"limit": "0"}, {"limit": "51", "propertiesWithHistory": "email"}):
        status, body, _ = ask(world, CONTACTS, **query)
        assert (status, body["category"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("query", [{"updated_after": "1"}, {"after": "x"}, {"limit": "ten"}])
def test_odd_parameters_are_refused(query: dict[str, str], world: World) -> None:
    assert ask(world, CONTACTS, **query)[0] == 400


def test_only_what_is_asked_for_comes(world: World) -> None:
    plain = ask(world, CONTACTS)[1]["results"][0]["properties"]
    assert set(plain) == {"createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"}
    asked = ask(world, CONTACTS, properties="phone,nonsense")[1]["results"][0]["properties"]
    assert set(asked) == {"phone", "createdate", "hs_object_id", "lastmodifieddate"}
    deal = ask(world, "/hubspot/crm/v3/objects/deals", associations="companies")[1]["results"][0]
    assert "associations" not in deal


def test_nothing_is_told_without_a_good_token(world: World) -> None:
    assert ask(world, CONTACTS, token="pat-na1-other")[1]["category"] == "INVALID_AUTHENTICATION"
    status, body, answer = ask(world, CONTACTS, token="CIended")
    assert (status, body["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert "X-HubSpot-RateLimit-Max" not in answer.headers


def test_limits_are_told_but_not_with_searches(world: World) -> None:
    headers = ask(world, CONTACTS)[2].headers
    assert {"X-HubSpot-RateLimit-Max", "X-HubSpot-RateLimit-Daily-Remaining"} <= headers.keys()
    assert not ask(world, f"{CONTACTS}/search", body={})[2].headers


def by(name: str, operator: str = "GTE", **more: Any) -> dict[str, Any]:
    return {"propertyName": name, "operator": operator, **more}


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 0},
        {"limit": 100, "after": "9901"},
        {"after": "next"},
        {"filters": []},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [by("email", value="a")] * 11}]},
        {"filterGroups": [{"filters": [by("email", "SINCE", value="1")]}]},
        {"filterGroups": [{"filters": [by("email")]}]},
        {"filterGroups": [{"filters": [by("lastmodifieddate", "BETWEEN", value="1")]}]},
        {"filterGroups": [{"filters": [by("lastmodifieddate", value="2026-01-01")]}]},
        {"filterGroups": [{"filters": [by("lastmodifieddate", value=5)]}]},
        {"sorts": [{"propertyName": "email"}, {"propertyName": "hs_object_id"}]},
        {"associations": ["companies"]},
    ],
)
def test_searches_that_hubspot_does_not_take_are_refused(body: dict[str, Any], world: World) -> None:
    assert ask(world, f"{CONTACTS}/search", body=body)[0] == 400


def test_a_search_finds_what_fits_either_group(world: World) -> None:
    [first, second, *_] = ask(world, CONTACTS)[1]["results"]
    groups = [
        {"filters": [by("hs_object_id", "EQ", value=first["id"]), by("email", "HAS_PROPERTY")]},
        {"filters": [by("email", "IN", values=[second["properties"]["email"]])]},
    ]
    sorts = [{"propertyName": "hs_object_id", "direction": "DESCENDING"}]
    _, body, _ = ask(world, f"{CONTACTS}/search", body={"filterGroups": groups, "sorts": sorts})
    assert [one["id"] for one in body["results"]] == [second["id"], first["id"]]
    assert body["total"] == 2


def test_equal_times_come_in_no_order_one_could_rely_on(world: World) -> None:
    sorts = [{"propertyName": "lifecyclestage", "direction": "ASCENDING"}]
    few, many = (
        ask(world, f"{CONTACTS}/search", body={"sorts": sorts, "limit": limit})[1]["results"]
        for limit in (20, 40)
    )
    assert [one["id"] for one in few] != [one["id"] for one in many][:20]


def test_associations_are_read_in_batches_and_their_lack_is_told(world: World) -> None:
    ids = [one["id"] for one in ask(world, "/hubspot/crm/v3/objects/deals", limit="60")[1]["results"]]
    status, body, _ = ask(world, BATCH, body={"inputs": [{"id": one} for one in ids]})
    assert status == 207
    assert len(body["results"]) + body["numErrors"] == len(ids)
    wrongs: list[list[dict[str, str]]] = [[], [{"key": "1"}], [{"id": "1"}] * 1_001]
    assert {ask(world, BATCH, body={"inputs": wrong})[0] for wrong in wrongs} == {400}
    assert ask(world, BATCH, body={})[0] == 400


def test_the_archive_holds_what_was_deleted(world: World) -> None:
    archived = ask(world, CONTACTS, archived="true", limit="100")[1]["results"]
    assert archived
    assert all(one["archived"] and one["archivedAt"] for one in archived)
    assert not {one["id"] for one in archived} & {one["id"] for one in ask(world, CONTACTS)[1]["results"]}


def test_other_places_do_not_exist(world: World) -> None:
    assert ask(world, "/hubspot/crm/v3/objects/quotes")[0] == 404
    assert ask(world, "/hubspot/crm/objects/2025-09/contacts")[0] == 404
    assert ask(world, "/hubspot/crm/objects/2026-09/contacts")[0] == 200
