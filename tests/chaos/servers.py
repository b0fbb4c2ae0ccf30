"""A PostgreSQL and a Redis of the run's own, with the settings of the private ones."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from redis import Redis

from local import postgres, redis
from local.processes import last_lines, started_at
from local.servers import NAME, Server
from tests.chaos.processes import send, wait_for_end

READY_SECONDS = 90.0
POLL_SECONDS = 0.05


class OwnServer:
    """A server that is killed and comes back on the same port with the same data."""

    def __init__(self, name: str, *, folder: Path, port: int, password: str) -> None:
        self.name = name
        self.folder = folder
        self.server = Server(port=port, password=password)
        #: What the run wants; a server that is not running although it should has ended by itself.
        self.is_wanted = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it unless it runs; it answers a little later."""
        self.is_wanted = True
        if not self.is_running:
            self._process = self._launch()
            self.server.pid = self._process.pid
            self.server.started = started_at(self._process.pid) or ""

    def wait_until_ready(self) -> None:
        """
        Wait until it answers; where it gives up, as the last one has left something behind, start it again.

        :raises TimeoutError: if it never answers
        """
        end = time.monotonic() + READY_SECONDS
        while not (self.is_running and self._is_ready()):
            self.start()
            if time.monotonic() > end:
                raise TimeoutError(f"{self._log()} ends with:\n{last_lines(self._log())}")
            time.sleep(POLL_SECONDS)

    def everyone(self) -> list[psutil.Process]:
        """Return the server and its children."""
        if not self.is_running:
            return []
        parent = psutil.Process(self.server.pid)
        return [parent, *parent.children(recursive=True)]

    def end(self, number: signal.Signals) -> list[int]:
        """Send the server a signal that ends it at once, and wait until it and its children are gone."""
        self.is_wanted = False
        everyone = self.everyone()
        if self._process is not None and everyone:
            os.kill(self._process.pid, number)
            self._process.wait(timeout=READY_SECONDS)
            # A child that was frozen cannot see that its parent is gone.
            send(signal.SIGCONT, everyone)
            wait_for_end(everyone)
        return [process.pid for process in everyone]

    def _launch(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _log(self) -> Path:
        raise NotImplementedError


class OwnPostgres(OwnServer):
    """PostgreSQL, as durable as in production."""

    def create(self) -> None:
        """:raises ServerError: if this machine has no PostgreSQL for us"""
        postgres.prepare(self.server, folder=self.folder, is_new_password=True)

    def backends(self) -> list[psutil.Process]:
        """Return the processes that serve a client each."""
        return [process for process in self.everyone() if _serves_client(process)]

    def _launch(self) -> subprocess.Popen[bytes]:
        return postgres.launch(self.server, folder=self.folder)

    def _is_ready(self) -> bool:
        return postgres.is_ready(self.server, folder=self.folder)

    def _log(self) -> Path:
        return postgres.log_file(self.folder)


class OwnRedis(OwnServer):
    """Redis, which loses what it likes."""

    def wipe(self) -> int:
        """Forget everything; return how many keys there were."""
        return self._with_client(_wiped)

    def _with_client(self, ask: Callable[[Redis], int]) -> int:
        with Redis(port=self.server.port, password=self.server.password, socket_timeout=5) as client:
            return ask(client)

    def _launch(self) -> subprocess.Popen[bytes]:
        return redis.launch(self.server, folder=self.folder)

    def _is_ready(self) -> bool:
        return redis.is_ready(self.server)

    def _log(self) -> Path:
        return redis.log_file(self.folder)


def _wiped(client: Redis) -> int:
    keys = int(client.dbsize())
    client.flushall()
    return keys


def _serves_client(process: psutil.Process) -> bool:
    try:
        return " ".join(process.cmdline()).startswith(f"postgres: {NAME} ")
    except psutil.Error:
        return False
