"""A company in the sandbox whose clock the test moves, and one whose answers the test writes down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connectors import connect
from connectors.auth.tokens import MemoryTokens
from connectors.base import Access, Connector, FetchRequest, Page, SourceRecord, Tombstone
from sandbox import Options, SandboxClient, World
from sandbox.quickbooks import REALM
from sandbox.quickbooks_oauth import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH
from sandbox.server import Server

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRETS = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
MOST_PAGES = 400


@dataclass(slots=True)
class Clock:
    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()

    def pass_by(self, **time: float) -> None:
        self.moment += timedelta(**time)


@dataclass(slots=True)
class Books:
    """A company in the sandbox."""

    client: SandboxClient
    clock: Clock
    tokens: MemoryTokens = field(default_factory=MemoryTokens)

    @contextmanager
    def opened(
        self, *, refresh_token: str = FIRST_REFRESH, tokens: MemoryTokens | None = None, **config: Any
    ) -> Iterator[Connector]:
        url = self.client.url
        connector = connect(
            "quickbooks",
            config={"realm_id": REALM, "base_url": f"{url}/quickbooks", **config},
            credentials={**SECRETS, "refresh_token": refresh_token},
            access=Access(
                private_hosts=frozenset({url.removeprefix("http://")}),
                tokens=tokens or self.tokens,
                clock=self.clock.now,
            ),
        )
        try:
            yield connector
        finally:
            connector.close()

    def ids(self, stream: str) -> set[str]:
        """Return what there is."""
        return set(self.client.ledger(f"quickbooks.{stream}", full=True)["expected"]["newest"])

    def asked(self, stream: str) -> tuple[int, int]:
        """Return how often changes were asked for, and how often a page."""
        pages = self.client.ledger(f"quickbooks.{stream}")["served"]["pages"]
        changes = sum(times for cursor, times in pages.items() if cursor.startswith("cdc"))
        return changes, sum(pages.values()) - changes


@dataclass(slots=True)
class Run:
    """What one reading of a stream came to."""

    pages: list[Page] = field(default_factory=list)

    @property
    def records(self) -> list[SourceRecord]:
        return [record for page in self.pages for record in page.records]

    @property
    def ids(self) -> list[str]:
        return [record.external_id for record in self.records]

    @property
    def tombstones(self) -> list[Tombstone]:
        return [gone for page in self.pages for gone in page.tombstones]


def read(
    connector: Connector, stream: str, *, between: Callable[[], None] | None = None, **request: Any
) -> Run:
    """Read a stream to its end, with something happening between the pages."""
    run, cursor = Run(), request.pop("cursor", None)
    while len(run.pages) < MOST_PAGES:
        page = connector.fetch(connector.stream(stream), FetchRequest(cursor=cursor, **request))
        run.pages.append(page)
        cursor = page.next_cursor
        if cursor is None:
            return run
        if between:
            between()
    raise AssertionError(f"no end after {MOST_PAGES} pages")


@contextmanager
def serving(clock: Clock, **options: Any) -> Iterator[Books]:
    now = int(clock.seconds())
    world = World(Options(now=now, scale=0.2, **options), clock=clock.seconds)
    server = Server(world)
    server.start()
    try:
        yield Books(client=SandboxClient(server.url), clock=clock)
    finally:
        server.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def books(clock: Clock) -> Iterator[Books]:
    with serving(clock) as books:
        yield books


@pytest.fixture
def strict(clock: Clock) -> Iterator[Books]:
    """The limits of the real one."""
    with serving(clock, leak_rate=2.0) as books:
        yield books


@pytest.fixture
def scripted(httpserver: HTTPServer) -> Iterator[Connector]:
    """A company whose answers the test writes down; tokens are to be had."""
    httpserver.expect_request("/oauth2/v1/tokens/bearer", method="POST").respond_with_json(
        {
            "access_token": "eyJ-canary",
            "refresh_token": "AB11-next",
            "expires_in": 3600,
            "token_type": "bearer",
        }
    )
    connector = connect(
        "quickbooks",
        config={"realm_id": "77", "base_url": httpserver.url_for("/")},
        credentials={**SECRETS, "refresh_token": "AB11-first"},
        access=Access(private_hosts=frozenset({"localhost"})),
    )
    yield connector
    connector.close()
