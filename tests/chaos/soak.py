"""
The soak itself, run by `python -m tests.chaos` in a process of its own: play, heal, settle, judge.

It speaks to PostgreSQL directly, not through the proxy, and sees what an operator sees.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import django
from django.db import OperationalError, connection
from django.db.models.functions import Now

django.setup()  # before the models below

from ingest import jobs  # noqa: E402
from ingest.models import CollectionJob, SourceStream  # noqa: E402
from local.processes import wait_until  # noqa: E402
from tests.chaos import accounts, oracle, plan, report  # noqa: E402
from tests.chaos.journal import Journal, say  # noqa: E402
from tests.chaos.load import Background, People, Visitor  # noqa: E402
from tests.chaos.stage import Stage  # noqa: E402
from tests.chaos.strikes import Striker  # noqa: E402
from tests.chaos.unrest import AMOUNTS, Told, calm, lay_out_sources, stir  # noqa: E402

PROGRESS_SECONDS = 5.0
STEP_SECONDS = 0.1
RECONNECT_SECONDS = 1.0
#: No job may be left over longer than this once everything is well again.
SETTLE_SECONDS = 60.0
#: For the last full sync of every stream.
SYNC_SECONDS = 120.0


def _postgres_answers() -> bool:
    connection.close()  # most likely it has died meanwhile
    try:
        connection.ensure_connection()
    except OperationalError:
        return False
    return True


class Soak:
    """One run from its seed."""

    def __init__(self, stage: Stage, journal: Journal, *, seed: int, seconds: float, lease: int) -> None:
        self._stage = stage
        self._journal = journal
        self._seed = seed
        self._deeds = plan.draw(seed, seconds=seconds, lease_seconds=lease)
        self._seconds = seconds
        self._parent = os.getppid()

    def run(self) -> report.Result:
        """
        Play, heal, let it settle, and compare.

        :raises TimeoutError: if something does not come up, or what is to end does not
        """
        stage, journal = self._stage, self._journal
        stage.set_up()
        told = lay_out_sources(stage.world, stage.strict)
        stir(stage.world, stage.strict, seed=self._seed)
        progress = report.Progress(journal, deeds=len(self._deeds))
        people, visitor = (
            People(seed=self._seed, journal=journal),
            Visitor(port=stage.web_port, seed=self._seed),
        )
        keeper = accounts.Keeper(stage.strict, journal)
        company = [
            Background(people.act, pause=people.pause),
            Background(visitor.act, pause=visitor.pause),
        ]
        watchers = [
            Background(progress.tell, pause=lambda: PROGRESS_SECONDS),
            Background(keeper.act, pause=lambda: RECONNECT_SECONDS),
        ]
        journal.begin()
        for one in (*company, *watchers):
            one.start()
        self._play()
        # Only now can those be waited for who were waiting for PostgreSQL.
        stage.heal()
        # A session killed last of all sends PostgreSQL into one more recovery.
        if not wait_until(_postgres_answers, seconds=SETTLE_SECONDS):
            raise TimeoutError(f"PostgreSQL did not answer {SETTLE_SECONDS:.0f} s after it was healed")
        journal.note("healed")
        for one in company:
            one.stop()
        calm(stage.world, stage.strict)
        self._call_back()
        settled = self._until_all_ended("the jobs under way", SETTLE_SECONDS)
        caught_up = self._sync_all(told, full=False)
        behind = self._differences(told)
        keeper.act()  # a token whose answer was lost before the calm is found out now
        synced = self._sync_all(told, full=True)
        for one in watchers:
            one.stop()
        return report.Result(
            seed=self._seed,
            seconds=self._seconds,
            settled=settled,
            caught_up=caught_up,
            synced=synced,
            behind=behind,
            differences=[*self._differences(told), *accounts.differences(stage.strict, journal)],
            accounts=list(accounts.figures(stage.strict, journal)),
            answers=visitor.answers,
            web_in_the_end=visitor.ask("/admin/ingest/collectionjob/"),
            lies=stage.world.requests()["lies"],
        )

    def _play(self) -> None:
        striker = Striker(self._stage, self._journal)
        waiting = list(self._deeds)
        while self._journal.now < self._seconds:
            now = self._journal.now
            striker.take_back(until=now)
            while waiting and waiting[0].at <= now:
                striker.strike(waiting.pop(0))
            self._look_after()
            time.sleep(STEP_SECONDS)
        striker.finish()

    def _call_back(self) -> None:
        """
        Let jobs that wait out a failure try again at once, as whoever ended the trouble would.

        A provider that failed them often is asked again only after minutes, so that they would outlast any
        bound here; how long they wait is tested where it is decided.
        """
        away = CollectionJob.objects.filter(status__in=CollectionJob.LIVE, next_run_at__gt=Now())
        called = away.update(next_run_at=Now(), rung_at=None)
        self._journal.note("called back", jobs=called)
        say(f"{called} jobs that waited to try again were called back")

    def _look_after(self) -> None:
        """Be the supervisor that starts again what ended."""
        for name in self._stage.revive():
            self._journal.note("ended by itself", whom=name)
        if os.getppid() != self._parent:
            raise SystemExit("the process that started this one is gone")

    def _sync_all(self, told: Mapping[SourceStream, Told], *, full: bool) -> float | None:
        for stream in SourceStream.objects.filter(pk__in=[stream.pk for stream in told]):
            jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, full=full)
        return self._until_all_ended(
            "one full sync each" if full else "one incremental sync each", SYNC_SECONDS
        )

    def _until_all_ended(self, what: str, seconds: float) -> float | None:
        started = time.monotonic()

        def ended() -> bool:
            self._look_after()
            return not CollectionJob.objects.filter(status__in=CollectionJob.LIVE).exists()

        ended_in_time = wait_until(ended, seconds=seconds)
        took = time.monotonic() - started
        self._journal.note("settled" if ended_in_time else "stuck", who=what, seconds=round(took, 1))
        say(f"{what}: {'all ended' if ended_in_time else 'NOT ended'} after {took:.1f} s")
        return took if ended_in_time else None

    def _differences(self, told: Mapping[SourceStream, Told]) -> list[oracle.Difference]:
        return oracle.differences({stream: one.newest() for stream, one in told.items()})


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    for name in ("seed", "seconds", "lease"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    journal = Journal(asked.folder / "events.jsonl")
    stage = Stage(asked.folder, seed=asked.seed, lease_seconds=asked.lease, sandbox_options=AMOUNTS.split())
    try:
        soak = Soak(stage, journal, seed=asked.seed, seconds=asked.seconds, lease=asked.lease)
        result = soak.run()
        report.tell(result, journal)
    finally:
        connection.close()
        stage.tear_down()
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
