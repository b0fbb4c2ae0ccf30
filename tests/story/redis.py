"""A Redis that the test may flush, kill and start again; nobody else's is ever touched."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from local.errors import ServerError
from local.processes import free_port
from local.programs import find
from local.redis import PROGRAM, SETTINGS, VARIABLE

START_SECONDS = 10.0


@contextmanager
def private_redis() -> Iterator[PrivateRedis]:
    """Run one in a folder that goes with it; where this machine has none the test is skipped."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # where we are root, the program is copied for another user
        try:
            server = PrivateRedis(Path(folder))
        except ServerError as error:
            pytest.skip(str(error))
        server.start()
        yield server
        server.kill()


class PrivateRedis:
    """One redis-server with the settings of the private one, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """:raises ServerError: if this machine has no redis-server for us"""
        self._program = find(PROGRAM, variable=VARIABLE, folder=folder)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """:raises TimeoutError: if it does not answer"""
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-"], stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self._folder
            )
        assert self._process.stdin is not None
        with self._process.stdin as settings:
            settings.write(f"{SETTINGS}port {self.port}\n".encode())
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > end:
                raise TimeoutError((self._folder / "redis.log").read_text())
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def flush(self) -> None:
        with self.client() as client:
            client.flushall()

    def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue."""
        with self.client() as client:
            return int(client.llen(queue))

    def unacknowledged(self) -> int:
        """Return how many messages some worker took and did not finish."""
        with self.client() as client:
            return int(client.hlen("unacked"))

    def dump(self) -> bytes:
        """Return every key and value, as Redis writes them to disk."""
        with self.client() as client:
            keys = client.scan_iter()
            return b"\n".join(key + (client.dump(key) or b"") for key in keys)

    def client(self) -> Redis:
        return Redis(port=self.port, socket_timeout=5)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except OSError:
            return False
        except Exception as error:  # noqa: BLE001 - redis-py's errors are no OSErrors; loading is one of them
            return "unreachable" in str(error)
