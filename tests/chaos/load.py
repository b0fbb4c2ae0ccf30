"""Meanwhile: people start, cancel, pause and replay, and others look at the admin."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError, connection
from django.test import Client
from django.utils import timezone

from ingest import jobs, replaying
from ingest.models import CollectionJob, FailedSync, Source, SourceStream
from local.servers import HOST
from tests.chaos.journal import Journal

ADMIN = CollectionJob.Trigger.ADMIN
WEB_SECONDS = 15.0
PAGES = ("/healthz", "/admin/login/", "/admin/ingest/collectionjob/", "/admin/")


class Background:
    """A thread that does one thing after the other until it is told to stop."""

    def __init__(self, act: Callable[[], None], *, pause: Callable[[], float]) -> None:
        self._act = act
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._error: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait until it has stopped; what made it stop earlier is raised here."""
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _go_on(self) -> None:
        try:
            while not self._stop.wait(self._pause()):
                self._act()
        except Exception as error:  # noqa: BLE001 - whoever stops this thread hears of it
            self._error = error
        finally:
            connection.close()


class People:
    """Whoever sits at the admin: what they do comes from the seed, to what from what is there."""

    def __init__(self, *, seed: int, journal: Journal) -> None:
        self._chance = random.Random(f"{seed}:people")
        self._journal = journal

    def pause(self) -> float:
        return self._chance.uniform(0.5, 2.5)

    def act(self) -> None:
        """Do one thing; where PostgreSQL is away, people see an error and try something else later."""
        whim, pick = self._chance.choice(WHIMS), self._chance.random()
        try:
            done = whim(pick)
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            done = f"not possible: {type(error).__name__}"
        self._journal.note("whim", whim=whim.__name__, done=done)


def start_some(pick: float) -> str:
    stream = _one_of(SourceStream.objects.order_by("pk"), pick)
    job, is_new = jobs.start(stream, trigger=ADMIN, full=pick * 97 % 1 < 0.5)
    return f"{stream}: {job}{' (new)' if is_new else ''}"


def backfill_some(pick: float) -> str:
    stream = _one_of(SourceStream.objects.order_by("pk"), pick)
    window = jobs.Window(start=timezone.now() - timedelta(days=pick * 200))
    return f"{stream}: {jobs.start(stream, trigger=ADMIN, window=window)[0]}"


def cancel_some(pick: float) -> str:
    live = list(CollectionJob.objects.filter(status__in=CollectionJob.LIVE).order_by("pk"))
    chosen = [_one_of(live, pick)] if live else []
    jobs.request_cancel(chosen)
    return ", ".join(str(job) for job in chosen)


def pause_some(pick: float) -> str:
    source = _one_of(Source.objects.order_by("pk"), pick)
    jobs.set_paused([source], paused=True)
    return str(source)


def resume_all(_: float) -> str:
    paused = list(Source.objects.filter(is_paused=True))
    jobs.set_paused(paused, paused=False)
    return ", ".join(str(source) for source in paused)


def replay_some(pick: float) -> str:
    letters = FailedSync.objects.filter(stream=_one_of(SourceStream.objects.order_by("pk"), pick))
    return ", ".join(str(job) for job in replaying.replay(letters, trigger=ADMIN))


#: As often as they stand here: a paused source is soon resumed.
WHIMS = (
    *(start_some, start_some, start_some, backfill_some, backfill_some),
    *(cancel_some, pause_some, resume_all, resume_all, resume_all, replay_some),
)


def _one_of(rows: Iterable[Any], pick: float) -> Any:
    found = list(rows)
    return found[int(pick * len(found))]


class Visitor:
    """Asks the web for a page and counts how it answers; 503 and refusals are honest answers."""

    def __init__(self, *, port: int, seed: int) -> None:
        self._port = port
        self._chance = random.Random(f"{seed}:visitor")
        self._headers = {"Cookie": _login()}
        self.answers: Counter[str] = Counter()

    def pause(self) -> float:
        return self._chance.uniform(0.2, 0.8)

    def act(self) -> None:
        self.answers[self.ask(self._chance.choice(PAGES))] += 1

    def ask(self, page: str) -> str:
        """Return the status of the answer, or why there was none."""
        line = http.client.HTTPConnection(HOST, self._port, timeout=WEB_SECONDS)
        try:
            line.request("GET", page, headers=self._headers)
            answer = line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            line.close()
        return str(answer.status)


def _login() -> str:
    client = Client()
    client.force_login(User.objects.create_superuser("chaos"))
    return f"sessionid={client.cookies['sessionid'].value}"
