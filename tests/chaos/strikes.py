"""Doing what the plan says, to the process, server or link it names."""

from __future__ import annotations

import heapq
import random
import signal
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import psutil

from tests.chaos.journal import Journal
from tests.chaos.plan import Deed
from tests.chaos.processes import Service, send
from tests.chaos.proxy import Moment, Proxy, Trap
from tests.chaos.servers import OwnServer
from tests.chaos.stage import Stage

#: Up to here a link is cut; a page of records is a few tens of kilobytes.
MOST_BYTES = 60_000
#: Statements in the middle of what must happen as a whole: claiming, landing, applying, counting.
STATEMENTS = (
    b"SET lease_token = lease_token + 1",
    b"EXECUTE move_checkpoint",
    b'UPDATE "ingest_page"',
    b"COPY ingest_rawrecord",
    b"json_to_recordset",
    b"INSERT INTO metrics_dailymetric",
)

Undo = Callable[[], object]


class Striker:
    """Carries deeds out and takes them back when their time is over."""

    def __init__(self, stage: Stage, journal: Journal) -> None:
        self._stage = stage
        self._journal = journal
        self._undoings: list[tuple[float, int, Deed, Undo]] = []
        self._traps: list[tuple[Deed, Trap]] = []
        self._ties = count()

    def strike(self, deed: Deed) -> None:
        """Do it, note what came of it, and remember to take it back."""
        if deed.whom in self._stage.links:
            facts, undo = self._strike_link(deed, self._stage.links[deed.whom])
        elif deed.whom in self._stage.services:
            facts, undo = self._strike_service(deed, self._stage.services[deed.whom])
        else:
            facts, undo = self._strike_server(deed)
        self._journal.note(
            "deed", deed=deed.name, whom=deed.whom, planned=deed.at, seconds=deed.seconds, **facts
        )
        if undo is not None:
            heapq.heappush(self._undoings, (deed.at + deed.seconds, next(self._ties), deed, undo))
        else:
            self._journal.note("over", deed=deed.name)

    def take_back(self, *, until: float) -> None:
        """Undo every deed whose time is over."""
        while self._undoings and self._undoings[0][0] <= until:
            _, _, deed, undo = heapq.heappop(self._undoings)
            undo()
            self._journal.note("over", deed=deed.name)

    def finish(self) -> None:
        """Undo what is still in force, and note which traps have caught a link."""
        self.take_back(until=float("inf"))
        for deed, trap in self._traps:
            sprung_at = round(trap.sprung_at - self._journal.began_at, 2) if trap.sprung.is_set() else None
            self._journal.note(
                "trap",
                deed=deed.name,
                whom=deed.whom,
                planned=deed.at,
                sprung=sprung_at is not None,
                sprung_at=sprung_at,
            )

    def _strike_service(self, deed: Deed, service: Service) -> tuple[dict[str, Any], Undo | None]:
        match deed.verb:
            case "kill":
                return {"pids": service.kill()}, service.start
            case "kill child of":
                return _signalled(signal.SIGKILL, _one_of(service.children(), deed.pick)), None
            case "freeze child of":
                return _frozen(_one_of(service.children(), deed.pick))
            case _:
                return _frozen(service.everyone())

    def _strike_server(self, deed: Deed) -> tuple[dict[str, Any], Undo | None]:
        server: OwnServer = self._stage.redis if deed.whom == "redis" else self._stage.postgres
        match deed.verb:
            case "wipe":
                return {"keys": self._stage.redis.wipe()}, None
            case "kill":
                return {"pids": server.end(signal.SIGKILL)}, server.start
            case "quit":
                return {"pids": server.end(signal.SIGQUIT)}, server.start
            case "freeze":
                return _frozen(server.everyone()[:1])
            case _:
                return self._strike_backend(deed)

    def _strike_backend(self, deed: Deed) -> tuple[dict[str, Any], Undo | None]:
        backend = _one_of(self._stage.postgres.backends(), deed.pick)
        match deed.verb:
            case "end backend of":
                return _signalled(signal.SIGTERM, backend), None
            case "kill backend of":
                return _signalled(signal.SIGKILL, backend), None
            case _:
                return _frozen(backend)

    def _strike_link(self, deed: Deed, link: Proxy) -> tuple[dict[str, Any], Undo | None]:
        chance = random.Random(deed.pick)
        match deed.verb:
            case "hold":
                link.hold()
                return {}, link.release
            case "reset":
                link.reset()
            case "cut":
                count = chance.randrange(MOST_BYTES)
                self._traps.append((deed, link.cut_after(count)))
                return {"bytes": count}, None
            case "break off":
                statement = chance.choice(STATEMENTS)
                return self._trap(deed, link, statement), None
            case "leave in doubt":
                statement = chance.choice(STATEMENTS)
                return self._trap(deed, link, statement, b"COMMIT"), None
            case "black-hole":
                link.black_hole_existing()
            case _:
                link.black_hole_existing()
                return {}, link.reset
        return {}, None

    def _trap(self, deed: Deed, link: Proxy, *said: bytes) -> dict[str, Any]:
        """Cut the first link on which PostgreSQL has done this, before it can say so."""
        self._traps.append((deed, link.cut_at(*said, moment=Moment.BEFORE_REPLY)))
        return {"after": b" ... ".join(said).decode()}


def _one_of(processes: Sequence[psutil.Process], pick: float) -> list[psutil.Process]:
    ordered = sorted(processes, key=lambda process: process.pid)
    return [ordered[int(pick * len(ordered))]] if ordered else []


def _signalled(number: signal.Signals, processes: Sequence[psutil.Process]) -> dict[str, Any]:
    return {"pids": send(number, processes)}


def _frozen(processes: Sequence[psutil.Process]) -> tuple[dict[str, Any], Undo | None]:
    return _signalled(signal.SIGSTOP, processes), lambda: send(signal.SIGCONT, processes)
