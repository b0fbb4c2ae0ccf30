"""A small Stripe with a clock the test winds, and ways to read its lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors import connect
from connectors.base import Access, Connector, FetchRequest, Json, Page, SourceRecord, Tombstone
from sandbox import SandboxClient, running

NOW = 1_790_000_000
DAY = 86_400
KEY = "sk_test_sandbox"


@dataclass
class Clock:
    """Stands still until it is wound."""

    seconds: float = NOW + 3_600

    def __call__(self) -> float:
        return self.seconds

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def wind(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Run:
    """One reading of a stream from its beginning, as a job keeps it."""

    pages: list[Page] = field(default_factory=list)
    cursors: list[str | None] = field(default_factory=list)
    state: Json = field(default_factory=dict)

    @property
    def records(self) -> list[SourceRecord]:
        return [record for page in self.pages for record in page.records]

    @property
    def tombstones(self) -> list[Tombstone]:
        return [gone for page in self.pages for gone in page.tombstones]

    @property
    def ids(self) -> list[str]:
        return [record.external_id for record in self.records]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> Iterator[SandboxClient]:
    with running(now=NOW, clock=clock, seed=5, scale=0.25, customers=1, products=1, orders=1) as client:
        yield client


Opened = Callable[..., Connector]


@pytest.fixture
def opened(world: SandboxClient, clock: Clock) -> Iterator[Opened]:
    """Open the connector on the small Stripe, with settings of the test's choice."""
    there: list[Connector] = []

    def open_one(*, key: str = KEY, access: Access | None = None, **config: Any) -> Connector:
        reach = access or Access(
            private_hosts=frozenset({world.url.removeprefix("http://")}), clock=clock.moment
        )
        made = connect(
            "stripe",
            config={"base_url": f"{world.url}/stripe", **config},
            credentials={"secret_key": key},
            access=reach,
        )
        there.append(made)
        return made

    yield open_one
    for connector in there:
        connector.close()


def read(connector: Connector, name: str, state: Json | None = None, **request: Any) -> Run:
    """Read a stream to its end; the state that a good run leaves is the last that a page named."""
    run, known, cursor = Run(), state or {}, None
    run.state = known
    while True:
        page = connector.fetch(
            connector.stream(name), FetchRequest(cursor=cursor, stream_state=known, **request)
        )
        run.cursors.append(cursor)
        run.pages.append(page)
        if page.stream_state is not None:
            run.state = page.stream_state
        cursor = page.next_cursor
        if cursor is None:
            return run
