"""The figures as people and programs read them: a table on the terminal, JSON, the page in docs/."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from bench import chart
from bench.cases import PHASES, Bench
from bench.figures import Figures
from bench.memory import Series
from bench.targets import targets
from local.servers import PROJECT

RESULTS = PROJECT / "bench" / "results"
PAGE = PROJECT / "docs" / "performance.md"
IMAGES = PROJECT / "docs" / "images"
PICTURES = (
    "![Records per second of each system](images/performance.svg)\n\n"
    "![Memory of each process over time](images/performance-memory.svg)\n"
)
BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"
MIB = 2**20
POINTS = 100


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def tables(bench: Bench) -> list[Table]:
    """Return the verdict, the rates and the memory."""
    figures = Figures(bench.loads)
    return [_verdict(figures), _rates(figures), _memory(bench)]


def _verdict(figures: Figures) -> Table:
    rows = [
        (one.what, one.required, one.reached, "yes" if one.is_reached else "NO") for one in targets(figures)
    ]
    return Table(("target", "required", "measured (least to most)", "reached"), rows)


def _rates(figures: Figures) -> Table:
    rows = []
    for case, system in figures.pairs():
        rate, records = figures.rate(case, system), figures.of(case, system)[0].records
        peak = figures.peak(case, system)
        ratio = (
            f"{figures.ratio(case, 'ours', system).median:.2f}"
            if case in PHASES and system != "ours" and figures.has(case, "ours")
            else ""
        )
        extremes = f"{rate.least:,.0f} to {rate.most:,.0f}"
        memory = f"{peak / MIB:,.0f}" if peak else ""
        rows.append((case, system, f"{records:,}", f"{rate.median:,.0f}", extremes, ratio, memory))
    columns = ("case", "system", "records", "records/s", "least to most", "ours is times as fast", "peak MiB")
    return Table(columns, rows)


def _memory(bench: Bench) -> Table:
    names = sorted({series.name for every in bench.memory.values() for series in every})
    rows = [
        (case, *(f"{_peak(every, name) / MIB:,.0f}" for name in names))
        for case, every in bench.memory.items()
    ]
    return Table(("peak MiB of the largest", *names), rows)


def _peak(every: Sequence[Series], name: str) -> int:
    return max((series.peak() for series in every if series.name == name), default=0)


def text(bench: Bench) -> str:
    """Return the tables for a terminal."""
    facts = "".join(f"{name}: {value}\n" for name, value in bench.facts.items())
    return "\n".join([*(_aligned(table) for table in tables(bench)), facts])


def _aligned(table: Table) -> str:
    lines = [table.columns, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def write_json(bench: Bench, path: Path) -> None:
    """Write everything measured: facts, each load, memory over time, the verdict."""
    content: dict[str, Any] = {
        "facts": bench.facts,
        "targets": [asdict(one) for one in targets(Figures(bench.loads))],
        "loads": [asdict(load) for load in bench.loads],
        "memory": {case: [_thinned(one) for one in every] for case, every in bench.memory.items()},
    }
    # A line per part: short to look at, and a diff says which part changed.
    parts = ",\n".join(f"{json.dumps(name)}: {json.dumps(part)}" for name, part in content.items())
    path.write_text(f"{{\n{parts}\n}}\n")


def _thinned(series: Series) -> dict[str, Any]:
    step = max(1, len(series.seconds) // POINTS)
    return {"name": series.name, "seconds": series.seconds[::step], "bytes": series.bytes[::step]}


def keep(bench: Bench, *, today: date) -> None:
    """Write the results, the charts and the part of the page between its markers."""
    RESULTS.mkdir(exist_ok=True)
    write_json(bench, RESULTS / f"{today.isoformat()}.json")
    (IMAGES / "performance.svg").write_text(chart.bars(Figures(bench.loads)))
    (IMAGES / "performance-memory.svg").write_text(chart.lines(bench.memory.get("growth", [])))
    page = PAGE.read_text()
    part = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    PAGE.write_text(part.sub(lambda _: f"{BEGIN}{_markdown(bench, today)}{END}", page))


def _markdown(bench: Bench, today: date) -> str:
    facts = "; ".join(f"{name}: {value}" for name, value in bench.facts.items())
    parts = [PICTURES, f"Measured on {today.isoformat()}. {facts}.\n"]
    parts += [_piped(table) for table in tables(bench)]
    return "\n".join(parts)


def _piped(table: Table) -> str:
    lines = [table.columns, ("---",) * len(table.columns), *table.rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
