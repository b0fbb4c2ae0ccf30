"""What happened, event by event: a file of JSON lines for machines, a line now and then for people."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any


class Journal:
    """Notes events from any thread; times are seconds since the beginning."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.began_at = time.time()
        self.events: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Count from now on."""
        self.began_at = time.time()

    @property
    def now(self) -> float:
        return time.time() - self.began_at

    def note(self, what: str, **facts: Any) -> None:
        """Write an event down at once: the run may end in the next moment."""
        event = {"at": round(self.now, 2), "what": what, **facts}
        with self._lock:
            self.events.append(event)
            with self.file.open("a") as output:
                output.write(json.dumps(event, default=str) + "\n")

    def count(self, what: str) -> int:
        with self._lock:
            return sum(1 for event in self.events if event["what"] == what)

    def named(self, what: str) -> list[dict[str, Any]]:
        with self._lock:
            return [event for event in self.events if event["what"] == what]

    def tail(self, count: int) -> list[str]:
        """Return the last events, as they stand in the file."""
        with self._lock:
            return [json.dumps(event, default=str) for event in self.events[-count:]]


def say(line: str) -> None:
    """Tell people; at once, also through a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
