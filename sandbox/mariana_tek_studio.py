"""One studio: how many of everything it has, their ids, and how records point to one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.data import Dice, Facts, Record
from sandbox.options import Options

#: How many there are at a scale of 1.
COUNTS = {
    "locations": 6,
    "employees": 24,
    "products": 60,
    "users": 600,
    "class_sessions": 800,
    "memberships": 300,
    "reservations": 2_000,
    "orders": 1_000,
    "order_lines": 2_000,
}
#: Ids grow by one from here.
FIRST_IDS = {
    "locations": 48_717,
    "employees": 2_100,
    "products": 5_400,
    "users": 167_000_001,
    "class_sessions": 90_001,
    "memberships": 70_001,
    "reservations": 800_001,
    "orders": 300_001,
    "order_lines": 610_001,
}
LINES_PER_ORDER = 2
Maker = Callable[[Facts, "Studio"], tuple[Record, dict[str, Any]]]


class Studio:
    """How many of everything there are, so that records can point to one another."""

    def __init__(self, options: Options) -> None:
        self.seed = options.seed
        self.counts = {name: max(round(count * options.scale), 3) for name, count in COUNTS.items()}
        self.counts["order_lines"] = self.counts["orders"] * LINES_PER_ORDER

    def some(self, dice: Dice, name: str) -> dict[str, Any]:
        """Return a relationship to one of these."""
        return related(name, dice.below(self.counts[name]))


#: What JSON:API calls what our lists are called.
TYPES = {"employees": "employee_public_profiles", "memberships": "membership_instances"}


def related(name: str, index: int) -> dict[str, Any]:
    return {"data": {"type": TYPES.get(name, name), "id": id_of(name, index)}}


def id_of(name: str, index: int) -> str:
    return str(FIRST_IDS[name] + index)
