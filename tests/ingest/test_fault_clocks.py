"""Clocks that stand still, jump or live elsewhere: each run happens once, at its moment in UTC."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from ingest import jobs, schedules
from ingest.models import CollectionJob, SourceStream
from tests.conftest import finish
from tests.ingest.steps import StreamNamed
from tests.scripted import Script, record

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 400
#: Every kind of clock change: whole and half hours, both hemispheres, a date line, none at all.
ZONES = [
    "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "America/Anchorage",
    "America/Argentina/Buenos_Aires", "America/Chicago", "America/Denver", "America/Halifax",
    "America/Havana", "America/Los_Angeles", "America/New_York", "America/Nuuk", "America/Santiago",
    "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Jerusalem",
    "Asia/Kathmandu", "Asia/Kolkata", "Asia/Tehran", "Asia/Tokyo", "Atlantic/Azores", "Australia/Adelaide",
    "Australia/Lord_Howe", "Europe/Berlin", "Europe/Dublin", "Europe/London", "Pacific/Apia",
    "Pacific/Chatham",
]  # fmt: skip


@pytest.fixture
def machine_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the machine live in the zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("machine_zone", ZONES, indirect=True)
def test_no_clock_change_of_any_zone_skips_or_doubles_a_run(machine_zone: str) -> None:
    zone = ZoneInfo(machine_zone)
    found: list[datetime] = []
    moment: datetime | None = NEW_YEAR
    while moment and len(found) < DAYS:
        moment = schedules.next_run("30 2 * * *", after=moment.astimezone(zone), spread_by="1/orders")
        assert moment is not None
        found.append(moment)

    first = schedules.next_run("30 2 * * *", after=NEW_YEAR, spread_by="1/orders")
    assert first is not None
    assert first.replace(second=0) == NEW_YEAR + timedelta(hours=2, minutes=30)
    assert found == [first + timedelta(days=day) for day in range(DAYS)]


@pytest.mark.parametrize("zone", ZONES)
def test_an_interval_is_as_long_on_the_day_of_a_clock_change(zone: str) -> None:
    every_half_day = (NEW_YEAR + timedelta(hours=12 * n) for n in range(2 * DAYS))
    interval = timedelta(hours=6)

    assert [
        after
        for after in every_half_day
        if schedules.next_run("every 6h", after=after.astimezone(ZoneInfo(zone))) != after + interval
    ] == []


@pytest.mark.django_db
@pytest.mark.parametrize("schedule", ["every 10s", "* * * * *", "*/5 * * * *"])
def test_a_frozen_beat_is_followed_by_one_run_to_catch_up(
    script: Script, stream: StreamNamed, schedule: str
) -> None:
    """Many turns were missed, and two beats wake up at once and tick twice each."""
    script.says("records", [record("1")])
    now = timezone.now()
    missed = now - timedelta(hours=1)
    SourceStream.objects.filter(name="records").update(schedule=schedule, next_run_at=missed)

    assert [jobs.start_due(now=now) for _ in range(4)] == [1, 0, 0, 0]

    finish(CollectionJob.objects.get())
    assert jobs.start_due(now=now) == 0
    following = stream("records").next_run_at
    assert following is not None
    assert now < following <= now + timedelta(minutes=6)


@pytest.mark.django_db
def test_a_bell_noted_by_a_clock_that_was_ahead_does_not_silence_a_job(stream: StreamNamed) -> None:
    """The message was lost, and the clock has been set right since."""
    job = jobs.start(stream("records"), trigger="ADMIN")[0]
    now = timezone.now()
    CollectionJob.objects.update(rung_at=now + timedelta(hours=1))

    assert jobs.take_unrung(now=now, is_fetch_idle=False, is_apply_idle=False) == [job]

    CollectionJob.objects.update(rung_at=now + timedelta(hours=1))
    assert jobs.note_rung(job.pk, now=now)
