"""The cases: what is loaded, in which order, and what is noted of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import machine
from bench.memory import Series
from bench.ours import WARM_UP, Ended, Installation, Running
from bench.systems import PAGE_SIZE, Limit, Load, Ours, Program, System, install_dlt
from bench.world import World

PHASES = ("first", "unchanged", "changed")
CHANGED_SHARE = 0.01
LATENCY_MS = 50
SMALL_PAGE = 100
WARM_UP_RECORDS = 2_000
GROWTH = (10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured."""

    records: int
    repeat: int
    systems: tuple[str, ...]
    has_million: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """One load of one system in one repetition of one case."""

    case: str
    system: str
    repetition: int
    records: int
    seconds: float
    peak_bytes: int = 0
    written: int | None = None

    @property
    def rate(self) -> float:
        return self.records / self.seconds


@dataclass(slots=True)
class Bench:
    """What all cases share: the stage, and the loads measured so far."""

    options: Options
    folder: Path
    loads: list[Measured] = field(default_factory=list)
    #: What each process took over time, by case.
    memory: dict[str, list[Series]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    #: Our tables, empty; the databases that need them are copies.
    schema: Installation = field(default_factory=lambda: Installation("schema"))
    _worlds: dict[int, World] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.schema.migrate()

    def note(self, case: str, system: str, repetition: int, load: Load) -> None:
        measured = Measured(
            case, system, repetition, load.records, load.seconds, load.peak_bytes, load.written
        )
        self.loads.append(measured)
        sys.stdout.write(
            f"{case:<16} {system:<18} {measured.records:>9,} records {measured.seconds:>8.2f} s"
            f" {measured.rate:>9,.0f}/s\n"
        )
        sys.stdout.flush()

    def world(self, records: int) -> World:
        """Return the shop of so many orders, and note how fast it can be read."""
        if records not in self._worlds:
            self._worlds[records] = World(records, folder=self.folder)
        return self._worlds[records]

    @contextmanager
    def running(self, case: str, *, concurrency: int | None = None) -> Iterator[Running]:
        """Our processes, up for a case; what they took of memory is kept."""
        template = self.schema.database.name
        with Running(self.folder, template=template, concurrency=concurrency) as running:
            self.facts |= machine.facts(running.database)
            self._warm(running)
            yield running
            self.memory[case] = running.memory.series

    def _warm(self, running: Running) -> None:
        """Let the worker processes import and connect what any load needs, as those of long standing have."""
        running.add_source(WARM_UP, self.world(WARM_UP_RECORDS), page_size=PAGE_SIZE)
        running.sync(WARM_UP)

    def leave(self, records: int) -> None:
        """Stop a shop no other case needs."""
        self._worlds.pop(records).stop()

    def stop(self) -> None:
        for world in self._worlds.values():
            world.stop()
        self.schema.drop()


def side_by_side(bench: Bench, phases: Sequence[str]) -> None:
    """First load, second load unchanged, 1 % changed: the systems in turn within each."""
    if any(name.startswith("dlt") for name in bench.options.systems):
        install_dlt()
    world = bench.world(bench.options.records)
    with bench.running("side by side") as running:
        systems = _systems(bench, running, world)
        try:
            for repetition in range(bench.options.repeat):
                bench.note("served", "sandbox alone", repetition, Load(world.records, world.read(), 0))
                _one_round(bench, systems, world, phases, repetition)
        finally:
            for system in systems:
                system.drop()


def _systems(bench: Bench, running: Running, world: World) -> list[System]:
    makers: dict[str, Callable[[], System]] = {
        "ours": lambda: Ours(running, world),
        "limit": lambda: Limit(world, template=bench.schema.database.name),
    }
    return [makers[name]() if name in makers else Program(name, world) for name in bench.options.systems]


def _one_round(
    bench: Bench, systems: Sequence[System], world: World, phases: Sequence[str], repetition: int
) -> None:
    for system in systems:
        system.empty()
    for phase in phases:
        if phase == "changed":
            world.change(CHANGED_SHARE, seed=repetition)
        for system in systems:
            bench.note(phase, system.name, repetition, system.load())


def latency(bench: Bench) -> None:
    """One source and then two, each page 50 ms away."""
    world = bench.world(bench.options.records)
    world.slow_down(LATENCY_MS)
    try:
        for repetition in range(bench.options.repeat):
            bench.note(
                f"served {LATENCY_MS} ms", "sandbox alone", repetition, Load(world.records, world.read(), 0)
            )
        _one_and_two(bench, world, suffix=f" {LATENCY_MS} ms")
    finally:
        world.slow_down(0)


def two(bench: Bench) -> None:
    """One source and then two at once."""
    _one_and_two(bench, bench.world(bench.options.records), suffix="")


def _one_and_two(bench: Bench, world: World, *, suffix: str) -> None:
    shops = ("shop-1", "shop-2")
    with bench.running(f"two sources{suffix}") as running:
        for shop in shops:
            running.add_source(shop, world, page_size=PAGE_SIZE)
        for repetition in range(bench.options.repeat):
            for name, chosen in (("one source", shops[:1]), ("two sources", shops)):
                running.database.empty()
                for phase in ("first", "unchanged"):
                    bench.note(f"{phase}{suffix}", name, repetition, _load(running.sync(*chosen)))


def growth(bench: Bench) -> None:
    """Ever more records through the same worker processes."""
    sizes = GROWTH if bench.options.has_million else GROWTH[:-1]
    with bench.running("growth") as running:
        for size in sizes:
            world = bench.world(size)
            running.add_source("shop-1", world, page_size=PAGE_SIZE)
            for repetition in range(bench.options.repeat if size < GROWTH[-1] else 1):
                running.database.empty()
                since = running.memory.elapsed
                ended = running.sync("shop-1")
                peak = running.memory.peaks(since=since).get("worker child", 0)
                bench.note("growth", f"{size:,}", repetition, _load(ended, peak))
        if bench.options.has_million:
            bench.leave(GROWTH[-1])


def small_pages(bench: Bench) -> None:
    """Pages of 100 through one worker process, against the same steps without Celery."""
    world = bench.world(min(bench.options.records, 50_000))
    with bench.running(f"pages of {SMALL_PAGE}", concurrency=1) as running:
        running.add_source("shop-1", world, page_size=SMALL_PAGE)
        for repetition in range(bench.options.repeat):
            for name, sync in (("Celery", running.sync), ("one process", running.sync_here)):
                running.database.empty()
                bench.note(f"pages of {SMALL_PAGE}", name, repetition, _load(sync("shop-1")))


def _load(ended: Ended, peak_bytes: int = 0) -> Load:
    return Load(ended.records, ended.seconds, peak_bytes)
