from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest

from ingest.management.text import cell, one_line, write_table
from ingest.models import CollectionJob, Source
from syncproject import following
from syncproject.progress import Bars, Lines, Standing, display_for, standing
from tests.scripted import START


class Screen(StringIO):
    """Takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


def stand(**values: object) -> Standing:
    given: dict[str, object] = {
        "job_id": 1,
        "label": "shop/orders",
        "status": "RUNNING",
        "is_live": True,
        "done": 0,
        "expected": None,
        "per_second": 0.0,
        "dead_letters": 0,
        "stage": (),
        "is_waiting": False,
        "state": "page 1",
    }
    return Standing(**{**given, **values})  # type: ignore[arg-type]


def job(**values: object) -> CollectionJob:
    given: dict[str, object] = {"pk": 1, "status": "RUNNING", "next_run_at": START, "started_at": START}
    found = CollectionJob(**{**given, **values})
    found.source = Source(name="shop")
    found.stream = found.source.streams.model(name="orders", source=found.source)
    return found


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"started_at": None, "status": "PENDING"}, "queued"),
        ({"next_page_number": 3, "progress_at": START}, "page 3"),
        ({"is_fetched": True, "progress_at": START}, "writing the last pages"),
        ({"cancel_requested": True}, "stops at the next page"),
        (
            {"next_run_at": START + timedelta(seconds=17), "error": "429 from shop"},
            "waits 12 s: 429 from shop",
        ),
        ({"progress_at": START - timedelta(seconds=30), "next_page_number": 2}, "page 2, nothing for 35 s"),
        ({"status": "FAILED", "error": "shop is\ngone"}, "failed: shop is gone"),
    ],
)
def test_the_state_says_what_a_job_is_at(values: dict[str, object], state: str) -> None:
    assert standing(job(**values), now=START + timedelta(seconds=5)).state == state


def test_speed_is_records_by_the_time_a_run_took() -> None:
    ended = job(status="SUCCEEDED", inserted=300, unchanged=100, finished_at=START + timedelta(seconds=4))
    assert standing(ended, now=START + timedelta(days=1)).per_second == 100


def test_a_pipe_gets_lines_only_when_something_happened() -> None:
    out = StringIO()
    lines = Lines(out)
    for second, done in enumerate([0, 10, 20, 20, 20, 20, 20, 30]):
        lines.show(START + timedelta(seconds=second), [stand(done=done, stage=(done,))])
    assert [line.split(",")[0] for line in out.getvalue().splitlines()] == [
        "shop/orders: 0 records",
        "shop/orders: 20 records",
    ]


def test_the_end_of_a_job_is_told_at_once() -> None:
    out = StringIO()
    lines = Lines(out)
    lines.show(START, [stand()])
    lines.show(START + timedelta(seconds=0.1), [stand(is_live=False, state="succeeded")])
    assert out.getvalue().endswith("succeeded\n")


def test_a_terminal_gets_bars_and_brackets_are_no_markup() -> None:
    screen = Screen()
    with Bars(screen) as bars:
        bars.show(START, [stand(label="shop/[red]orders", done=5, expected=10), stand(done=7)])
    assert "shop/[red]orders" in screen.getvalue()
    assert "12 records" in screen.getvalue()


def test_the_display_fits_where_it_goes() -> None:
    assert isinstance(display_for(Screen()), Bars)
    assert isinstance(display_for(StringIO()), Lines)


@pytest.fixture
def complaints() -> list[None]:
    return []


@pytest.fixture
def look(complaints: list[None]) -> Callable[[int, Standing], None]:
    patience = following.Patience(seconds=15, complain=lambda: complaints.append(None))

    def look_at(second: int, one: Standing) -> None:
        patience.look(START + timedelta(seconds=second), [one])

    return look_at


def test_a_missing_worker_is_told_once(look: Callable[[int, Standing], None], complaints: list[None]) -> None:
    for second in range(0, 60, 5):
        look(second, stand(state=f"page 2, nothing for {second} s"))
    assert len(complaints) == 1


def test_progress_and_waits_are_no_reason_to_complain(
    look: Callable[[int, Standing], None], complaints: list[None]
) -> None:
    for second in range(0, 60, 5):
        look(second, stand(stage=(second,)))
    for second in range(60, 120, 5):
        look(second, stand(is_waiting=True))
    assert not complaints


def test_tables_are_aligned_by_what_is_seen() -> None:
    out = StringIO()
    write_table(out, ["name", "count"], [["日本", 1_000], ["abc", None]])
    assert out.getvalue().splitlines() == ["name  count", "日本  1,000", "abc       -"]


def test_a_terminal_table_shows_brackets_as_they_are() -> None:
    screen = Screen()
    write_table(screen, ["name"], [["[bold]x[/bold]"]])
    assert "[bold]x[/bold]" in screen.getvalue()


def test_cells_are_short_and_of_one_line() -> None:
    assert len(cell("x" * 500)) == 60
    assert cell("a\nb\tc") == "a b c"
    assert cell(datetime.fromisoformat("2026-01-01T02:00:00+02:00")) == "2026-01-01 00:00:00Z"


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b2J", "\u202eevil", "\u2066x", "a\x00b", "\x07", "\u200bx"])
def test_no_control_character_reaches_the_terminal(text: str) -> None:
    assert one_line(text) in {"[2J", "2J", "evil", "x", "ab", ""}
