"""What is wrong with a dataset's objects: which are bad, and which have another shape than before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.data import Recipe, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """One version of an object that no reader can store."""

    external_id: str
    kind: str
    row: bytes


class Flaws:
    """By the number of the object. Not thread-safe: the dataset holds its lock."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.bad: dict[int, str] = {}
        self.drift: dict[int, str] = {}
        self._spoilt = 0
        #: Every bad version ever written.
        self._rows: dict[bytes, BadRow] = {}

    def spoil(self, index: int) -> bool:
        """Make an object bad, each in another way than the last; tell whether it was good."""
        if index in self.bad:
            return False
        kinds = list(self._recipe.defects)
        self.bad[index] = kinds[self._spoilt % len(kinds)]
        self._spoilt += 1
        return True

    def heal(self, index: int) -> None:
        self.bad.pop(index, None)

    def check_drift(self, drift: str) -> None:
        """:raises ValueError: if this dataset knows no such drift"""
        if drift and drift not in self._recipe.drifts:
            known = ", ".join(self._recipe.drifts) or "none"
            raise ValueError(f"{self._recipe.name} cannot drift by {drift!r}; known here: {known}")

    def written(self, index: int, record: Record) -> bytes:
        """Return the record as it is served, with all that is wrong with it."""
        if index in self.drift:
            self._recipe.drifts[self.drift[index]](record)
        kind = self.bad.get(index)
        if kind is None:
            return self._recipe.encode(record)
        self._recipe.defects[kind](record)
        row = self._recipe.encode(record)
        self._rows[row] = BadRow(external_id=self._recipe.external_id(index), kind=kind, row=row)
        return row

    def among(self, rows: Iterable[bytes]) -> tuple[BadRow, ...]:
        """Return which of the records served are bad."""
        known = self._rows
        return tuple(known[row] for row in rows if row in known) if known else ()
