"""A PostgreSQL that the test may kill and start again; nobody else's is ever touched."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path

import psutil

from local import postgres
from local.processes import free_port, last_lines, wait_until
from local.servers import NAME, Server

START_SECONDS = 60.0


class PrivatePostgres:
    """One server with the settings of the private one, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """:raises ServerError: if this machine has no PostgreSQL for us"""
        self._folder = folder
        self._server = Server(port=free_port(), password=secrets.token_urlsafe(16))
        self._process: subprocess.Popen[bytes] | None = None
        postgres.prepare(self._server, folder=folder, is_new_password=True)

    @property
    def settings(self) -> dict[str, str]:
        """Return what Django wants to know of it."""
        server = self._server
        place = {"HOST": "127.0.0.1", "PORT": str(server.port), "NAME": NAME}
        return {**place, "USER": NAME, "PASSWORD": server.password}

    def start(self) -> None:
        """:raises TimeoutError: if it does not accept connections"""
        self._process = postgres.launch(self._server, folder=self._folder)
        self._server.pid = self._process.pid
        if not wait_until(
            lambda: postgres.is_ready(self._server, folder=self._folder), seconds=START_SECONDS
        ):
            raise TimeoutError(last_lines(postgres.log_file(self._folder)))

    def kill(self) -> None:
        """Take down the server with all it forked, as a power cut does."""
        if self._process is None:
            return
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        for child in family:
            child.kill()
        self._process.wait()
        self._process = None
        psutil.wait_procs(family, timeout=5)
