"""Measure (`make bench`): everything, or the cases and systems named; a table at the end."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import cases, databases, report
from bench.cases import PHASES, Bench, Options
from bench.ours import LoadFailed
from bench.systems import NAMES
from local.errors import ServerError

OTHERS = {
    "latency": cases.latency,
    "two": cases.two,
    "growth": cases.growth,
    "pages": cases.small_pages,
}
ALL = (*PHASES, *OTHERS)


def main(arguments: list[str]) -> int:
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that nothing is left running
    began = time.monotonic()
    for name in databases.sweep():
        sys.stdout.write(f"Dropped {name}, which a benchmark that was killed had left\n")
    options = Options(given.records, given.repeat, tuple(given.system), not given.skip_1m)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # where we are root, the Redis program is copied for another user
        bench = Bench(options, folder)
        try:
            _measure(bench, given.only)
        finally:
            bench.stop()
    bench.facts["duration"] = f"{(time.monotonic() - began) / 60:.0f} minutes"
    sys.stdout.write("\n" + report.text(bench))
    if given.json:
        report.write_json(bench, given.json)
    if given.write:
        report.keep(bench, today=datetime.now(UTC).date())
    return 0


def _measure(bench: Bench, chosen: list[str]) -> None:
    phases = [phase for phase in PHASES if phase in chosen]
    if phases:
        # Each builds on the one before it.
        cases.side_by_side(bench, PHASES[: PHASES.index(phases[-1]) + 1])
    for name, case in OTHERS.items():
        if name in chosen:
            case(bench)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="orders in the shop")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions; the median counts")
    parser.add_argument(
        "--only", type=_listed(ALL), default=list(ALL), metavar="CASE,...", help=", ".join(ALL)
    )
    parser.add_argument(
        "--system", type=_listed(NAMES), default=list(NAMES), metavar="NAME,...", help=", ".join(NAMES)
    )
    parser.add_argument("--skip-1m", action="store_true", help="let growth end at 100,000 records")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument(
        "--write", action="store_true", help="keep the figures in bench/results and docs/performance.md"
    )
    return parser


def _listed(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def chosen(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of: {', '.join(known)}")
        return names

    return chosen


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (LoadFailed, ServerError, TimeoutError) as error:
        sys.exit(str(error))
