"""Starting, recognising and stopping processes that outlive the command that started them."""

from __future__ import annotations

import os
import pwd
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.errors import ServerError
from local.servers import HOST, Server

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Below the range from which systems take the ports of outgoing connections, so that it stays free.
PORTS = range(20_000, 30_000)
POLL_SECONDS = 0.02
# Nothing of the caller's: PGDATA, PGPORT, PGOPTIONS and LD_LIBRARY_PATH would change what is started.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def unprivileged_user() -> pwd.struct_passwd | None:
    """
    Return whom the servers run as when we are root (PostgreSQL refuses root); None: as ourselves.

    :raises ServerError: if the system has no such user
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise ServerError(
            "PostgreSQL does not run as root and this system has no user 'nobody'. Run this as an ordinary "
            "user, or set DATABASE_URL and REDIS_URL to servers of your own."
        ) from None


def identity_options() -> dict[str, Any]:
    """Return the options with which subprocess starts a program as the servers' user."""
    user = unprivileged_user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def run_to_end(command: Sequence[str | Path], *, cwd: Path, stdin: str = "") -> None:
    """
    Run a program as the servers' user.

    :raises ServerError: with what it printed, if it fails
    """
    done = subprocess.run(
        command,
        input=stdin,
        cwd=cwd,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **identity_options(),
    )
    if done.returncode != 0:
        raise ServerError(
            f"{Path(command[0]).name} failed ({done.returncode}): {done.stdout.strip()[-2000:]}"
        )


def start(command: Sequence[str | Path], *, cwd: Path, log: Path, stdin: str = "") -> subprocess.Popen[bytes]:
    """Start a program as the servers' user, out of reach of this terminal's Ctrl-C."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=ENVIRONMENT,
            start_new_session=True,
            **identity_options(),
        )
    if process.stdin is not None:
        with (
            suppress(BrokenPipeError),
            process.stdin as pipe,
        ):  # it may have ended already: the caller sees that
            pipe.write(stdin.encode())
    return process


def started_at(pid: int) -> str | None:
    """Return what tells this process from a later one with the same id; None when it has ended."""
    if not BOOT_ID.exists():
        return _started_at_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name comes second, in brackets, and may hold anything.
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{BOOT_ID.read_text().strip()}:{rest[18]}"


def _started_at_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, began = (
        subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip().partition(" ")
    )
    return None if not state or state.startswith("Z") else began.strip()


def is_running(server: Server) -> bool:
    """Tell whether the recorded process is alive, and not merely its number."""
    return server.pid > 0 and started_at(server.pid) == server.started


def stop(server: Server, *, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
    """
    Send each signal in turn, with seconds to wait after it; tell whether there was anything to stop.

    :raises ServerError: if the process is still there at the end
    """
    if not is_running(server):
        return False
    for number, seconds in steps:
        os.kill(server.pid, number)
        if wait_until(lambda: not is_running(server), seconds=seconds):
            _reap(server.pid)
            return True
    raise ServerError(f"Process {server.pid} does not stop; look at it with ps -p {server.pid}.")


def _reap(pid: int) -> None:
    # Where `run` started it, it is our child and stays a zombie until asked; otherwise init asks.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Tell whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def is_free(port: int) -> bool:
    """Tell whether nobody listens on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """
    Return a port nobody listens on.

    :raises ServerError: if there is none
    """
    for port in secrets.SystemRandom().sample(PORTS, k=len(PORTS)):
        if is_free(port):
            return port
    raise ServerError(f"No free port between {PORTS.start} and {PORTS.stop} on {HOST}.")


def last_lines(log: Path, *, count: int = 8) -> str:
    """Return the end of a server's log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
