"""What is compared: each with a database of its own, each loading in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.databases import Database
from bench.ours import Installation, LoadFailed, Running
from bench.world import TOKEN, World
from local.servers import FOLDER, PROJECT

DLT_PYTHON = FOLDER / "bench" / "dlt" / "bin" / "python"
DLT_STATE = FOLDER / "bench" / "dlt-state"
DLT_REQUIREMENTS = PROJECT / "bench" / "requirements-dlt.txt"
PAGE_SIZE = 250


@dataclass(frozen=True, slots=True)
class Load:
    """One load, measured."""

    records: int
    seconds: float
    #: The most memory of the process that loads; of ours, of its largest worker process.
    peak_bytes: int
    #: Rows written to the tables of records, where that was counted.
    written: int | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """One of the others: what starts it, and how many records it is given at most."""

    command: tuple[str | Path, ...]
    most: int
    #: How the amount is said to it.
    unit: str = "--records"
    per_unit: int = 1


def _dlt(name: str, *options: str, most: int) -> Peer:
    script = PROJECT / "bench" / "loaders" / "dlt_rest.py"
    command: tuple[str | Path, ...] = (DLT_PYTHON, script, "--folder", DLT_STATE / name, *options)
    return Peer(command, most=most, unit="--pages", per_unit=PAGE_SIZE)


PLAIN = (sys.executable, "-m", "bench.loaders.plain")
#: Row by row is given few records: a hundred thousand would take a quarter of an hour each time.
PEERS = {
    "dlt": _dlt("dlt", most=100_000),
    "dlt tuned": _dlt("dlt tuned", "--tuned", most=50_000),
    "bulk_create": Peer((*PLAIN, "--batch", "1000"), most=20_000),
    "update_or_create": Peer((*PLAIN, "--batch", "1"), most=1_000),
}
NAMES = ("ours", "limit", *PEERS)


class System(Protocol):
    """Something that copies the orders into PostgreSQL."""

    name: str

    def empty(self) -> None:
        """Forget everything, so that the next load is the first."""

    def load(self) -> Load:
        """:raises LoadFailed: if it fails"""

    def drop(self) -> None:
        """Leave nothing behind."""


class Ours:
    """The pipeline, through its workers."""

    name = "ours"

    def __init__(self, running: Running, world: World) -> None:
        self._running = running
        running.add_source("shop-1", world, page_size=PAGE_SIZE)
        self._written = running.rows_written()

    def empty(self) -> None:
        self._running.database.empty()

    def load(self) -> Load:
        since = self._running.memory.elapsed
        ended = self._running.sync("shop-1")
        peak = self._running.memory.peaks(since=since).get("worker child", 0)
        before, self._written = self._written, self._running.rows_written()
        return Load(ended.records, ended.seconds, peak, self._written - before)

    def drop(self) -> None:
        """Nothing: whoever started the processes stops them."""


class Program:
    """A loader that is a program of its own with tables of its own."""

    def __init__(self, name: str, world: World) -> None:
        peer = PEERS[name]
        amount = -(-min(world.records, peer.most) // peer.per_unit)
        self.name = name
        self._command = [
            *peer.command,
            world.first_page(PAGE_SIZE),
            *("--token", TOKEN, peer.unit, str(amount)),
        ]
        self._database = Database(name.replace(" ", "_"))

    def empty(self) -> None:
        self._database.make()
        shutil.rmtree(DLT_STATE / self.name, ignore_errors=True)

    def load(self) -> Load:
        return run(self._command, self._database)

    def drop(self) -> None:
        self._database.drop()


class Limit:
    """The least work on our own tables."""

    name = "limit"

    def __init__(self, world: World, *, template: str) -> None:
        self._installation = Installation("limit", template=template)
        self._installation.add_source("shop-1", world, page_size=PAGE_SIZE)
        self._page = world.first_page(PAGE_SIZE)

    def empty(self) -> None:
        self._installation.database.empty()

    def load(self) -> Load:
        database = self._installation.database
        ((source, stream),) = database.rows(
            "SELECT source_id, id FROM ingest_sourcestream WHERE name = 'orders'"
        )
        ids = ["--source", str(source), "--stream", str(stream)]
        return run(
            [sys.executable, "-m", "bench.loaders.limit", self._page, "--token", TOKEN, *ids], database
        )

    def drop(self) -> None:
        self._installation.drop()


def run(command: Sequence[str | Path], database: Database) -> Load:
    """:raises LoadFailed: if the program fails"""
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": database.url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LoadFailed(
            f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr[-3000:]}"
        )
    return Load(**json.loads(done.stdout.splitlines()[-1]))


def install_dlt() -> None:
    """
    Make dlt an environment of its own: it shares requirements with ours, in other versions.

    :raises LoadFailed: if it cannot be installed
    """
    stamp = DLT_PYTHON.parent.parent / "installed.txt"
    wanted = DLT_REQUIREMENTS.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    sys.stdout.write("Installing dlt into .local/bench\n")
    pip: list[str | Path] = [DLT_PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", DLT_PYTHON.parent.parent], check=True)
        subprocess.run([*pip, "-r", DLT_REQUIREMENTS], check=True)
    except subprocess.CalledProcessError as error:
        raise LoadFailed(
            f"dlt could not be installed ({error}). Look above, or leave it out with --system."
        ) from None
    stamp.write_text(wanted)
