"""One sandbox for all rooms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import sandbox

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
