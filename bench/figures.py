"""From loads to figures: medians with their extremes, and ratios within one repetition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from bench.cases import Measured


@dataclass(frozen=True, slots=True)
class Figure:
    """A median, and the least and the most of what it stands for."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure:
        found = sorted(values)
        return cls(median(found), found[0], found[-1])


class Figures:
    """The loads, looked up by case and system."""

    def __init__(self, loads: Iterable[Measured]) -> None:
        self._loads = list(loads)

    def pairs(self) -> list[tuple[str, str]]:
        """Return each case with each of its systems, in the order measured."""
        return list(dict.fromkeys((load.case, load.system) for load in self._loads))

    def of(self, case: str, system: str) -> list[Measured]:
        return [load for load in self._loads if (load.case, load.system) == (case, system)]

    def has(self, case: str, *systems: str) -> bool:
        return all(self.of(case, system) for system in systems)

    def rate(self, case: str, system: str) -> Figure:
        return Figure.of(load.rate for load in self.of(case, system))

    def ratio(self, case: str, over: str, under: str) -> Figure:
        """Return how many times faster the one is than the other, repetition by repetition."""
        both = zip(self.of(case, over), self.of(case, under), strict=True)
        return Figure.of(one.rate / other.rate for one, other in both)

    def peak(self, case: str, system: str) -> int:
        return max(load.peak_bytes for load in self.of(case, system))
