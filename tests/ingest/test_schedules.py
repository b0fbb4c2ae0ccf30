"""Schedules: the next moment is right over a year and more, and bad text is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ingest import schedules
from ingest.schedules import BadSchedule

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 400


def runs(schedule: str, *, start: datetime, end: datetime, spread_by: str = "") -> list[datetime]:
    found = []
    moment = schedules.next_run(schedule, after=start, spread_by=spread_by)
    while moment and moment <= end:
        found.append(moment)
        moment = schedules.next_run(schedule, after=moment, spread_by=spread_by)
    return found


CRONTABS: dict[str, Callable[[datetime], bool]] = {
    "30 2 * * *": lambda t: (t.hour, t.minute) == (2, 30),
    "0 3 * * mon-fri": lambda t: (t.hour, t.minute) == (3, 0) and t.weekday() < 5,
    "15 12 1 * *": lambda t: (t.day, t.hour, t.minute) == (1, 12, 15),
    "0 0 29 2 *": lambda t: (t.month, t.day, t.hour, t.minute) == (2, 29, 0, 0),
    "45 23 31 * *": lambda t: (t.day, t.hour, t.minute) == (31, 23, 45),
    "0 */6 * * 0": lambda t: t.minute == 0 and t.hour % 6 == 0 and t.isoweekday() == 7,
    "0,30 9-17 * 1,7 *": lambda t: t.minute in (0, 30) and 9 <= t.hour <= 17 and t.month in (1, 7),
}


@pytest.mark.parametrize("line", CRONTABS)
def test_a_crontab_line_names_every_moment_once_for_400_days(line: str) -> None:
    end = NEW_YEAR + timedelta(days=DAYS)
    quarters = (NEW_YEAR + timedelta(minutes=15 * n) for n in range(1, DAYS * 96 + 1))

    assert runs(line, start=NEW_YEAR, end=end) == [moment for moment in quarters if CRONTABS[line](moment)]


def test_every_minute_is_every_minute() -> None:
    start = NEW_YEAR + timedelta(seconds=17)
    found = runs("* * * * *", start=start, end=start + timedelta(hours=2))

    assert found == [NEW_YEAR + timedelta(minutes=n) for n in range(1, 121)]


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("every 10s", timedelta(seconds=10)),
        ("every 15m", timedelta(minutes=15)),
        ("Every 6 H", timedelta(hours=6)),
        (" every 2d ", timedelta(days=2)),
    ],
)
def test_an_interval_counts_from_now(text: str, interval: timedelta) -> None:
    after = datetime(2026, 3, 29, 1, 59, 59, 123, tzinfo=UTC)

    assert schedules.next_run(text, after=after) == after + interval


def test_no_schedule_is_never() -> None:
    assert schedules.next_run("  ", after=NEW_YEAR) is None


def test_another_time_zone_means_the_same_moment() -> None:
    eastern = NEW_YEAR.astimezone(datetime.fromisoformat("2026-01-01T00:00-05:00").tzinfo)

    assert schedules.next_run("0 3 * * *", after=eastern) == schedules.next_run("0 3 * * *", after=NEW_YEAR)


def test_streams_are_spread_over_the_minute_each_at_its_own_second() -> None:
    def first(stream: str) -> datetime | None:
        return schedules.next_run("0 3 * * *", after=NEW_YEAR, spread_by=stream)

    seconds = {moment.second for n in range(200) if (moment := first(f"{n}/orders"))}

    assert len(seconds) > 40
    assert first("1/orders") == first("1/orders")


@pytest.mark.parametrize("schedule", ["*/15 * * * *", "every 15m"])
def test_the_spread_skips_and_doubles_no_run(schedule: str) -> None:
    for stream in range(10):
        found = runs(schedule, start=NEW_YEAR, end=NEW_YEAR + timedelta(days=1), spread_by=f"{stream}/x")

        gaps = {later - earlier for earlier, later in pairwise(found)}
        assert gaps == {timedelta(minutes=15)}


@pytest.mark.parametrize(
    ("schedule", "interval"), [("every 10s", timedelta(seconds=10)), ("every 2d", timedelta(days=2))]
)
def test_intervals_that_began_together_end_spread_over_all_of_it(schedule: str, interval: timedelta) -> None:
    streams = [f"{number}/orders" for number in range(200)]
    found = [schedules.next_run(schedule, after=NEW_YEAR, spread_by=stream) for stream in streams]
    tenths = Counter((moment - NEW_YEAR) * 10 // interval for moment in found if moment)

    assert all(NEW_YEAR < moment <= NEW_YEAR + interval for moment in found if moment)
    assert min(tenths[tenth] for tenth in range(10)) >= 5


def test_a_run_that_began_late_does_not_move_those_after_it() -> None:
    def following(after: datetime) -> datetime | None:
        return schedules.next_run("every 15m", after=after, spread_by="1/orders")

    due = following(NEW_YEAR)
    assert due
    assert following(due + timedelta(seconds=4)) == following(due) == due + timedelta(minutes=15)


@pytest.mark.parametrize(
    "text",
    [
        "every",
        "every 5",
        "every 5 weeks",
        "every 9s",
        "every 0m",
        "every -5m",
        "every 1.5h",
        "every 99999999999d",
        "every 9999999d",
        "hourly",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "a b c d e",
        "1,,2 * * * *",
        "0 0 30 2 *",
    ],
)
def test_text_that_is_no_schedule_is_named(text: str) -> None:
    with pytest.raises(BadSchedule, match=r"\S") as refusal:
        schedules.check(text)

    assert text.split()[0] in str(refusal.value)
