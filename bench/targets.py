"""What must be reached, and what was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.cases import GROWTH, LATENCY_MS, PHASES, SMALL_PAGE
from bench.figures import Figure, Figures
from bench.systems import PAGE_SIZE

NEAR = f" {LATENCY_MS} ms"
#: Case, system compared with, and how many times as fast we must be.
RATIOS = (("first", "dlt", 3.0), ("first", "limit", 0.6), ("unchanged", "dlt", 10.0), ("changed", "dlt", 8.0))
TWICE = (("first", 1.6), ("unchanged", 1.6), (f"first{NEAR}", 1.9), (f"unchanged{NEAR}", 1.9))
SERVED = 2.0
LATENCY_SHARE = 0.95
MOST_GROWTH = 1.15
MOST_MEMORY = 1.10
MOST_OVERHEAD = 1.10


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the verdict."""

    what: str
    required: str
    reached: str
    is_reached: bool


def targets(figures: Figures) -> list[Target]:
    """Return a verdict on each target whose loads were measured."""
    return [
        *_served(figures),
        *_ratios(figures),
        *_written(figures),
        *_latency(figures),
        *_two(figures),
        *_growth(figures),
        *_small_pages(figures),
    ]


def _served(figures: Figures) -> Iterator[Target]:
    """Show that whoever is slow, it is not the sandbox."""
    if figures.has("served", "sandbox alone"):
        loads = [pair for pair in figures.pairs() if pair[0] in PHASES]
        fastest = max(figures.rate(case, system).median for case, system in loads)
        over = figures.rate("served", "sandbox alone").median / fastest
        yield Target(
            "the sandbox serves: over the fastest load", f"at least {SERVED:g}", f"{over:.1f}", over >= SERVED
        )


def _ratios(figures: Figures) -> Iterator[Target]:
    for case, other, required in RATIOS:
        if figures.has(case, "ours", other):
            ratio = figures.ratio(case, "ours", other)
            yield _at_least(f"{_named(case)}: ours over {other}", required, ratio)


def _written(figures: Figures) -> Iterator[Target]:
    if figures.has("unchanged", "ours"):
        written = sum(load.written or 0 for load in figures.of("unchanged", "ours"))
        yield Target("unchanged second load: rows written", "0", f"{written:,}", written == 0)


def _latency(figures: Figures) -> Iterator[Target]:
    bound = PAGE_SIZE / (LATENCY_MS / 1000)
    alone = ""
    if figures.has(f"served{NEAR}", "sandbox alone"):
        share_alone = figures.rate(f"served{NEAR}", "sandbox alone").median / bound
        alone = f" (by reading alone: {share_alone:.2f})"
    for case in (f"first{NEAR}", f"unchanged{NEAR}"):
        if figures.has(case, "one source"):
            rate = figures.rate(case, "one source")
            share = Figure(rate.median / bound, rate.least / bound, rate.most / bound)
            yield _at_least(f"{_named(case)} per page: share of {bound:,.0f}/s{alone}", LATENCY_SHARE, share)


def _two(figures: Figures) -> Iterator[Target]:
    for case, required in TWICE:
        if figures.has(case, "one source", "two sources"):
            ratio = figures.ratio(case, "two sources", "one source")
            yield _at_least(f"{_named(case)}: two sources over one", required, ratio)


def _growth(figures: Figures) -> Iterator[Target]:
    least, *between, most = (f"{size:,}" for size in GROWTH)
    if not figures.has("growth", least, most):
        return
    # Start and end of a job weigh on a load of two seconds, so the least alone would hide growth.
    for size in (least, *between):
        slower = figures.rate("growth", size).median / figures.rate("growth", most).median
        yield _at_most(f"{most} records over {size}: time per record", MOST_GROWTH, slower)
    memory = figures.peak("growth", most) / figures.peak("growth", least)
    yield _at_most(f"{most} records over {least}: worker memory", MOST_MEMORY, memory)


def _small_pages(figures: Figures) -> Iterator[Target]:
    case = f"pages of {SMALL_PAGE}"
    if figures.has(case, "Celery", "one process"):
        overhead = figures.ratio(case, "one process", "Celery").median
        yield _at_most(f"{case}: time through Celery over one process", MOST_OVERHEAD, overhead)


def _named(case: str) -> str:
    names = dict(zip(PHASES, ("first load", "unchanged second load", "1 % changed"), strict=True))
    phase, space, rest = case.partition(" ")
    return f"{names[phase]}{space and ', '}{rest}"


def _at_least(what: str, required: float, ratio: Figure) -> Target:
    reached = f"{ratio.median:.2f} ({ratio.least:.2f} to {ratio.most:.2f})"
    return Target(what, f"at least {required:g}", reached, ratio.median >= required)


def _at_most(what: str, most: float, reached: float) -> Target:
    return Target(what, f"at most {most:g}", f"{reached:.2f}", reached <= most)
