"""The plain JSON API in its five ways of paging."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox import SandboxClient
from tests.sandbox.conftest import API_TOKEN

PAGINGS = ("page", "offset", "cursor", "next", "link")


def pages(
    http: requests.Session, world: SandboxClient, paging: str, **params: Any
) -> Iterator[list[dict[str, Any]]]:
    """Yield each page's items, walking the way `paging` asks for, until it says there is no more."""
    url = f"{world.url}/api/{paging}/items"
    position = 0
    query: dict[str, Any] | None = {"limit": 20, **params}
    while True:
        answer = http.get(url, params=query, headers=API_TOKEN)
        answer.raise_for_status()
        body = answer.json(parse_float=Decimal)
        items = body if paging == "link" else body["data"]["items"]
        yield items
        position += len(items)
        match paging:
            case "page" if body["meta"]["page"] < body["meta"]["pages"]:
                query = {"limit": 20, **params, "page": body["meta"]["page"] + 1}
            case "offset" if position < body["meta"]["total"]:
                query = {"limit": 20, **params, "offset": position}
            case "cursor" if body["meta"]["has_more"]:
                query = {"limit": 20, "cursor": body["meta"]["next_cursor"]}
            case "next" if body["meta"]["next"]:
                url, query = body["meta"]["next"], None
            case "link" if "next" in answer.links:
                url, query = answer.links["next"]["url"], None
            case _:
                return


@pytest.mark.parametrize("paging", PAGINGS)
def test_each_way_of_paging_gives_every_item_once(
    world: SandboxClient, http: requests.Session, paging: str
) -> None:
    items = [item for page in pages(http, world, paging) for item in page]
    ids = [item["id"] for item in items]
    assert len(ids) == len(set(ids)) == 90
    assert all(name.startswith(f"{paging}-") for name in ids)
    assert isinstance(items[0]["artist"]["name"], str)
    assert all(isinstance(item["price"], Decimal) for item in items)


@pytest.mark.parametrize("paging", PAGINGS)
def test_updated_since_is_inclusive(world: SandboxClient, http: requests.Session, paging: str) -> None:
    times = [item["updated_at"] for page in pages(http, world, paging) for item in page]
    since = times[45]
    late = [item["updated_at"] for page in pages(http, world, paging, updated_since=since) for item in page]
    assert late == [time for time in times if time >= since]


def test_link_paging_sends_a_bare_list_and_the_total(world: SandboxClient, http: requests.Session) -> None:
    answer = http.get(f"{world.url}/api/link/items", headers=API_TOKEN)
    assert (type(answer.json()), answer.headers["X-Total"]) == (list, "90")


def test_counted_pages_shift_when_rows_change_between_them(
    world: SandboxClient, http: requests.Session
) -> None:
    walk = pages(http, world, "offset")
    seen = [item["id"] for item in next(walk)]
    world.change("api.offset", share=0.5)
    seen += [item["id"] for page in walk for item in page]
    assert len(set(seen)) < 90


@pytest.mark.parametrize(
    "params", [{"limit": 101}, {"limit": 0}, {"page": 0}, {"page": "x"}, {"updated_since": "x"}]
)
def test_refused_parameter_is_named(
    world: SandboxClient, http: requests.Session, params: dict[str, Any]
) -> None:
    answer = http.get(f"{world.url}/api/page/items", params=params, headers=API_TOKEN)
    assert answer.status_code == 400
    assert next(iter(params)) in answer.json()["error"]


def test_wrong_bearer_token_is_refused(world: SandboxClient, http: requests.Session) -> None:
    assert http.get(f"{world.url}/api/page/items", headers={"Authorization": "Bearer x"}).status_code == 401
