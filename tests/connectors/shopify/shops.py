"""A shop of the sandbox as a source reads it, and a clock the test winds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

import sandbox
from connectors import connect
from connectors.auth.tokens import MemoryTokens, TokenStore
from connectors.base import Access, Connector, FetchRequest, Page
from sandbox.shopify_doors import CALLBACKS, CLIENT_ID, CLIENT_SECRET

SHOP = "sandbox.myshopify.com"
TOKEN = {"mode": "access_token", "access_token": "shpat_sandbox"}
APP = {"mode": "oauth", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
OWN = {**APP, "mode": "client_credentials"}
BACK = CALLBACKS[1]
FEW: dict[str, Any] = {
    "customers": 12,
    "products": 9,
    "orders": 24,
    "items": 1,
    "songs": 1,
    "catalog": 1,
    "articles": 1,
    "scale": 0.1,
}


@dataclass
class Clock:
    """The time here and there alike: the real one and what the test adds, unless it stands still."""

    seconds: float = 0.0
    is_still: bool = False
    begun: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return (self.begun if self.is_still else time.time()) + self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self(), UTC)


@contextmanager
def world(clock: Clock, **options: Any) -> Iterator[sandbox.SandboxClient]:
    with sandbox.running(clock=clock, **{**FEW, **options}) as client:
        yield client


@contextmanager
def shop(
    client: sandbox.SandboxClient,
    clock: Clock,
    *,
    credentials: Mapping[str, Any] = TOKEN,
    tokens: TokenStore | None = None,
    **config: Any,
) -> Iterator[Connector]:
    access = Access(
        private_hosts=frozenset({client.url.removeprefix("http://")}),
        tokens=tokens or MemoryTokens(),
        clock=clock.now,
    )
    given = {"shop": SHOP, "base_url": f"{client.url}/shopify", "api": "graphql", **config}
    connector = connect("shopify", config=given, credentials=credentials, access=access)
    try:
        yield connector
    finally:
        connector.close()


def fetch(connector: Connector, stream: str, **request: Any) -> Page:
    return connector.fetch(connector.stream(stream), FetchRequest(**request))


def rows(connector: Connector, stream: str, **request: Any) -> dict[str, bytes]:
    """Read a stream to its end."""
    found: dict[str, bytes] = {}
    cursor = None
    while True:
        page = fetch(connector, stream, cursor=cursor, **request)
        found |= {record.external_id: record.body for record in page.records}
        cursor = page.next_cursor
        if cursor is None:
            return found


def sent_back(connector: Connector) -> dict[str, str]:
    """Let the app in as a merchant would; return what the shop sends the merchant back with."""
    authorization = connector.authorization()
    assert authorization is not None
    page = authorization.page(state="st&te", verifier="", redirect_uri=BACK)
    answer = requests.get(page, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    location = answer.headers["Location"]
    return dict(parse_qsl(urlsplit(location).query))
