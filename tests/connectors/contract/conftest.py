"""One sandbox for all rooms, and a house for a small one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

import sandbox
from tests.connectors.contract import rooms, small, ways
from tests.connectors.contract import test_contract as contract
from tests.connectors.contract import test_streams as streams
from tests.connectors.contract.small import Run, Small

#: Enough for several pages of ten, few enough to read everything several times.
FEW: dict[str, Any] = {
    "customers": 35,
    "products": 23,
    "orders": 41,
    "items": 37,
    "songs": 43,
    "catalog": 27,
    "articles": 230,
}


@pytest.fixture(scope="session")
def outside() -> Iterator[sandbox.SandboxClient]:
    """A small world in which nothing changes."""
    with sandbox.running(seed=11, scale=0.1, **FEW) as client:
        yield client


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, httpserver: HTTPServer
) -> Run:
    """Hold a room against one check of the suite, in a house where it is the only one."""
    pages = tmp_path / "docs" / "providers"
    pages.mkdir(parents=True)
    (pages / "small.md").write_text(small.PAGE)
    monkeypatch.setattr(contract, "ROOT", tmp_path)
    monkeypatch.setattr(rooms, "MOST_PAGES", 50)
    known: dict[str, Any] = {
        "name": "small",
        "stream_name": "orders",
        "way": "key",
        "outside": sandbox.SandboxClient(small.URL),
        "caplog": caplog,
        "httpserver": httpserver,
    }

    def held(check: Callable[..., None], room: type[Small], **offer: Any) -> None:
        monkeypatch.setattr("connectors.all_connectors", lambda: {"small": room})
        for module in (contract, streams, ways):
            monkeypatch.setattr(module, "all_connectors", lambda: {"small": room})
        for place in (contract, rooms, ways):
            monkeypatch.setattr(place, "all_simulators", lambda: {"small": small.simulator(**offer)})
        check(**{name: known[name] for name in inspect.signature(check).parameters})

    return held
