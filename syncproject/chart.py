"""A stacked bar per day, as numbers for an SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

WIDTH = 900
HEIGHT = 180
LEFT = 60
BOTTOM = 20
TOP = 12
COLOURS = 8
OTHER = "other kinds"


def stacked_days(counted: Iterable[tuple[date, str, int]], *, first: date, days: int) -> dict[str, Any]:
    """Return bars, axis labels and legend for (day, kind, records), summed over sources."""
    sums: Counter[tuple[date, str]] = Counter()
    for day, kind, records in counted:
        sums[day, kind] += records
    sums = _folded(sums)
    kinds = sorted({kind for _, kind in sums})
    all_days = [first + timedelta(days=index) for index in range(days)]
    top = max((sum(sums[day, kind] for kind in kinds) for day in all_days), default=0) or 1
    width = (WIDTH - LEFT) / days
    bars = [
        bar
        for index, day in enumerate(all_days)
        for bar in _bars(sums, kinds, day, LEFT + index * width, width, top)
    ]
    return {
        "width": WIDTH,
        "height": HEIGHT + BOTTOM + TOP,
        "left": LEFT,
        "base": HEIGHT + TOP,
        "top": TOP,
        "bars": bars,
        "most": f"{top:,}",
        "labels": [
            {"x": round(LEFT + index * width), "text": f"{day:%m-%d}"}
            for index, day in enumerate(all_days)
            if index % 5 == 0
        ],
        "label_y": HEIGHT + BOTTOM + TOP - 4,
        "legend": [
            {"kind": kind.replace("_", " "), "colour": index % COLOURS} for index, kind in enumerate(kinds)
        ],
    }


def _folded(sums: Counter[tuple[date, str]]) -> Counter[tuple[date, str]]:
    """Return the sums with the smallest kinds as one, where there are more kinds than colours."""
    totals: Counter[str] = Counter()
    for (_, kind), records in sums.items():
        totals[kind] += records
    if len(totals) <= COLOURS:
        return sums
    largest = {kind for kind, _ in totals.most_common(COLOURS - 1)}
    folded: Counter[tuple[date, str]] = Counter()
    for (day, kind), records in sums.items():
        folded[day, kind if kind in largest else OTHER] += records
    return folded


def _bars(
    sums: Counter[tuple[date, str]], kinds: list[str], day: date, x: float, width: float, top: int
) -> list[dict[str, Any]]:
    bars = []
    y = float(HEIGHT + TOP)
    for index, kind in enumerate(kinds):
        records = sums[day, kind]
        if not records:
            continue
        height = records / top * HEIGHT
        y -= height
        title = f"{day.isoformat()}: {records:,} {kind.replace('_', ' ')}"
        box = {
            "x": round(x + 1, 1),
            "y": round(y, 1),
            "width": round(width - 2, 1),
            "height": round(height, 1),
        }
        bars.append({**box, "colour": index % COLOURS, "title": title})
    return bars
