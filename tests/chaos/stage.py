"""The stage: servers, proxies in front of them, and every process of a real installation."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from local.processes import free_port, last_lines, wait_until
from local.servers import HOST, NAME, PROJECT
from sandbox import SandboxClient
from tests.chaos import strict
from tests.chaos.plan import WORKERS
from tests.chaos.processes import Service, send, sweep
from tests.chaos.proxy import Proxy
from tests.chaos.servers import OwnPostgres, OwnRedis, OwnServer
from tests.chaos.strict_client import StrictClient

READY_SECONDS = 90.0
#: What each writes once it is ready.
SIGNS = {
    "sandbox": "sandbox ready",
    "strict world": strict.READY,
    "web": "Booting worker",
    "beat": "Starting",
    **dict.fromkeys(WORKERS, " ready."),
}
QUEUES = "fetch,upsert,metrics,default"
WORKER_OPTIONS = ("--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel", "INFO")


class Stage:
    """Everything that runs; the only part that knows how it is started."""

    def __init__(
        self, folder: Path, *, seed: int, lease_seconds: int, sandbox_options: Sequence[str]
    ) -> None:
        self.folder = folder
        database, broker = connection.settings_dict, urlsplit(settings.REDIS_URL)
        self.postgres = OwnPostgres(
            "postgres", folder=folder, port=int(database["PORT"]), password=database["PASSWORD"]
        )
        self.redis = OwnRedis(
            "redis", folder=folder, port=int(broker.port or 0), password=broker.password or ""
        )
        self.links = {
            "postgres link": Proxy(self.postgres.server.port),
            "redis link": Proxy(self.redis.server.port),
        }
        self.web_port = free_port()
        self._seed = seed
        self._lease_seconds = lease_seconds
        self._sandbox_options = sandbox_options
        self.services: dict[str, Service] = {}
        self.world: SandboxClient
        self.strict: StrictClient

    def set_up(self) -> None:
        """
        Start everything.

        :raises ServerError: if this machine has no PostgreSQL or no Redis for us
        :raises TimeoutError: if something does not answer
        """
        self.postgres.create()
        self._wait_for_servers()
        for link in self.links.values():
            link.start()
        call_command("migrate", verbosity=0)
        self.services = self._services()
        for service in self.services.values():
            service.start()
        self.world = SandboxClient(self._url_of("sandbox"))
        self.strict = StrictClient(self._url_of("strict world"))
        for name in (*WORKERS, "beat", "web"):
            self._wait_for(self.services[name], SIGNS[name])

    def heal(self) -> None:
        """Undo all that was done: what was frozen goes on, what died is back, links carry bytes."""
        for link in self.links.values():
            link.disarm()
            link.release()
        for process in (*self.postgres.everyone(), *self.redis.everyone()):
            send(signal.SIGCONT, [process])
        for service in self.services.values():
            send(signal.SIGCONT, service.everyone())
            service.start()
        self._wait_for_servers()

    def revive(self) -> list[str]:
        """Start again what ended by itself, as a supervisor does; return the names."""
        everything: list[Service | OwnServer] = [*self.services.values(), self.postgres, self.redis]
        ended = [one for one in everything if one.is_wanted and not one.is_running]
        for one in ended:
            one.start()
        return [one.name for one in ended]

    def tear_down(self) -> None:
        """Leave no process behind."""
        sweep(self.folder)
        for link in self.links.values():
            link.stop()

    def _wait_for_servers(self) -> None:
        for server in (self.postgres, self.redis):
            server.start()
        for server in (self.postgres, self.redis):
            server.wait_until_ready()

    def _services(self) -> dict[str, Service]:
        python = (sys.executable, "-m")
        celery = (*python, "celery", "-A", "syncproject")
        commands = {
            "sandbox": (
                *python,
                "sandbox",
                "--port",
                "0",
                "--ready-file",
                "sandbox-url",
                "--seed",
                str(self._seed),
                *self._sandbox_options,
            ),
            "strict world": (
                *python,
                "tests.chaos.strict",
                "--ready-file",
                "strict world-url",
                "--seed",
                str(self._seed),
            ),
            "web": (
                *(*python, "gunicorn", "syncproject.wsgi", "--no-control-socket"),
                *("--workers", "2", "--threads", "4", "--bind", f"{HOST}:{self.web_port}"),
            ),
            "beat": (*celery, "beat", "--schedule", "beat-schedule", "--pidfile=", "--loglevel", "INFO"),
            **{
                name: (*celery, "worker", "-n", f"{name}@%h", "-Q", QUEUES, *WORKER_OPTIONS)
                for name in WORKERS
            },
        }
        environment = self._environment()
        return {
            name: Service(name, command, environment=environment, folder=self.folder)
            for name, command in commands.items()
        }

    def _environment(self) -> dict[str, str]:
        """Return what the processes see: the servers behind their proxies."""
        postgres, redis = self.postgres.server, self.redis.server
        to_postgres, to_redis = self.links["postgres link"].port, self.links["redis link"].port
        return {
            **os.environ,
            "DATABASE_URL": f"postgres://{NAME}:{postgres.password}@{HOST}:{to_postgres}/{NAME}",
            "REDIS_URL": f"redis://:{redis.password}@{HOST}:{to_redis}/0",
            "LEASE_SECONDS": str(self._lease_seconds),
            "SYNC_PRIVATE_HOSTS": HOST,
            "PYTHONPATH": str(PROJECT),
            "REMAP_SIGTERM": "SIGQUIT",
        }

    def _url_of(self, name: str) -> str:
        self._wait_for(self.services[name], SIGNS[name])
        return (self.folder / f"{name}-url").read_text().strip()

    def _wait_for(self, service: Service, sign: str) -> None:
        if not wait_until(lambda: sign in service.log.read_text(), seconds=READY_SECONDS):
            raise TimeoutError(
                f"{service.name} does not get ready; {service.log} says:\n{last_lines(service.log)}"
            )
