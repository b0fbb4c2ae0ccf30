"""What will be done to whom, and when: drawn from the seed alone, so that a run can be replayed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

WORKERS = ("worker-1", "worker-2")
#: A process needs a moment to be worth killing again.
REST_SECONDS = 4.0
FIRST_AT = 2.0
#: At least one wipe of Redis and one death of PostgreSQL in each of these stretches.
STRETCH_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Something that may be done, and how likely it is."""

    verb: str
    whom: str
    weight: float
    shortest: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that will be done."""

    #: Seconds since the beginning.
    at: float
    verb: str
    whom: str
    #: How long it lasts: until the process is back, goes on, the link carries bytes again.
    seconds: float
    #: Which child, backend or link: a share of those there are, as their number is not known yet.
    pick: float

    @property
    def name(self) -> str:
        return f"{self.verb} {self.whom}"


WIPE = Choice(verb="wipe", whom="redis", weight=1)
KILL_POSTGRES = Choice(verb="kill", whom="postgres", weight=0.5, shortest=0.5, longest=6)
QUIT_POSTGRES = Choice(verb="quit", whom="postgres", weight=0.5, shortest=0.5, longest=6)


def draw(seed: int, *, seconds: float, lease_seconds: float) -> list[Deed]:
    """Return the deeds in order; nobody is struck again before the last blow is over."""
    chance = random.Random(f"{seed}:deeds")
    choices = _choices(lease_seconds)
    due = _required(chance, seconds)
    free_at: defaultdict[str, float] = defaultdict(float)
    deeds = []
    for at in _moments(chance, seconds):
        choice = _take_due(due, at, free_at)
        if choice is None:
            free = [one for one in choices if free_at[one.whom] <= at]
            [choice] = chance.choices(free, weights=[one.weight for one in free])
        lasts = chance.uniform(choice.shortest, choice.longest)
        deeds.append(
            Deed(at=at, verb=choice.verb, whom=choice.whom, seconds=round(lasts, 2), pick=chance.random())
        )
        free_at[choice.whom] = at + lasts + REST_SECONDS
    return deeds


def _moments(chance: random.Random, seconds: float) -> Iterator[float]:
    at = FIRST_AT
    while at < seconds:
        yield round(at, 2)
        at += chance.uniform(2, 5)


def _required(chance: random.Random, seconds: float) -> list[tuple[float, Choice]]:
    """Return what must happen, each with the moment from which on, soonest first."""
    times = max(1, ceil(seconds / STRETCH_SECONDS))
    length = seconds / times
    found = []
    for number in range(times):
        for choice in (WIPE, chance.choice((KILL_POSTGRES, QUIT_POSTGRES))):
            found.append(((number + chance.uniform(0.1, 0.6)) * length, choice))
    return sorted(found, key=lambda one: one[0])


def _take_due(due: list[tuple[float, Choice]], at: float, free_at: dict[str, float]) -> Choice | None:
    for one in due:
        start, choice = one
        if start <= at and free_at[choice.whom] <= at:
            due.remove(one)
            return choice
    return None


def _choices(lease_seconds: float) -> list[Choice]:
    """Outages of everything are rare: only what works can be struck in the middle of its work."""
    zombie = {"shortest": lease_seconds * 1.1, "longest": lease_seconds * 1.1 + 5}
    return [
        *(choice for worker in WORKERS for choice in _against_worker(worker, zombie)),
        Choice(verb="kill", whom="beat", weight=2, shortest=0.2, longest=6),
        Choice(verb="freeze", whom="beat", weight=1, shortest=0.5, longest=12),
        Choice(verb="kill", whom="web", weight=1, shortest=0.2, longest=3),
        Choice(verb="freeze", whom="web", weight=1, shortest=0.5, longest=6),
        Choice(verb="freeze", whom="sandbox", weight=1, shortest=0.5, longest=6),
        Choice(verb="freeze", whom="strict world", weight=1, shortest=0.5, longest=6),
        WIPE,
        Choice(verb="kill", whom="redis", weight=0.5, shortest=0.2, longest=8),
        Choice(verb="freeze", whom="redis", weight=0.5, shortest=0.5, longest=12),
        KILL_POSTGRES,
        QUIT_POSTGRES,
        Choice(verb="freeze", whom="postgres", weight=0.5, shortest=0.5, longest=4),
        Choice(verb="end backend of", whom="postgres", weight=2),
        Choice(verb="kill backend of", whom="postgres", weight=0.5),
        Choice(verb="freeze backend of", whom="postgres", weight=1, shortest=0.5, longest=8),
        *(choice for link in ("redis link", "postgres link") for choice in _against_link(link)),
        Choice(verb="black-hole", whom="redis link", weight=1),
        # A proxy acknowledges what it swallows, so TCP never gives up as it would on a dead line. The
        # reset at the end stands for that.
        Choice(verb="black-hole and reset", whom="postgres link", weight=1, shortest=1, longest=12),
        Choice(verb="break off", whom="postgres link", weight=6),
        Choice(verb="leave in doubt", whom="postgres link", weight=6),
    ]


def _against_worker(worker: str, zombie: dict[str, float]) -> list[Choice]:
    return [
        Choice(verb="kill", whom=worker, weight=2, shortest=0.2, longest=3),
        Choice(verb="kill child of", whom=worker, weight=4),
        Choice(verb="freeze", whom=worker, weight=1, shortest=0.5, longest=6),
        Choice(verb="freeze child of", whom=worker, weight=2, shortest=0.5, longest=6),
        Choice(verb="freeze past its lease", whom=worker, weight=1.5, **zombie),
    ]


def _against_link(link: str) -> list[Choice]:
    return [
        Choice(verb="hold", whom=link, weight=0.5, shortest=0.5, longest=10),
        Choice(verb="reset", whom=link, weight=0.5),
        Choice(verb="cut", whom=link, weight=2),
    ]
