"""An office whose reports take their time, fail, are thrown away, and are cut short on their way."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from sandbox.dataset import Dataset
from sandbox.messages import Answer, BadRequest, Damage, Handler, Request, json_answer
from sandbox.reporting import PATH, DeskRules, ReportDesk

KEY = "office-key"
SHORTEST, LONGEST = 1.0, 6.0
FAILED_SHARE, GONE_SHARE, CUT_SHARE = 0.2, 0.15, 0.15


class Fate(msgspec.Struct, kw_only=True):
    """What one report comes to."""

    ready_at: float
    is_gone: bool
    rows: int


class StrictDesk:
    """One office with one report. A file wants its signature and nothing else."""

    def __init__(self, dataset: Dataset, *, clock: Callable[[], float], seed: int) -> None:
        self.is_restless = True
        self._dataset = dataset
        self._clock = clock
        self._chance = random.Random(f"{seed}:office")
        rules = DeskRules(seconds=0.0, link_seconds=5.0, at_once=1_000)
        self._desk = ReportDesk(rules, clock=clock)
        self._fates: dict[str, Fate] = {}
        #: Files that were asked for with our key.
        self._betrayed = 0

    def routes(self) -> dict[str, Handler]:
        return {
            "POST /office/start": self._behind_key(self._start),
            "/office/poll": self._behind_key(self._poll),
            f"{PATH}*": self._file,
        }

    def fail_next(self) -> None:
        """Let the next report come to nothing."""
        self._desk.fail_next()

    def told(self) -> dict[str, Any]:
        rows = {report: fate.rows for report, fate in self._fates.items()}
        return {"rows": rows, "betrayed": self._betrayed}

    def _behind_key(self, handler: Handler) -> Handler:
        def guarded(request: Request) -> Answer:
            if request.headers.get("authorization") != f"Bearer {KEY}":
                raise BadRequest({"error": "who are you?"}, status=401)
            return handler(request)

        return guarded

    def _start(self, _: Request) -> Answer:
        rows = self._dataset.rows(self._dataset.numbered())
        if self._is_struck(FAILED_SHARE):
            self.fail_next()
        report = self._desk.start(b"".join(row + b"\n" for row in rows), content_type="application/jsonl")
        waits = self._chance.uniform(SHORTEST, LONGEST) if self.is_restless else SHORTEST
        self._fates[report] = Fate(
            ready_at=self._clock() + waits, is_gone=self._is_struck(GONE_SHARE), rows=len(rows)
        )
        return json_answer({"id": report})

    def _poll(self, request: Request) -> Answer:
        report = request.query.get("id", "")
        state, fate = self._desk.state(report), self._fates[report]
        if self._clock() < fate.ready_at:
            state = "running"
        elif fate.is_gone and state == "ready":
            raise BadRequest({"error": "this report was thrown away"}, status=410)
        is_ready = state == "ready"
        url = self._desk.link(report, origin=request.origin) if is_ready else ""
        return json_answer({"state": state, "url": url, "rows": fate.rows if is_ready else None})

    def _file(self, request: Request) -> Answer:
        self._betrayed += "authorization" in request.headers
        answer = self._desk.file(request)
        if answer.status < 300 and self._is_struck(CUT_SHARE):
            answer.damage = Damage(mode="length", keep=self._chance.random())
        return answer

    def _is_struck(self, share: float) -> bool:
        return self.is_restless and self._chance.random() < share
