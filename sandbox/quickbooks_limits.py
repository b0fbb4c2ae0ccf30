"""How often Intuit lets one company be asked: 10 calls within any second, 500 within any minute."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import takewhile


class Limits:
    """So many calls within any second, and within any minute."""

    def __init__(
        self, *, clock: Callable[[], float], per_second: float = 10.0, per_minute: float = 500.0
    ) -> None:
        self._clock = clock
        self._per_second = per_second
        self._per_minute = per_minute
        self._lock = threading.Lock()
        self._calls: deque[float] = deque()

    def take(self) -> bool:
        """Tell whether one more call is within the limits; one that is not does not count."""
        with self._lock:
            now = self._clock()
            while self._calls and self._calls[0] <= now - 60.0:
                self._calls.popleft()
            just_now = sum(1 for _ in takewhile(lambda at: at > now - 1.0, reversed(self._calls)))
            if just_now >= self._per_second or len(self._calls) >= self._per_minute:
                return False
            self._calls.append(now)
            return True
