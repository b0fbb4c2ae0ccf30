from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import pytest

from connectors import connect
from connectors.auth.tokens import MemoryTokens
from connectors.base import Access, Connector, FetchRequest, Page
from connectors.errors import ConnectorError
from sandbox.data import Recipe
from sandbox.dataset import Dataset
from sandbox.hubspot import CLIENT, PREFIX, PRIVATE_APP, Portal
from sandbox.hubspot_door import Rules
from sandbox.hubspot_records import recipes
from sandbox.messages import Answer, Handler, Request, json_answer
from sandbox.options import Options
from sandbox.server import Server
from sandbox.world import World
from tests.connectors.auth.conftest import NOON, Clock

#: As strict as a real account, but for what a test is about.
PLENTY = {"calls": 100_000, "searches_per_second": 100_000}


class Account:
    """A HubSpot account on a real socket, with a clock that a test moves."""

    def __init__(self, clock: Clock, *, scale: float, rules: Rules, **portal: Any) -> None:
        self.clock = clock
        options = Options(now=int(NOON.timestamp()), scale=scale)
        self.datasets = {
            recipe.name.partition(".")[2]: _dataset(recipe, count, options.now)
            for recipe, count in recipes(options)
        }
        self.portal = Portal(self.datasets, clock=clock, rules=rules, **portal)
        self._routes: Mapping[str, Handler] = self.portal.routes()
        self.requests: list[Request] = []
        self.before: Callable[[Request], Answer | None] = lambda request: None
        self.url = ""

    # What a sandbox's server wants of its world

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        replaced = self.before(request)
        if replaced is not None:
            return replaced
        verb = "" if request.method == "GET" else f"{request.method} "
        handler = self._routes.get(f"{verb}{request.path}") or self._routes[f"{PREFIX}/*"]
        return handler(request)

    def quiet(self) -> None:
        """Nothing goes on here by itself."""

    def take_back(self, answer: Answer) -> None:
        """Nobody counts what was served."""

    # How a source gets here

    def connector(
        self,
        credentials: Mapping[str, str] | None = None,
        *,
        tokens: MemoryTokens | None = None,
        budget: Any = None,
        **config: Any,
    ) -> Connector:
        return connect(
            "hubspot",
            config={"base_url": self.url + PREFIX, **config},
            credentials=credentials or {"access_token": PRIVATE_APP},
            access=Access(
                private_hosts=frozenset({self.url.removeprefix("http://")}),
                clock=self.clock.now,
                tokens=tokens or MemoryTokens(),
                budget=budget,
            ),
        )

    def oauth_credentials(self) -> dict[str, str]:
        return {
            "client_id": CLIENT.client_id,
            "client_secret": CLIENT.client_secret,
            "refresh_token": self.portal.oauth.first_refresh(CLIENT.client_id),
        }

    def paths(self) -> list[str]:
        return [f"{one.method} {one.path.removeprefix(PREFIX)}" for one in self.requests]


def _dataset(recipe: Recipe, count: int, now: int) -> Dataset:
    removed = round(count * recipe.removed_share + 0.499)
    return Dataset(recipe, seed=7, now=now, count=count, removed=removed)


@contextmanager
def serving(account: Account) -> Iterator[Account]:
    server = Server(cast(World, account))
    account.url = server.url
    server.start()
    try:
        yield account
    finally:
        server.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(clock: Clock) -> Iterator[Account]:
    with serving(Account(clock, scale=0.1, rules=Rules(**PLENTY))) as account:
        yield account


def fetch(connector: Connector, stream: str, **request: Any) -> Page:
    return connector.fetch(connector.stream(stream), FetchRequest(**request))


def read(connector: Connector, stream: str, **request: Any) -> list[Page]:
    """Read a stream to its end."""
    pages: list[Page] = []
    cursor = None
    for _ in range(500):
        pages.append(fetch(connector, stream, **{**request, "cursor": cursor}))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages
    pytest.fail("paging does not end")


def ids(pages: list[Page]) -> list[str]:
    return [record.external_id for page in pages for record in page.records]


def gone(pages: list[Page]) -> set[str]:
    return {one.external_id for page in pages for one in page.tombstones}


def refusal(body: Any, status: int, **headers: str) -> Callable[[Request], Answer]:
    return lambda request: json_answer(body, status=status, headers=headers)


def error_of(connector: Connector, stream: str, **request: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        fetch(connector, stream, **request)
    return caught.value
