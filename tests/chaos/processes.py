"""One of our processes with its children: started, killed, frozen and started again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

GONE_SECONDS = 30.0


class Service:
    """
    A program that may die at any time.

    Its working folder is the run's own, and by that what is left of it is found in the end.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        #: What the run wants; a service that is not running although it should has ended by itself.
        self.is_wanted = False
        self.log = folder / f"{name}.log"
        self._command = command
        self._environment = environment
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it unless it runs."""
        self.is_wanted = True
        if self.is_running:
            return
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self) -> list[int]:
        """Take down parent and children at once, as a power cut does; return their ids."""
        self.is_wanted = False
        everyone = self.everyone()
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        wait_for_end(everyone)
        return [process.pid for process in everyone]

    def everyone(self) -> list[psutil.Process]:
        """Return the parent and its children."""
        if self._process is None or not self.is_running:
            return []
        return [psutil.Process(self._process.pid), *self.children()]

    def children(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            if self._process is not None:
                return psutil.Process(self._process.pid).children(recursive=True)
        return []


def send(number: signal.Signals, processes: Sequence[psutil.Process]) -> list[int]:
    """Signal those that still live; return their ids."""
    reached = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
            reached.append(process.pid)
    return reached


def wait_for_end(processes: Sequence[psutil.Process]) -> None:
    """
    Wait until all are gone.

    :raises TimeoutError: if one stays
    """
    _, alive = psutil.wait_procs(processes, timeout=GONE_SECONDS)
    if alive:
        raise TimeoutError(f"still running after SIGKILL: {alive}")


def sweep(folder: Path) -> int:
    """Kill whatever works in this folder of ours; return how many that were."""
    found = [process for process in psutil.process_iter() if _works_in(process, folder)]
    send(signal.SIGKILL, found)
    wait_for_end(found)
    return len(found)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        place = Path(process.cwd())
    except (psutil.Error, OSError):
        return False
    return process.pid != os.getpid() and place.is_relative_to(folder)
