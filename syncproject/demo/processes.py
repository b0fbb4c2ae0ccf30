"""The demo's processes: started from the Procfile, started again when they die, gone when the demo ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event

from honcho.environ import parse_procfile

from local.processes import started_at

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.05
DEATHS_BEFORE_GIVING_UP = 3
DEATHS_WITHIN_SECONDS = 30.0
LINES_OF_LOG = 15
RECORD = "processes.json"


class ProcessFailed(Exception):
    """A process of the demo ended although it should not; the message ends with its log."""


class Process:
    """One line of the Procfile."""

    def __init__(self, name: str, command: str, *, log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._deaths: deque[float] = deque(maxlen=DEATHS_BEFORE_GIVING_UP)
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self, *, folder: Path, environment: Mapping[str, str]) -> None:
        # A session of its own: Ctrl-C reaches the demo alone, and a signal to the group all it started.
        with self.log.open("ab") as output:
            self._popen = subprocess.Popen(  # noqa: S602 - a Procfile is shell, and it is ours
                self._command,
                shell=True,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid if self._popen else 0

    @property
    def exit_code(self) -> int | None:
        return self._popen.poll() if self._popen else None

    def ask_to_stop(self) -> None:
        if self._popen and self._popen.poll() is None:
            self._popen.terminate()

    def kill_all(self) -> None:
        """Kill what is left of the process and of its children."""
        if self._popen:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()

    def dies_too_often(self) -> bool:
        """Note a death; tell whether starting again makes no sense."""
        self._deaths.append(time.monotonic())
        is_often = len(self._deaths) == DEATHS_BEFORE_GIVING_UP
        return is_often and self._deaths[-1] - self._deaths[0] < DEATHS_WITHIN_SECONDS

    def failure(self) -> ProcessFailed:
        lines = self.log.read_text(errors="replace").splitlines()[-LINES_OF_LOG:]
        return ProcessFailed(
            f"{self.name} ended with exit code {self.exit_code}. The end of {self.log}:\n" + "\n".join(lines)
        )


class Processes:
    """All lines of the Procfile."""

    def __init__(self, procfile: Path, *, environment: Mapping[str, str], logs: Path) -> None:
        """Take the Procfile, the environment on top of ours, and a folder to empty for the logs."""
        kill_leftovers(logs)
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        self._logs = logs
        self._folder = procfile.parent
        self._environment = {**os.environ, **environment, "PATH": _path(), "PYTHONUNBUFFERED": "1"}
        commands: Mapping[str, str] = parse_procfile(procfile.read_text()).processes
        self._all = {
            name: Process(name, command, log=logs / f"{name}.log") for name, command in commands.items()
        }

    def start(self, *names: str) -> None:
        """Start the named ones, or all that do not run yet."""
        for name in names or self._all:
            if not self._all[name].pid:
                self._start(self._all[name])

    def _start(self, process: Process) -> None:
        process.start(folder=self._folder, environment=self._environment)
        # Were the demo killed outright, the next one would find its processes by this.
        running = {one.pid: started_at(one.pid) for one in self._all.values() if one.pid}
        (self._logs / RECORD).write_text(json.dumps(running))

    def wait_until(self, is_ready: Callable[[], bool], *, what: str, seconds: float = 60.0) -> None:
        """
        Wait for a condition.

        :raises ProcessFailed: if it does not come true in time, or a process ends meanwhile
        """
        end = time.monotonic() + seconds
        while not is_ready():
            self._refuse_the_dead()
            if time.monotonic() > end:
                raise ProcessFailed(
                    f"{what} is not ready after {seconds:.0f} s. Look into {self._folder}/.local/demo-logs."
                )
            Event().wait(POLL_SECONDS)

    def _refuse_the_dead(self) -> None:
        for process in self._all.values():
            if process.exit_code is not None:
                raise process.failure()

    def revive(self, *, tell: Callable[[str], None]) -> None:
        """
        Start again what has died: anyone may pull the plug on anything.

        :raises ProcessFailed: if one dies again and again
        """
        for process in self._all.values():
            code = process.exit_code
            if code is None:
                continue
            if process.dies_too_often():
                raise process.failure()
            process.kill_all()
            self._start(process)
            tell(f"{process.name} ended ({_how(code)}) and was started again.")

    def stop(self, *, hurry: Event) -> None:
        """Stop everything; who has not gone after the grace, or when `hurry` is set, is killed."""
        for process in self._all.values():
            process.ask_to_stop()
        end = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < end and not hurry.is_set():
            if all(process.exit_code is not None or not process.pid for process in self._all.values()):
                break
            hurry.wait(POLL_SECONDS)
        for process in self._all.values():
            process.kill_all()
        (self._logs / RECORD).unlink(missing_ok=True)


def kill_leftovers(logs: Path) -> None:
    """Kill what a demo that was killed itself has left running."""
    try:
        recorded: dict[str, str | None] = json.loads((logs / RECORD).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return
    for pid, started in recorded.items():
        if started is not None and started_at(int(pid)) == started:
            with suppress(ProcessLookupError):
                os.killpg(int(pid), signal.SIGKILL)


def _path() -> str:
    # The Procfile says `python`: it must be this one.
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
