"""A pretended outside world on loopback: providers with sample data, faults and a ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.client import SandboxClient, SandboxError
from sandbox.options import Options
from sandbox.server import Server
from sandbox.world import World

__all__ = ["Options", "SandboxClient", "SandboxError", "World", "running"]


@contextmanager
def running(
    *, clock: Callable[[], float] = time.time, port: int = 0, **options: Any
) -> Iterator[SandboxClient]:
    """
    Run a sandbox in this process and hand out its client; `options` are those of `Options`.

    :raises TypeError: if there is no such option
    :raises OSError: if the port is taken
    """
    server = Server(World(Options(**{"now": int(clock()), **options}), clock=clock), port=port)
    server.start()
    try:
        yield SandboxClient(server.url)
    finally:
        server.stop()
