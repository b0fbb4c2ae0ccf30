"""Two small charts as SVG: how fast each system is, and what memory each process takes over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from bench.cases import PHASES
from bench.figures import Figures
from bench.memory import Series

WIDTH = 900
LEFT = 150
RIGHT = 110
BAR = 18
GAP = 26
PLOT_HEIGHT = 240
TITLES = {"first": "First load", "unchanged": "Second load, nothing changed", "changed": "1 % changed"}
OURS, OTHER = "#2563eb", "#9ca3af"
COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#6b7280", "#be185d")
MIB = 2**20


def bars(figures: Figures) -> str:
    """Return records per second as bars, case by case."""
    parts: list[str] = []
    y = 20
    for case in PHASES:
        systems = [system for found, system in figures.pairs() if found == case]
        if not systems:
            continue
        parts.append(_text(10, y, f"{TITLES[case]}, records per second", weight="bold"))
        most = max(figures.rate(case, system).median for system in systems)
        for system in systems:
            y += BAR + 4
            parts += _bar(system, figures.rate(case, system).median, most, y)
        y += GAP + BAR
    return _svg(parts, height=y)


def _bar(system: str, rate: float, most: float, y: int) -> list[str]:
    width = max(1.0, rate / most * (WIDTH - LEFT - RIGHT))
    colour = OURS if system == "ours" else OTHER
    return [
        _text(LEFT - 8, y, system, anchor="end"),
        f'<rect x="{LEFT}" y="{y - BAR + 5}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>',
        _text(LEFT + width + 6, y, f"{rate:,.0f}"),
    ]


def lines(series: Sequence[Series]) -> str:
    """Return resident memory over time, one line per process."""
    shown = [one for one in series if one.bytes]
    names = list(dict.fromkeys(one.name for one in shown))
    most = max((one.peak() for one in shown), default=MIB)
    last = max((one.seconds[-1] for one in shown), default=1.0)
    parts = [_text(10, 20, "While the amount grows: resident memory of each process", weight="bold")]
    for one in shown:
        points = _points(one, last=last, most=most)
        colour = _colour(names, one.name)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    parts += _axes(most=most, last=last)
    for index, name in enumerate(names):
        parts.append(
            _text(LEFT + index * 130, PLOT_HEIGHT + 80, name, weight="bold", colour=_colour(names, name))
        )
    return _svg(parts, height=PLOT_HEIGHT + 100)


def _points(series: Series, *, last: float, most: int) -> str:
    across, up = (WIDTH - LEFT - RIGHT) / last, PLOT_HEIGHT / most
    both = zip(series.seconds, series.bytes, strict=True)
    return " ".join(
        f"{LEFT + second * across:.1f},{40 + PLOT_HEIGHT - taken * up:.1f}" for second, taken in both
    )


def _axes(*, most: int, last: float) -> Iterable[str]:
    base, right = 40 + PLOT_HEIGHT, WIDTH - RIGHT
    yield f'<path d="M{LEFT} 40V{base}H{right}" fill="none" stroke="#6b7280"/>'
    yield _text(LEFT - 8, 46, f"{most / MIB:,.0f} MiB", anchor="end")
    yield _text(LEFT - 8, base, "0", anchor="end")
    yield _text(right, base + 18, f"{last:,.0f} s", anchor="end")


def _colour(names: Sequence[str], name: str) -> str:
    return COLOURS[names.index(name) % len(COLOURS)]


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", colour: str = "#111827"
) -> str:
    look = f'text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(text)}</text>'


def _svg(parts: Iterable[str], *, height: float) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        'font-family="system-ui, sans-serif" font-size="13">'
    )
    # A ground of its own: the page behind may be dark.
    return "\n".join([head, '<rect width="100%" height="100%" fill="#ffffff"/>', *parts, "</svg>\n"])
