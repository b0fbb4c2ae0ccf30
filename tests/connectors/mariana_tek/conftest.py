"""A source on a server that is written down in the test, and one on the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connectors import connect, exact_json
from connectors.auth.tokens import MemoryTokens, TokenStore
from connectors.base import Access, Connector
from sandbox import SandboxClient
from sandbox.mariana_tek_api import API_KEY, PREFIX

PAGES = Path(__file__).parent / "pages"
START = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
KEY = "key-canary-1234"


class Clock:
    """Stands still until it is wound."""

    now = START

    def __call__(self) -> datetime:
        return self.now

    def wind(self, **length: float) -> None:
        self.now += timedelta(**length)


@contextmanager
def source(
    url: str,
    *,
    credentials: dict[str, Any] | None = None,
    tokens: TokenStore | None = None,
    clock: Callable[[], datetime] | None = None,
    **config: Any,
) -> Iterator[Connector]:
    """Open a source at `url`."""
    netloc = url.removeprefix("http://").partition("/")[0]
    more: dict[str, Any] = {"clock": clock} if clock else {}
    connector = connect(
        "mariana_tek",
        config={"brand": "stools", "base_url": url, "poll_seconds": 0.1, **config},
        credentials=credentials or {"api_key": KEY},
        access=Access(private_hosts=frozenset({netloc}), tokens=tokens or MemoryTokens(), **more),
    )
    try:
        yield connector
    finally:
        connector.close()


@contextmanager
def at_sandbox(world: SandboxClient, **how: Any) -> Iterator[Connector]:
    """Open a source at the pretended brand, by its API key unless told otherwise."""
    with source(f"{world.url}{PREFIX}", **{"credentials": {"api_key": API_KEY}, **how}) as connector:
        yield connector


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def studio(httpserver: HTTPServer, clock: Clock) -> Iterator[Connector]:
    with source(httpserver.url_for("/").rstrip("/"), clock=clock) as connector:
        yield connector


def page(stream: str) -> bytes:
    return (PAGES / f"{stream}_1.json").read_bytes()


def records(stream: str) -> list[dict[str, Any]]:
    return exact_json.loads(page(stream))["data"]  # type: ignore[no-any-return]


def refined(stream: str, number: int = 0, **config: Any) -> Any:
    """Return what a record of a page becomes."""
    with source("http://127.0.0.1:9", **config) as connector:
        return connector.stream(stream).refine(records(stream)[number])
