"""
A desk that makes reports: they take their time, fail, are thrown away, and lie behind signed links that end.

It knows no sockets and no paths: a provider puts `start`, `state` and `link` where its own are, and `file`
behind PATH. Links are as S3 has them: signed, short-lived, by ranges, and with no other credentials beside.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from sandbox.messages import Answer, BadRequest, Request

PATH = "/reports/"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
State = Literal["running", "ready", "failed", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRules:
    """How one provider makes reports."""

    #: From the start until a report is ready.
    seconds: float = 120.0
    #: A link is good for so long.
    link_seconds: float = 300.0
    #: A report is thrown away so long after it is ready.
    keep_seconds: float = 7 * 86_400.0
    #: Reports in the making at one time.
    at_once: int = 5
    serves_ranges: bool = True


@dataclass(slots=True, kw_only=True)
class _Ordered:
    body: bytes
    content_type: str
    started: float
    will_fail: bool


class ReportDesk:
    """One provider's reports. Thread-safe."""

    def __init__(self, rules: DeskRules, *, clock: Callable[[], float]) -> None:
        self.rules = rules
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._lock = threading.Lock()
        self._ordered: dict[str, _Ordered] = {}
        self._failing = 0
        self.polls = 0
        #: The first and the last byte asked for, by each answer that held content.
        self.served: list[tuple[int, int]] = []

    def fail_next(self, count: int = 1) -> None:
        """Let the next reports come to nothing."""
        self._failing = count

    def start(self, body: bytes, *, content_type: str = "application/json") -> str:
        """Return the id of a new report. :raises BadRequest: if too many are in the making"""
        with self._lock:
            running = [one for one in self._ordered.values() if self._state(one) == "running"]
            if len(running) >= self.rules.at_once:
                raise BadRequest({"error": "a report is being made already"}, status=409)
            report_id = f"rep_{len(self._ordered) + 1}"
            will_fail, self._failing = self._failing > 0, max(self._failing - 1, 0)
            self._ordered[report_id] = _Ordered(
                body=body, content_type=content_type, started=self._clock(), will_fail=will_fail
            )
            return report_id

    def state(self, report_id: str) -> State:
        """:raises BadRequest: if there is no such report"""
        with self._lock:
            self.polls += 1
            return self._state(self._known(report_id))

    def link(self, report_id: str, *, origin: str) -> str:
        """Return where a report that is ready can be fetched, for a while."""
        ends = f"{self._clock() + self.rules.link_seconds:.3f}"
        query = urlencode({"Expires": ends, "Signature": self._signature(report_id, ends)})
        return f"{origin}{PATH}{report_id}?{query}"

    def file(self, request: Request) -> Answer:
        """Serve a report behind a link."""
        report_id, ends = request.path.removeprefix(PATH), request.query.get("Expires", "")
        if "authorization" in request.headers:
            return _refused(400, "Only one auth mechanism allowed")
        signature = request.query.get("Signature", "")
        if not hmac.compare_digest(signature, self._signature(report_id, ends)):
            return _refused(403, "SignatureDoesNotMatch")
        if float(ends) < self._clock():
            return _refused(403, "Request has expired")
        with self._lock:
            ordered = self._known(report_id)
            if self._state(ordered) != "ready":
                return _refused(404, "NoSuchKey")
            return self._served(ordered, request)

    def _served(self, ordered: _Ordered, request: Request) -> Answer:
        etag = f'"{hashlib.md5(ordered.body, usedforsecurity=False).hexdigest()}"'
        headers = {"ETag": etag}
        wanted = _RANGE.fullmatch(request.headers.get("range", ""))
        if wanted is None or not self.rules.serves_ranges or request.headers.get("if-range", etag) != etag:
            self.served.append((0, len(ordered.body)))
            return Answer(body=ordered.body, content_type=ordered.content_type, headers=headers)
        first, size = int(wanted[1]), len(ordered.body)
        if first >= size:
            return Answer(status=416, headers={"Content-Range": f"bytes */{size}"})
        last = min(int(wanted[2] or size), size - 1)
        self.served.append((first, last))
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        body = ordered.body[first : last + 1]
        return Answer(status=206, body=body, content_type=ordered.content_type, headers=headers)

    def _known(self, report_id: str) -> _Ordered:
        if report_id not in self._ordered:
            raise BadRequest({"error": "no such report"}, status=404)
        return self._ordered[report_id]

    def _state(self, ordered: _Ordered) -> State:
        age = self._clock() - ordered.started
        if age < self.rules.seconds:
            return "running"
        if ordered.will_fail:
            return "failed"
        return "ready" if age < self.rules.seconds + self.rules.keep_seconds else "expired"

    def _signature(self, report_id: str, ends: str) -> str:
        return hmac.new(self._key, f"{report_id} {ends}".encode(), "sha256").hexdigest()


def _refused(status: int, code: str) -> Answer:
    body = f"<Error><Code>{code}</Code></Error>".encode()
    return Answer(status=status, body=body, content_type="application/xml")
