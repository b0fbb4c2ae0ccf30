"""The order in which listings give a dataset's objects: one sorted array of whole numbers."""

from __future__ import annotations

import random
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

#: A key is seconds of updated_at, then the object's number.
INDEX_BITS = 24
INDEX_MASK = (1 << INDEX_BITS) - 1
#: Up to so many changed keys are moved one by one; for more, sorting anew is faster.
FEW = 100


def key_of(stamp: int, index: int) -> int:
    return (stamp << INDEX_BITS) | index


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Inclusive bounds on updated_at in epoch seconds, and which objects are wanted at all."""

    low: int = 0
    high: int = (1 << 38) - 1
    accepts: Callable[[int], bool] | None = None


EVERYTHING = Window()


class Order:
    """Keys, smallest first. Never changed, only replaced: a listing under way reads on in its own."""

    def __init__(self, keys: Iterable[int]) -> None:
        """Take keys that are sorted already."""
        self._keys = array("Q", keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    @property
    def oldest(self) -> int:
        """Return the first update time, or 0 where there is nothing."""
        return self._keys[0] >> INDEX_BITS if self._keys else 0

    @property
    def newest(self) -> int:
        """Return the last update time, or 0 where there is nothing."""
        return self._keys[-1] >> INDEX_BITS if self._keys else 0

    def total(self, window: Window = EVERYTHING) -> int:
        start, end = self._bounds(window)
        if window.accepts is None:
            return end - start
        return sum(1 for _ in self._accepted(range(start, end), window))

    def after(self, key: int, *, limit: int, window: Window = EVERYTHING) -> list[int]:
        """Return up to `limit` keys that follow `key`, oldest first."""
        start, end = self._bounds(window)
        start = max(start, bisect_right(self._keys, key))
        if window.accepts is None:
            return list(self._keys[start : min(start + limit, end)])
        return list(islice(self._accepted(range(start, end), window), limit))

    def before(self, key: int, *, limit: int, window: Window = EVERYTHING) -> list[int]:
        """Return up to `limit` keys that precede `key`, oldest first."""
        start, end = self._bounds(window)
        positions = range(min(end, bisect_left(self._keys, key)) - 1, start - 1, -1)
        return list(islice(self._accepted(positions, window), limit))[::-1]

    def at(self, offset: int, *, limit: int, window: Window = EVERYTHING) -> list[int]:
        """Return up to `limit` keys from the `offset`th on."""
        start, end = self._bounds(window)
        return list(self._keys[min(start + offset, end) : min(start + offset + limit, end)])

    def newest_first(self, offset: int, *, limit: int) -> list[int]:
        end = max(len(self._keys) - offset, 0)
        return list(self._keys[max(end - limit, 0) : end])[::-1]

    def sample(self, chance: random.Random, count: int) -> list[int]:
        """
        Return `count` different keys by chance.

        :raises ValueError: if there are fewer
        """
        return chance.sample(self._keys, count)

    def changed(self, *, gone: Collection[int] = (), come: Collection[int] = ()) -> Order:
        """Return the order without the keys that are gone, with those that have come."""
        if len(gone) + len(come) > FEW:
            return Order(sorted(set(self._keys).difference(gone).union(come)))
        changed = Order(self._keys)
        for key in gone:
            del changed._keys[bisect_left(changed._keys, key)]
        for key in come:
            insort(changed._keys, key)
        return changed

    def _bounds(self, window: Window) -> tuple[int, int]:
        start = bisect_left(self._keys, key_of(window.low, 0))
        return start, max(start, bisect_left(self._keys, key_of(window.high + 1, 0)))

    def _accepted(self, positions: range, window: Window) -> Iterator[int]:
        accepts = window.accepts
        for position in positions:
            key = self._keys[position]
            if accepts is None or accepts(key & INDEX_MASK):
                yield key
