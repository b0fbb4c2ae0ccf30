"""
Life: datasets that change all the while, as those of a busy provider do.

What happens depends on the seed; when it happens, on the clock. Update times of one object never go back.
A record at the front is older than everything else, so only a full walk finds it; a late one is found by
readers whose windows overlap by more than `LATEST` seconds.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec

from sandbox.dataset import Dataset
from sandbox.order import Window

TICK_SECONDS = 0.05
#: How far in the past a late row's update time lies, in seconds.
EARLIEST, LATEST = 30, 300
#: How many records share one time in a burst.
SMALLEST_BURST, LARGEST_BURST = 10, 60


class LiveOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast which datasets change."""

    changes_per_second: Annotated[float, msgspec.Meta(gt=0, le=10_000)] = 20.0
    seed: int = 0
    #: None means all whose records have ids.
    datasets: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None


class Life:
    """A thread that changes datasets until it is stopped."""

    def __init__(
        self, datasets: Sequence[Dataset], *, changes_per_second: float, seed: int, now: Callable[[], int]
    ) -> None:
        self._datasets = datasets
        self._rate = changes_per_second
        self._now = now
        self._chance = random.Random(f"{seed}:life")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="life", daemon=True)
        #: How many records were changed in which way.
        self.changed: Counter[str] = Counter()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return once nothing changes any more."""
        self._stop.set()
        self._thread.join()

    def _live(self) -> None:
        begun = time.monotonic()
        while not self._stop.wait(TICK_SECONDS):
            due = (time.monotonic() - begun) * self._rate
            while self.changed.total() < due and not self._stop.is_set():
                self.step()

    def step(self) -> None:
        """Change one dataset in one way."""
        kind = self._chance.choices(list(_CHANGES), _WEIGHTS)[0]
        dataset = self._chance.choice(self._datasets)
        _, happen = _CHANGES[kind]
        # A kind that finds nothing to change counts too, else an empty world would be tried without end.
        self.changed[kind] += max(happen(dataset, self._chance, self._now()), 1)


def _update(dataset: Dataset, chance: random.Random, now: int) -> int:
    keys = dataset.order.sample(chance, min(1, len(dataset)))
    dataset.renew(keys, at=now)
    return len(keys)


def _insert(dataset: Dataset, chance: random.Random, now: int) -> int:
    dataset.insert(1, at=now)
    return 1


def _insert_in_front(dataset: Dataset, chance: random.Random, now: int) -> int:
    oldest = dataset.order.oldest or now
    dataset.insert(1, at=oldest - chance.randint(1, 3_600))
    return 1


def _come_late(dataset: Dataset, chance: random.Random, now: int) -> int:
    at = now - chance.randint(EARLIEST, LATEST)
    older = dataset.order.total(Window(high=at - 1))
    if older and chance.random() < 0.5:
        dataset.renew(dataset.order.at(chance.randrange(older), limit=1), at=at)
    else:
        dataset.insert(1, at=at)
    return 1


def _burst(dataset: Dataset, chance: random.Random, now: int) -> int:
    size = chance.randint(SMALLEST_BURST, LARGEST_BURST)
    keys = dataset.order.sample(chance, min(size // 2, len(dataset)))
    dataset.renew(keys, at=now)
    dataset.insert(size - len(keys), at=now)
    return size


def _spoil(dataset: Dataset, chance: random.Random, now: int) -> int:
    keys = dataset.order.sample(chance, min(1, len(dataset)))
    dataset.spoil_served(keys)
    dataset.renew(keys, at=now)
    return len(keys)


def _heal(dataset: Dataset, chance: random.Random, now: int) -> int:
    bad = dataset.bad_keys()
    chosen = [chance.choice(bad)] if bad else []
    dataset.heal_at(chosen, at=now)
    return len(chosen)


#: What may happen, how often in a hundred steps.
_CHANGES: dict[str, tuple[int, Callable[[Dataset, random.Random, int], int]]] = {
    "updated": (60, _update),
    "inserted": (20, _insert),
    "inserted_in_front": (5, _insert_in_front),
    "late": (10, _come_late),
    "burst": (2, _burst),
    "spoilt": (2, _spoil),
    "healed": (1, _heal),
}
_WEIGHTS = [weight for weight, _ in _CHANGES.values()]
