"""Our pipeline as its users run it: the Procfile's processes, sources added and synced by command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from honcho.environ import parse_procfile

from bench.databases import Database
from bench.memory import Sampler
from bench.world import TOKEN, World
from local.processes import free_port
from local.servers import PROJECT
from tests.story.processes import Started
from tests.story.redis import PrivateRedis

WARM_UP = "warm-up"
READY_SECONDS = 120.0
POLL_SECONDS = 0.1
PROCFILE_CONCURRENCY = "--concurrency 4"
# An idle connection of a worker tells PostgreSQL's counters within ten seconds what it wrote.
STATISTICS_SECONDS = 11.0
WRITTEN = """
    SELECT COALESCE(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables
     WHERE relname ~ '^(ingest_(rawrecord|failedsync|order|orderline)|metrics_.*)$'
    """


class LoadFailed(Exception):
    """A load did not end as it should; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What the jobs' rows say in the end."""

    records: int
    #: From the first job's creation to the last one's end, by PostgreSQL's clock.
    seconds: float


class Installation:
    """One database with our tables, and the commands an operator types."""

    def __init__(self, suffix: str, *, template: str = "template1", **environment: str) -> None:
        self.database = Database(suffix, template=template)
        self.environment = {
            **os.environ,
            "DATABASE_URL": self.database.url,
            "DJANGO_SETTINGS_MODULE": "syncproject.settings",
            "SYNC_PRIVATE_HOSTS": "127.0.0.1,localhost",
            **environment,
        }

    def command(self, *arguments: str, stdin: str = "") -> None:
        """
        Run a Python program on this installation, `manage.py` say.

        :raises LoadFailed: if it fails
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LoadFailed(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")

    def migrate(self) -> None:
        self.command("manage.py", "migrate", "--verbosity", "0")

    def add_source(self, name: str, world: World, *, page_size: int) -> None:
        """Add a shop, or point the one of that name elsewhere."""
        config: dict[str, object] = {
            "shop": "sandbox.myshopify.com",
            "base_url": f"{world.client.url}/shopify",
        }
        config["rest_rate"] = 10_000.0  # the sandbox's own limit is none
        options = ["--config", json.dumps(config), "--credentials", "-", "--no-schedule", "--replace"]
        credentials = json.dumps({"access_token": TOKEN})
        self.command("manage.py", "addsource", name, "shopify", *options, stdin=credentials)
        self.database.run("UPDATE ingest_sourcestream SET page_size = %s", [page_size])

    def sync(self, *sources: str) -> Ended:
        """
        Fetch all of these sources' orders at once through the workers; return when their jobs have ended.

        :raises LoadFailed: if a job ends badly
        """
        self.command("-m", "bench.loaders.start_jobs", *sources)
        return self._ended(len(sources))

    def sync_here(self, source: str) -> Ended:
        """Take the same steps in one process without workers, which is warmed up as they are."""
        self.command("-m", "bench.loaders.one_process", WARM_UP, source)
        return self._ended(1)

    def _ended(self, count: int) -> Ended:
        live = "SELECT 1 FROM ingest_collectionjob WHERE status IN ('PENDING', 'RUNNING')"
        # Seldom and over one connection: looking must not cost what is looked at.
        with self.database.cursor() as cursor:
            while cursor.execute(live) or cursor.fetchone():
                time.sleep(POLL_SECONDS)
        latest = "SELECT * FROM ingest_collectionjob ORDER BY id DESC LIMIT %s"
        ((records, seconds, unwell),) = self.database.rows(
            f"""
            SELECT sum(fetched), extract(epoch FROM max(finished_at) - min(created_at)),
                   string_agg(status || ' ' || error, '; ') FILTER (WHERE status <> 'SUCCEEDED')
              FROM ({latest}) job
            """,  # noqa: S608 - our own statement
            [count],
        )
        if unwell:
            raise LoadFailed(f"A job of ours did not succeed: {unwell}")
        return Ended(int(records), float(seconds))

    def rows_written(self) -> int:
        """Return how many rows were ever written to the tables of records, dead letters and metrics."""
        time.sleep(STATISTICS_SECONDS)
        return int(self.database.rows(WRITTEN)[0][0])

    def drop(self) -> None:
        self.database.drop()


class Running(Installation):
    """An installation with its Redis, web, beat and worker up, as long as the `with` lasts."""

    memory: Sampler

    def __init__(self, folder: Path, *, template: str, concurrency: int | None = None) -> None:
        """Take the number of the worker's processes if it is not to be the Procfile's."""
        self._folder = folder
        self._concurrency = concurrency
        self._redis = PrivateRedis(folder)
        self._started: list[Started] = []
        web_port = str(free_port())
        super().__init__("ours", template=template, REDIS_URL=self._redis.url, WEB_PORT=web_port)

    def __enter__(self) -> Running:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        self.memory = Sampler(self._pids())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.memory.stop()
        self._stop()

    def _stop(self) -> None:
        for process in self._started:
            process.kill()
        self._redis.kill()
        self.drop()

    def logs(self) -> str:
        return "\n".join(f"--- {process.name}\n{process.log_text()[-3000:]}" for process in self._started)

    def _start(self) -> None:
        self._redis.start()
        lines: dict[str, Any] = parse_procfile((PROJECT / "Procfile").read_text()).processes
        worker = lines["worker"]
        if self._concurrency is not None:
            worker = _replaced(worker, PROCFILE_CONCURRENCY, f"--concurrency {self._concurrency}")
        beat = _replaced(lines["beat"], ".local/beat-schedule", str(self._folder / "beat-schedule"))
        for name, line in (("web", lines["web"]), ("beat", beat), ("worker", worker)):
            log = self._folder / f"{name}.log"
            log.unlink(missing_ok=True)  # of an earlier case
            environment = {**self.environment, "PATH": _path()}
            self._started.append(Started(name, ["sh", "-c", line], environment=environment, log=log))
        self._wait_for_worker()

    def _wait_for_worker(self) -> None:
        end = time.monotonic() + READY_SECONDS
        worker = self._started[-1]
        while " ready." not in worker.log_text():
            if time.monotonic() > end or not worker.is_running:
                raise LoadFailed(f"The worker is not ready after {READY_SECONDS:.0f} s:\n{self.logs()}")
            time.sleep(POLL_SECONDS)

    def _pids(self) -> dict[str, int]:
        with self._redis.client() as client:
            redis = int(client.info("server")["process_id"])
        return {"redis": redis, **{process.name: process.pid for process in self._started}}


def _replaced(line: str, old: str, new: str) -> str:
    if old not in line:
        raise LoadFailed(f"The Procfile no longer says {old!r} in: {line}")
    return line.replace(old, new)


def _path() -> str:
    # The Procfile says `python`: it must be this one.
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
