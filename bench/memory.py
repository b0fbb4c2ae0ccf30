"""How much memory each process takes, looked at once a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil

EVERY_SECONDS = 1.0


@dataclass(slots=True)
class Series:
    """One process: seconds since the sampler began, and resident bytes."""

    name: str
    seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)

    def peak(self, *, since: float = 0.0) -> int:
        """Return the most it took from then on; 0 if it was not there."""
        both = zip(self.seconds, self.bytes, strict=True)
        return max((taken for second, taken in both if second >= since), default=0)


class Sampler:
    """Watches processes and their children until it is stopped."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        """`pids` names the processes to watch; their children are found here."""
        self._pids = pids
        self._began = time.monotonic()
        self._stopped = threading.Event()
        self._by_process: dict[tuple[int, float], Series] = {}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    @property
    def series(self) -> list[Series]:
        """Return what was seen so far, one series per process."""
        return list(self._by_process.values())

    def peaks(self, *, since: float = 0.0) -> dict[str, int]:
        """Return the most that any process of each name took from then on."""
        peaks: dict[str, int] = {}
        for one in self.series:
            peaks[one.name] = max(peaks.get(one.name, 0), one.peak(since=since))
        return {name: peak for name, peak in peaks.items() if peak}

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            for name, pid in self._pids.items():
                self._look_at(name, pid)
            self._stopped.wait(EVERY_SECONDS)

    def _look_at(self, name: str, pid: int) -> None:
        try:
            parent = psutil.Process(pid)
            self._note(name, parent)
            for child in parent.children(recursive=True):
                self._note(f"{name} child", child)
        except psutil.NoSuchProcess:
            return  # it ended between two looks

    def _note(self, name: str, process: psutil.Process) -> None:
        taken = process.memory_info().rss
        series = self._by_process.setdefault((process.pid, process.create_time()), Series(name))
        series.seconds.append(round(self.elapsed, 1))
        series.bytes.append(taken)
