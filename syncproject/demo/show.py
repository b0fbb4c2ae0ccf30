"""The demo from the curtain's rise to its fall."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

from django.conf import settings
from django.utils import timezone

from ingest import jobs
from ingest.management.text import Output, write_table
from ingest.models import REFINED_MODELS, CollectionJob, Source
from local import processes as ports
from local.servers import HOST
from sandbox import SandboxClient
from syncproject import following, pipeline
from syncproject.demo import checking, stage, world
from syncproject.demo.processes import Processes
from syncproject.demo.world import Facts
from syncproject.progress import Standing, display_for

LOCAL = Path(settings.BASE_DIR) / ".local"
#: Longer than a lost worker's lease.
STUCK_AFTER_SECONDS = 120.0
COLUMNS = ["stream", "kind", "fetched", "new", "changed", "unchanged", "dead letters", "seconds", "status"]
CHECKED = ["stream", "kind", "expected", "held", "dead letters", "lost"]


class DemoFailed(Exception):
    """The demo could not show what it should; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where things are found while the demo is up."""

    web: int
    flower: int
    sandbox: int

    @property
    def web_url(self) -> str:
        return f"http://{HOST}:{self.web}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.sandbox}"


def choose_addresses() -> Addresses:
    """Take the usual ports where they are free, else others."""
    return Addresses(web=_port(8000), flower=_port(5555), sandbox=_port(8099))


def _port(usual: int) -> int:
    return usual if ports.is_free(usual) else ports.free_port()


class Show:
    """One performance."""

    def __init__(self, *, out: Output, known: Facts, reset: bool) -> None:
        self._out = out
        self._known = known
        self._reset = reset or known.is_new
        self._files = LOCAL / "demo-files"
        self.addresses = choose_addresses()
        self.sources = world.sources(url=self.addresses.sandbox_url)
        self.processes = Processes(
            Path(settings.BASE_DIR) / "Procfile", environment=self._environment(), logs=LOCAL / "demo-logs"
        )

    def say(self, line: str = "") -> None:
        self._out.write(line + "\n")

    def open(self) -> None:
        """
        Start everything, what the first rows need first.

        :raises ProcessFailed: if the sandbox does not come up
        """
        self.processes.start("sandbox", "worker")
        stage.make_user(self._known.password)
        world.write_files(self._known, self._files)
        if self._reset:
            stage.clear()
        self.processes.wait_until(partial(_listens, self.addresses.sandbox), what="The sandbox")

    def sync(self) -> list[int]:
        """
        Sync all streams, showing how it goes; return the jobs.

        :raises ProcessFailed: if a process dies again and again
        :raises DemoFailed: if nothing moves for long
        """
        started = stage.start_jobs(stage.make_sources(self.sources, web=self.addresses.web_url))
        for job in started:
            if jobs.note_rung(job.pk, now=timezone.now()):
                pipeline.ring(pipeline.page_chain(job.pk))
        self.processes.start()
        job_ids = [job.pk for job in started]
        with display_for(self._out) as display:
            patience = following.Patience(seconds=STUCK_AFTER_SECONDS, complain=_give_up)

            def look(now: datetime, found: Sequence[Standing]) -> None:
                display.show(now, found)
                self.processes.revive(tell=display.note)
                patience.look(now, found)

            following.follow(job_ids, look=look, stop=Event())
        return job_ids

    def tell_results(self, job_ids: Sequence[int]) -> None:
        """Print what was synced."""
        found = CollectionJob.objects.filter(pk__in=job_ids).select_related("source", "stream")
        rows = [_row(job) for job in found.defer("source__credentials").order_by("pk")]
        self.say()
        write_table(self._out, COLUMNS, rows)
        names = Source.objects.filter(name__startswith=world.PREFIX)
        per_kind = [
            (kind, model._default_manager.filter(source__in=names).count())
            for kind, model in REFINED_MODELS.items()
        ]
        self.say()
        self.say("In PostgreSQL now: " + ", ".join(f"{count:,} {kind}" for kind, count in per_kind if count))

    def tell_addresses(self) -> None:
        """Print where to look, and how to get in."""
        self.say()
        self.say(f"Admin    {self.addresses.web_url}/admin/")
        self.say(f"Flower   http://{HOST}:{self.addresses.flower}/")
        self.say(f"Login    {stage.USER} / {self._known.password}   (for both)")
        self.say(f"Sandbox  {self.addresses.sandbox_url}   Logs  {LOCAL / 'demo-logs'}")
        for name in world.LEFT:
            self.say(f"Source {world.PREFIX}{name} waits for you: open it in the admin and press Connect.")

    def wait_for_doors(self) -> None:
        """:raises ProcessFailed: if web or Flower does not come up"""
        self.processes.wait_until(partial(_listens, self.addresses.web), what="The web server")
        self.processes.wait_until(partial(_listens, self.addresses.flower), what="Flower")

    def stay(self) -> None:
        """
        Keep everything running until interrupted.

        :raises ProcessFailed: if a process dies again and again
        """
        while True:
            self.processes.revive(tell=self.say)
            Event().wait(0.5)

    def check(self) -> checking.Sums:
        """Compare what arrived with the sandbox's ledger, and print the counts."""
        sums = checking.check(self.sources, SandboxClient(self.addresses.sandbox_url))
        self.say()
        write_table(self._out, CHECKED, [_checked_row(one) for one in sums.each])
        self.say()
        return sums

    def _environment(self) -> Mapping[str, str]:
        return {
            "WEB_PORT": str(self.addresses.web),
            "FLOWER_PORT": str(self.addresses.flower),
            "FLOWER_URL": f"http://127.0.0.1:{self.addresses.flower}/",
            "FLOWER_BASIC_AUTH": f"{stage.USER}:{self._known.password}",
            "SANDBOX_PORT": str(self.addresses.sandbox),
            "SANDBOX_ARGS": world.sandbox_arguments(self._known),
            "SYNC_PRIVATE_HOSTS": f"{HOST}:{self.addresses.sandbox}",
            "SYNC_FILE_ROOTS": str(self._files.relative_to(settings.BASE_DIR)),
            "ALLOWED_HOSTS": f"{HOST},localhost",
            "HTTPS_ONLY": "false",
        }


def _checked_row(one: checking.Checked) -> tuple[Any, ...]:
    return one.stream, one.kind, one.expected, one.records, one.dead_letters, one.lost


def _give_up() -> NoReturn:
    raise DemoFailed(
        f"Nothing has moved for {STUCK_AFTER_SECONDS:.0f} s. Look at `python manage.py jobs` and into "
        f"{LOCAL / 'demo-logs' / 'worker.log'}."
    )


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def _row(job: CollectionJob) -> tuple[Any, ...]:
    seconds = (
        (job.finished_at - job.started_at).total_seconds() if job.started_at and job.finished_at else None
    )
    status = f"{job.status}: {job.error}" if job.error else job.status
    return (
        f"{job.source.name}/{job.stream.name}",
        job.stream.kind,
        job.fetched,
        job.inserted,
        job.updated,
        job.unchanged,
        job.failed,
        None if seconds is None else round(seconds),
        status,
    )
