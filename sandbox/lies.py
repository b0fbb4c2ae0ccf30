"""
Lies: answers that go wrong by chance, a share of all, each in one of the ways real providers are known for.

Which lie the nth request of a path meets depends on the seed, the path and n alone, so a run can be repeated
although paths are asked in another order. Nothing a lie hides is hidden for good: once the sandbox is honest
again, one full walk tells everything. What was cut or refused is not counted as served.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import partial
from typing import NamedTuple

import msgspec

from sandbox.data import Dice
from sandbox.faults import Fault, Share
from sandbox.messages import Request

STORM = "503_storm"
MILLION = 1_000_000


class LieOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of the answers are to be lies."""

    share: Share = 0.05
    seed: int = 0


class Lie(NamedTuple):
    """A lie by its name in the ledger, and the fault that tells it."""

    kind: str
    fault: Fault


#: A lie is told to a request, not to a path.
_fault = partial(Fault, path="")


def _busy(dice: Dice, _: float) -> Fault:
    return _fault(kind="status", status=429, retry_after=f"{_between(dice, 200, 2_000) / 1_000:.1f}")


def _busy_until(dice: Dice, now: float) -> Fault:
    # HTTP dates know whole seconds only.
    until = formatdate(now + _between(dice, 1, 2), usegmt=True)
    return _fault(kind="status", status=429, retry_after=until)


def _cut(dice: Dice, _: float) -> Fault:
    return _fault(kind="truncated", mode=dice.choice(("length", "chunked")), keep=_between(dice, 1, 95) / 100)


def _slow(dice: Dice, _: float) -> Fault:
    return _fault(kind="latency", milliseconds=_between(dice, 300, 2_000))


def _between(dice: Dice, least: int, most: int) -> int:
    return least + dice.below(most - least + 1)


Teller = Callable[[Dice, float], Fault]
ANYWHERE: Mapping[str, Teller] = {
    "429_retry_after": _busy,
    "429_retry_date": _busy_until,
    "429": lambda *_: _fault(kind="status", status=429),
    STORM: lambda *_: _fault(kind="status", status=503),
    "cut": _cut,
    "cut_after_headers": lambda *_: _fault(kind="truncated", keep=0.0),
    "html": lambda *_: _fault(kind="html"),
    "slow": _slow,
}
#: These need a list of records.
IN_LISTINGS: Mapping[str, Teller] = {
    **ANYWHERE,
    "repeated_cursor": lambda *_: _fault(kind="repeat_cursor"),
    "empty_page": lambda *_: _fault(kind="empty_page"),
    "doubled_record": lambda *_: _fault(kind="doubled_record"),
    "bad_record": lambda *_: _fault(kind="bad_record"),
}


class Liar:
    """Decides request by request whether to lie."""

    def __init__(self, order: LieOrder, *, clock: Callable[[], float]) -> None:
        self._order = order
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: Counter[str] = Counter()
        #: When the storm over a path ends.
        self._storms: dict[str, float] = {}

    def lie(self, request: Request) -> Lie | None:
        """Return the lie this request is told, if any."""
        path, now = request.path, self._clock()
        with self._lock:
            self._asked[path] += 1
            dice = Dice(self._order.seed, path, self._asked[path])
            tellers = ANYWHERE if path.endswith((".csv", "/count.json")) else IN_LISTINGS
            if now < self._storms.get(path, 0.0):
                kind = STORM
            elif dice.below(MILLION) < self._order.share * MILLION:
                kind = dice.choice(tuple(tellers))
                if kind == STORM:
                    self._storms[path] = now + _between(dice, 500, 1_500) / 1_000
            else:
                return None
        return Lie(kind, tellers[kind](dice, now))
