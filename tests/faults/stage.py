"""Workers that fail on cue, and one that is kept warm to take over."""

from __future__ import annotations

import sys
from contextlib import suppress

import psutil
from celery import Celery

from local.processes import free_port
from tests.story.processes import Processes, Started, wait_for

#: Small bounds, so that a small world sees every hand-over several times.
SMALL_STEPS = {
    "LEASE_SECONDS": "5",
    "MAX_PAGES_AHEAD": "2",
    "APPLY_BATCH_RECORDS": "20",
    "METRICS_SECONDS": "0",
}
QUEUES = ("fetch", "upsert", "metrics", "default")
REST = "rest"


class Stage(Processes):
    """What the Procfile starts, and workers that fail on cue."""

    @property
    def database_url(self) -> str:
        return self._environment["DATABASE_URL"]

    def victim(self, fault_at: str, *, signal: str = "SIGKILL", **environment: str) -> Started:
        """Start a worker that sends itself a signal at a named point; see points.py."""
        fault = {"FAULT_AT": fault_at, "FAULT_SIGNAL": signal}
        return self._worker("tests.faults.app", queues=",".join(QUEUES), **fault, **environment)

    def poisoned(self, place: str, *, record: str) -> Started:
        """Start a worker whose pool processes end whenever they meet a record at a function."""
        poison = {"POISON_AT": place, "POISON_RECORD": record}
        return self._worker("tests.faults.app", queues=",".join(QUEUES), **poison)

    def web(self) -> tuple[Started, str]:
        """Start a web process; return it with its address."""
        address = f"127.0.0.1:{free_port()}"
        options = ["--no-control-socket", "--workers", "1", "--threads", "4", "--bind", address]
        command = [sys.executable, "-m", "gunicorn", "syncproject.wsgi", *options]
        return self._start("web", command, {}), f"http://{address}"

    def standby(self) -> Started:
        """Start a worker that hears nothing before `call_in`."""
        worker = self._worker("syncproject", queues=REST)
        wait_for(lambda: " ready." in worker.log_text(), seconds=60, what="the worker on standby is ready")
        return worker

    def call_in(self, worker: Started) -> None:
        """Let a worker on standby hear every queue."""
        self._tell(worker, "add_consumer")

    def send_off(self, worker: Started) -> None:
        """Put a worker back on standby."""
        self._tell(worker, "cancel_consumer")

    def _worker(self, app: str, *, queues: str, **environment: str) -> Started:
        options = ["--concurrency", "1", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        name = f"worker-{len(self.started)}@localhost"
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "-Q", queues, "-n", name, *options]
        return self._start(name, command, {**SMALL_STEPS, "REMAP_SIGTERM": "SIGQUIT", **environment})

    def _tell(self, worker: Started, order: str) -> None:
        with Celery(broker=self._environment["REDIS_URL"], set_as_current=False) as client:
            for queue in QUEUES:
                tell = getattr(client.control, order)
                assert tell(queue, destination=[worker.name], reply=True, timeout=10), (
                    f"{worker.name} is deaf"
                )


def is_stopped(worker: Started) -> bool:
    """Tell whether a worker stands still, its pool included."""
    with suppress(psutil.NoSuchProcess):
        family = [psutil.Process(worker.pid), *worker.children()]
        return len(family) > 1 and all(one.status() == psutil.STATUS_STOPPED for one in family)
    return False
