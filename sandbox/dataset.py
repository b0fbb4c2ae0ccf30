"""One dataset: every object's newest version, in the order listings give it, rendered when asked for."""

from __future__ import annotations

import hashlib
import random
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from sandbox.data import Dice, Facts, Recipe

#: A listing's order is one sorted array of whole numbers: seconds of updated_at, then the object's index.
INDEX_BITS = 24
INDEX_MASK = (1 << INDEX_BITS) - 1
YEAR = 365 * 24 * 3600
LONGEST_REST = 30 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Inclusive bounds on updated_at in epoch seconds, and which objects are wanted at all."""

    low: int = 0
    high: int = (1 << 38) - 1
    accepts: Callable[[int], bool] | None = None


EVERYTHING = Window()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """How many objects changed, came and went."""

    changed: int
    inserted: int
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The newest version of one object, as the ledger tells it."""

    external_id: str
    updated: int
    sha256: str
    bad: str | None
    drift: str | None


class Dataset:
    """
    Objects are numbered from 0; a key is updated_at and number in one whole number.

    Rendered records are kept up to `cache_bytes`; the rest are rendered again each time.
    """

    def __init__(
        self, recipe: Recipe, *, seed: int, now: int, count: int, removed: int = 0, cache_bytes: int = 1 << 28
    ) -> None:
        """`removed` objects more once existed and are gone."""
        self.recipe = recipe
        self._seed = seed
        self._lock = threading.RLock()
        chance = random.Random(f"{seed}:{recipe.name}")
        self._created = array("q", _creation_times(chance, now=now, count=count + removed))
        self._updated = array("q", _update_times(chance, self._created, now=now))
        self._versions: dict[int, int] = {}
        self._bad: dict[int, str] = {}
        self._drift: dict[int, str] = {}
        self._deleted: dict[int, int] = {index: now for index in range(count, count + removed)}
        self._cache: dict[int, bytes] = {}
        self._cache_bytes = cache_bytes
        self._cached_bytes = 0
        #: Rises with every change, whatever changed.
        self.revision = 0
        self._order = array("Q")
        self._sort()

    # Reading

    def __len__(self) -> int:
        return len(self._order)

    @property
    def newest(self) -> int:
        """Return when anything last changed or went, or 0 of an empty dataset."""
        updated = self._order[-1] >> INDEX_BITS if self._order else 0
        return max(updated, *self._deleted.values(), 0)

    def total(self, window: Window = EVERYTHING) -> int:
        order = self._order
        start, end = _bounds(order, window)
        if window.accepts is None:
            return end - start
        return sum(1 for _ in _accepted(order, range(start, end), window))

    def after(self, key: int, *, limit: int, window: Window = EVERYTHING) -> list[int]:
        """Return up to `limit` keys that follow `key`, oldest first."""
        order = self._order
        start, end = _bounds(order, window)
        positions = range(max(start, bisect_right(order, key)), end)
        return list(islice(_accepted(order, positions, window), limit))

    def before(self, key: int, *, limit: int, window: Window = EVERYTHING) -> list[int]:
        """Return up to `limit` keys that precede `key`, oldest first."""
        order = self._order
        start, end = _bounds(order, window)
        positions = range(min(end, bisect_left(order, key)) - 1, start - 1, -1)
        return list(islice(_accepted(order, positions, window), limit))[::-1]

    def at(self, offset: int, *, limit: int, window: Window = EVERYTHING) -> list[int]:
        """Return up to `limit` keys from the `offset`th on."""
        order = self._order
        start, end = _bounds(order, window)
        return list(order[min(start + offset, end) : min(start + offset + limit, end)])

    def newest_first(self, offset: int, *, limit: int) -> list[int]:
        end = max(len(self._order) - offset, 0)
        return list(self._order[max(end - limit, 0) : end])[::-1]

    def rows(self, keys: Collection[int]) -> list[bytes]:
        """Return the records as they are served."""
        with self._lock:
            return [self._row(key & INDEX_MASK) for key in keys]

    def numbered(self) -> list[int]:
        """Return all keys in the order the objects came to be."""
        return sorted(self._order, key=lambda key: key & INDEX_MASK)

    def deleted(self) -> dict[str, int]:
        """Return when each removed object went, by id."""
        with self._lock:
            return {self.recipe.external_id(index): when for index, when in self._deleted.items()}

    def versions(self) -> Iterator[Version]:
        """Yield the newest version of every live object."""
        for key in self._order:
            index = key & INDEX_MASK
            with self._lock:
                yield Version(
                    external_id=self.recipe.external_id(index),
                    updated=self._updated[index],
                    sha256=hashlib.sha256(self._row(index)).hexdigest(),
                    bad=self._bad.get(index),
                    drift=self._drift.get(index),
                )

    def bad_by_kind(self) -> dict[str, int]:
        with self._lock:
            kinds = [kind for index, kind in self._bad.items() if index not in self._deleted]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    # Changing

    def change(
        self, *, at: int, seed: int, share: float, insert: int = 0, delete: int = 0, drift: str = ""
    ) -> Changed:
        """
        Give a share of the objects new values and the update time `at`; add and remove some.

        :raises ValueError: if this dataset knows no such drift, or has fewer objects than must go
        """
        with self._lock:
            self._check_drift(drift)
            chance = random.Random(f"{seed}:{self.recipe.name}:change")
            chosen = self._choose(chance, round(share * len(self)) + delete)
            for index in chosen[:delete]:
                self._deleted[index] = at
            for index in chosen[delete:]:
                self._renew(index, at)
                if drift:
                    self._drift[index] = drift
            self._created.extend([at] * insert)
            self._updated.extend([at] * insert)
            self._sort()
        return Changed(changed=len(chosen) - delete, inserted=insert, deleted=delete)

    def spoil(self, count: int, *, at: int, seed: int) -> int:
        """Make up to `count` good objects bad, with the update time `at`, and return how many."""
        with self._lock:
            good = [key & INDEX_MASK for key in self._order if key & INDEX_MASK not in self._bad]
            chance = random.Random(f"{seed}:{self.recipe.name}:spoil")
            chosen = chance.sample(good, min(count, len(good)))
            for index in chosen:
                self._mark_bad(index)
                self._renew(index, at)
            self._sort()
        return len(chosen)

    def heal(self, count: int, *, at: int) -> int:
        """Make up to `count` bad objects good again, with the update time `at`, and return how many."""
        with self._lock:
            chosen = [index for index in self._bad if index not in self._deleted][:count]
            for index in chosen:
                del self._bad[index]
                self._renew(index, at)
            self._sort()
        return len(chosen)

    def spoil_from_the_start(self, share: float) -> None:
        """Make a share of the objects bad without an update, as if they had always been."""
        with self._lock:
            chance = random.Random(f"{self._seed}:{self.recipe.name}:bad")
            for index in self._choose(chance, round(share * len(self))):
                self._mark_bad(index)

    def spoil_served(self, key: int) -> None:
        """Make the object at `key` bad from now on, its update time unchanged."""
        with self._lock:
            self._mark_bad(key & INDEX_MASK)

    def drift_served(self, keys: Collection[int], drift: str) -> None:
        """
        Change the shape of the objects at `keys` from now on, their update time unchanged.

        :raises ValueError: if this dataset knows no such drift
        """
        with self._lock:
            self._check_drift(drift)
            for key in keys:
                self._drift[key & INDEX_MASK] = drift
                self._forget(key & INDEX_MASK)

    # Inside

    def _row(self, index: int) -> bytes:
        row = self._cache.get(index)
        if row is None:
            row = self._render(index)
            if self._cached_bytes < self._cache_bytes:
                self._cache[index] = row
                self._cached_bytes += len(row)
        return row

    def _render(self, index: int) -> bytes:
        facts = Facts(
            index=index,
            version=self._versions.get(index, 0),
            created=self._created[index],
            updated=self._updated[index],
            dice=Dice(self._seed, self.recipe.name, index),
        )
        record = self.recipe.make(facts)
        if index in self._drift:
            self.recipe.drifts[self._drift[index]](record)
        if index in self._bad:
            self.recipe.defects[self._bad[index]](record)
        return self.recipe.encode(record)

    def _choose(self, chance: random.Random, count: int) -> list[int]:
        if count > len(self):
            raise ValueError(f"{self.recipe.name} has {len(self)} objects, fewer than the {count} asked for")
        return [key & INDEX_MASK for key in chance.sample(self._order, count)]

    def _mark_bad(self, index: int) -> None:
        kinds = list(self.recipe.defects)
        if index not in self._bad:
            self._bad[index] = kinds[len(self._bad) % len(kinds)]
            self._forget(index)

    def _renew(self, index: int, at: int) -> None:
        self._versions[index] = self._versions.get(index, 0) + 1
        self._updated[index] = at
        self._forget(index)

    def _forget(self, index: int) -> None:
        self.revision += 1
        self._cached_bytes -= len(self._cache.pop(index, b""))

    def _check_drift(self, drift: str) -> None:
        if drift and drift not in self.recipe.drifts:
            known = ", ".join(self.recipe.drifts) or "none"
            raise ValueError(f"{self.recipe.name} cannot drift by {drift!r}; known here: {known}")

    def _sort(self) -> None:
        # A new array each time: a listing under way goes on reading the one it started with.
        deleted = self._deleted
        self.revision += 1
        self._order = array(
            "Q",
            sorted(
                (stamp << INDEX_BITS) | index
                for index, stamp in enumerate(self._updated)
                if index not in deleted
            ),
        )


def _creation_times(chance: random.Random, *, now: int, count: int) -> list[int]:
    step = YEAR / max(count, 1)
    return [int(now - YEAR + (index + chance.random()) * step) for index in range(count)]


def _update_times(chance: random.Random, created: array[int], *, now: int) -> list[int]:
    times: list[int] = []
    for index, start in enumerate(created):
        # Two neighbours in five share one update time: page edges must fall between equal times too.
        is_tied = index % 5 == 4 and times[-1] >= start
        times.append(times[-1] if is_tied else min(start + int(LONGEST_REST * chance.random() ** 3), now))
    return times


def _bounds(order: array[int], window: Window) -> tuple[int, int]:
    start = bisect_left(order, window.low << INDEX_BITS)
    return start, max(start, bisect_left(order, (window.high + 1) << INDEX_BITS))


def _accepted(order: array[int], positions: range, window: Window) -> Iterator[int]:
    accepts = window.accepts
    for position in positions:
        key = order[position]
        if accepts is None or accepts(key & INDEX_MASK):
            yield key
