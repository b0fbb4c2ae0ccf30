"""Real worker and beat processes, watched, killed and always stopped in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from local.servers import PROJECT

QUEUES = "fetch,upsert,metrics,default"
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05


class Started:
    """One process with its children; they form a group of their own."""

    def __init__(self, name: str, command: list[str], *, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=PROJECT, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        self.pid = self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def children(self) -> list[psutil.Process]:
        """Return the pool's processes."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """Take down parent and children at once, as a power cut does."""
        children = self.children()
        if self.is_running:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        psutil.wait_procs(children, timeout=STOP_SECONDS)
        left = [child.pid for child in children if child.is_running()]
        assert not left, f"{self.name} left {left} behind"

    def kill_children(self) -> int:
        """Take down the pool's processes only; return how many."""
        children = self.children()
        for child in children:
            child.kill()
        return len(children)

    def terminate(self, *, seconds: float) -> float:
        """
        Ask the process to end, as a deploy does; return how long that took.

        :raises subprocess.TimeoutExpired: if it is still there
        """
        started = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(seconds)
        return time.monotonic() - started

    def memory(self) -> list[int]:
        """Return the resident bytes of each child."""
        return sorted(child.memory_info().rss for child in self.children())

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")


class Processes:
    """Starts what the Procfile starts, on the test's database and Redis."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self.started: list[Started] = []

    def worker(self, *, queues: str = QUEUES, **environment: str) -> Started:
        """Start a worker; `environment` adds to what all processes get."""
        options = ["--concurrency", "2", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        command = [sys.executable, "-m", "celery", "-A", "syncproject", "worker", "-Q", queues, *options]
        return self._start("worker", command, {"REMAP_SIGTERM": "SIGQUIT", **environment})

    def beat(self) -> Started:
        """Start beat, whose first tick comes at once."""
        schedule = str(self._folder / "beat-schedule")
        options = ["--schedule", schedule, "--pidfile=", "--loglevel", "INFO"]
        return self._start(
            "beat", [sys.executable, "-m", "celery", "-A", "syncproject", "beat", *options], {}
        )

    def stop(self) -> None:
        for process in self.started:
            process.kill()

    def logs(self) -> str:
        """Return what all processes wrote."""
        return "\n".join(
            f"--- {process.name} {process.pid}\n{process.log_text()}" for process in self.started
        )

    def _start(self, name: str, command: list[str], environment: Mapping[str, str]) -> Started:
        log = self._folder / f"{name}-{len(self.started)}.log"
        process = Started(name, command, environment={**self._environment, **environment}, log=log)
        self.started.append(process)
        return process


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> float:
    """
    Return how long it took until the condition held.

    :raises AssertionError: if it did not in time
    """
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        assert waited < seconds, f"{what}: not after {waited:.0f} s"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started
