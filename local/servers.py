"""What is known of the private servers (port, password, process), kept in .local/servers.json."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".local"
RECORD = FOLDER / "servers.json"

HOST = "127.0.0.1"
NAME = "syncproject"


@dataclass(slots=True)
class Server:
    """Where one server listens and which process it is."""

    port: int = 0
    password: str = ""
    pid: int = 0
    #: Tells the process from a later one with the same id.
    started: str = ""


@dataclass(slots=True)
class Servers:
    """The contents of .local/servers.json."""

    postgres: Server = field(default_factory=Server)
    redis: Server = field(default_factory=Server)
    #: Started by `up`: they stay when the last `run` ends.
    is_kept: bool = False
    project: str = ""


def load() -> Servers:
    """Return what was recorded; blanks when nothing was, or when the record belongs to another folder."""
    try:
        found = json.loads(RECORD.read_text())
    except FileNotFoundError:
        return Servers(project=str(PROJECT))
    if found["project"] != str(PROJECT) and Path(found["project"]).exists():
        # The project's folder was copied, record included: the servers are the original's.
        return Servers(project=str(PROJECT))
    return Servers(
        postgres=Server(**found["postgres"]),
        redis=Server(**found["redis"]),
        is_kept=found["is_kept"],
        project=str(PROJECT),
    )


def save(servers: Servers) -> None:
    """Record, so that a reader sees the old record or the new one, and nobody else sees either."""
    fresh = RECORD.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600, exist_ok=False)
    fresh.write_text(json.dumps(asdict(servers), indent=1))
    fresh.replace(RECORD)


def is_given(variable: str) -> bool:
    """Tell whether the settings take this address from the environment or from .env."""
    if os.environ.get(variable):
        return True
    try:
        given = (PROJECT / ".env").read_text()
    except FileNotFoundError:
        return False
    return re.search(rf"^\s*(export\s+)?{variable}\s*=\s*\S", given, re.MULTILINE) is not None


def database_url() -> str | None:
    """Return the private PostgreSQL's URL; None before the first `make up`, or if another user ran it."""
    server = _readable().postgres
    return f"postgres://{NAME}:{server.password}@{HOST}:{server.port}/{NAME}" if server.password else None


def redis_url() -> str | None:
    """Return the private Redis' URL; None before the first `make up`, or if another user ran it."""
    server = _readable().redis
    return f"redis://:{server.password}@{HOST}:{server.port}/0" if server.password else None


def _readable() -> Servers:
    try:
        return load()
    except PermissionError:
        # Whoever has servers of their own must not stumble over it; `make up` says whose it is.
        return Servers()
