"""One dataset: every object's newest version, rendered when asked for."""

from __future__ import annotations

import hashlib
import random
import threading
from array import array
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from sandbox.data import Dice, Facts, Recipe
from sandbox.flaws import BadRow, Flaws
from sandbox.order import INDEX_MASK, Order, key_of

YEAR = 365 * 24 * 3600
LONGEST_REST = 30 * 24 * 3600


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
    #: The record as it is served.
    row: bytes


class Dataset:
    """
    Objects are numbered from 0.

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
        self._flaws = Flaws(recipe)
        self._deleted: dict[int, int] = {index: now for index in range(count, count + removed)}
        self._cache: dict[int, bytes] = {}
        self._cache_bytes = cache_bytes
        self._cached_bytes = 0
        #: Rises with every change, whatever changed.
        self.revision = 0
        self.order = Order(sorted(map(self._key, range(count))))

    # Reading

    def __len__(self) -> int:
        return len(self.order)

    @property
    def newest(self) -> int:
        """Return when anything last changed or went, or 0 of an empty dataset."""
        return max(self.order.newest, *self._deleted.values(), 0)

    def rows(self, keys: Collection[int]) -> list[bytes]:
        """Return the records as they are served."""
        with self._lock:
            return [self._row(key & INDEX_MASK) for key in keys]

    def created(self, key: int) -> int:
        """Return when the object at `key` came to be, epoch seconds."""
        return self._created[key & INDEX_MASK]

    def bad_in(self, rows: Iterable[bytes]) -> tuple[BadRow, ...]:
        """Return which of the records served are bad."""
        return self._flaws.among(rows)

    def bad_keys(self) -> list[int]:
        """Return the keys of the objects that are bad now."""
        with self._lock:
            return [self._key(index) for index in self._flaws.bad if index not in self._deleted]

    def keys_of(self, indexes: Iterable[int]) -> list[int]:
        """Return the keys of those of the objects that are there."""
        with self._lock:
            known = range(len(self._updated))
            return [self._key(index) for index in indexes if index in known and index not in self._deleted]

    def numbered(self) -> list[int]:
        """Return all keys in the order the objects came to be."""
        return sorted(self.order, key=lambda key: key & INDEX_MASK)

    def deleted(self) -> dict[str, int]:
        """Return when each removed object went, by id."""
        with self._lock:
            return {self.recipe.external_id(index): when for index, when in self._deleted.items()}

    def versions(self) -> Iterator[Version]:
        """Yield the newest version of every live object."""
        for key in self.order:
            index = key & INDEX_MASK
            with self._lock:
                row = self._row(index)
                yield Version(
                    external_id=self.recipe.external_id(index),
                    updated=self._updated[index],
                    sha256=hashlib.sha256(row).hexdigest(),
                    bad=self._flaws.bad.get(index),
                    drift=self._flaws.drift.get(index),
                    row=row,
                )

    def bad_by_kind(self) -> dict[str, int]:
        with self._lock:
            kinds = [kind for index, kind in self._flaws.bad.items() if index not in self._deleted]
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
            self._flaws.check_drift(drift)
            chance = random.Random(f"{seed}:{self.recipe.name}:change")
            chosen = self._choose(chance, round(share * len(self)) + delete)
            self._delete(chosen[:delete], at=at)
            if drift:
                self._flaws.drift.update((key & INDEX_MASK, drift) for key in chosen[delete:])
            self.renew(chosen[delete:], at=at)
            self.insert(insert, at=at)
        return Changed(changed=len(chosen) - delete, inserted=insert, deleted=delete)

    def renew(self, keys: Collection[int], *, at: int) -> None:
        """Give the objects at `keys` new values and the update time `at`."""
        with self._lock:
            indexes = [key & INDEX_MASK for key in keys if key & INDEX_MASK not in self._deleted]
            gone = [self._key(index) for index in indexes]
            for index in indexes:
                self._versions[index] = self._versions.get(index, 0) + 1
                self._updated[index] = at
                self._forget(index)
            self._reorder(gone=gone, come=[key_of(at, index) for index in indexes])

    def insert(self, count: int, *, at: int) -> None:
        """Add new objects, created at `at`."""
        with self._lock:
            first = len(self._updated)
            self._created.extend([at] * count)
            self._updated.extend([at] * count)
            self._reorder(come=[key_of(at, index) for index in range(first, first + count)])

    def spoil(self, count: int, *, at: int, seed: int) -> int:
        """Make up to `count` good objects bad, with the update time `at`, and return how many."""
        with self._lock:
            good = [key for key in self.order if key & INDEX_MASK not in self._flaws.bad]
            chance = random.Random(f"{seed}:{self.recipe.name}:spoil")
            chosen = chance.sample(good, min(count, len(good)))
            self.spoil_served(chosen)
            self.renew(chosen, at=at)
        return len(chosen)

    def heal(self, count: int, *, at: int) -> int:
        """Make up to `count` bad objects good again, with the update time `at`, and return how many."""
        with self._lock:
            chosen = self.bad_keys()[:count]
            self.heal_at(chosen, at=at)
        return len(chosen)

    def heal_at(self, keys: Collection[int], *, at: int) -> None:
        """Make the objects at `keys` good again, with the update time `at`."""
        with self._lock:
            for key in keys:
                self._flaws.heal(key & INDEX_MASK)
            self.renew(keys, at=at)

    def spoil_from_the_start(self, share: float) -> None:
        """Make a share of the objects bad without an update, as if they had always been."""
        with self._lock:
            chance = random.Random(f"{self._seed}:{self.recipe.name}:bad")
            self.spoil_served(self._choose(chance, round(share * len(self))))

    def spoil_served(self, keys: Collection[int]) -> None:
        """Make the objects at `keys` bad from now on, their update times unchanged."""
        with self._lock:
            for key in keys:
                if self._flaws.spoil(key & INDEX_MASK):
                    self._forget(key & INDEX_MASK)

    def drift_served(self, keys: Collection[int], drift: str) -> None:
        """
        Change the shape of the objects at `keys` from now on, their update time unchanged.

        :raises ValueError: if this dataset knows no such drift
        """
        with self._lock:
            self._flaws.check_drift(drift)
            for key in keys:
                self._flaws.drift[key & INDEX_MASK] = drift
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
        return self._flaws.written(index, self.recipe.make(facts))

    def _choose(self, chance: random.Random, count: int) -> list[int]:
        if count > len(self):
            raise ValueError(f"{self.recipe.name} has {len(self)} objects, fewer than the {count} asked for")
        return self.order.sample(chance, count)

    def _delete(self, keys: Collection[int], *, at: int) -> None:
        self._deleted.update((key & INDEX_MASK, at) for key in keys)
        self._reorder(gone=keys)

    def _key(self, index: int) -> int:
        return key_of(self._updated[index], index)

    def _reorder(self, *, gone: Collection[int] = (), come: Collection[int] = ()) -> None:
        self.revision += 1
        self.order = self.order.changed(gone=gone, come=come)

    def _forget(self, index: int) -> None:
        self.revision += 1
        self._cached_bytes -= len(self._cache.pop(index, b""))


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
