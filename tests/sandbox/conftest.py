"""A small world per test, and ways to walk its listings as a reader would."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox import SandboxClient, running

NOW = 1_790_000_000
SHOP = "/shopify/admin/api/2026-10"
SHOPIFY_TOKEN = {"X-Shopify-Access-Token": "shpat_sandbox"}
API_TOKEN = {"Authorization": "Bearer sandbox-token"}
SMALL: dict[str, Any] = {
    "customers": 60,
    "products": 40,
    "orders": 120,
    "items": 90,
    "songs": 120,
    "catalog": 40,
    "articles": 150,
}


@pytest.fixture
def world() -> Iterator[SandboxClient]:
    with running(now=NOW, clock=lambda: NOW + 60, **SMALL) as client:
        yield client


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def walk_shop(
    http: requests.Session, world: SandboxClient, resource: str, *, limit: int = 50, **params: Any
) -> list[dict[str, Any]]:
    """Return every record of a listing, following rel=next."""
    found: list[dict[str, Any]] = []
    url: str | None = f"{world.url}{SHOP}/{resource}.json"
    query: dict[str, Any] | None = {"limit": limit, **params}
    while url:
        answer = http.get(url, params=query, headers=SHOPIFY_TOKEN)
        answer.raise_for_status()
        found += answer.json()[resource]
        url, query = answer.links.get("next", {}).get("url"), None
    return found


def split(body: bytes) -> list[str]:
    """Return the records of a body's first list as they stand there, whatever is wrong with them."""
    text = body.decode()
    decoder = json.JSONDecoder(parse_int=str)
    found: list[str] = []
    start = text.index("[") + 1
    while text[start] != "]":
        _, end = decoder.raw_decode(text, start)
        found.append(text[start:end])
        start = end + (text[end] == ",")
    return found
