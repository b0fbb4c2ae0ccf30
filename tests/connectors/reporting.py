"""A provider of reports on a real socket, with a clock the test winds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from pytest_httpserver import HTTPServer
from werkzeug import Request as HttpRequest
from werkzeug import Response

from connectors.base import Access, FetchRequest, Page
from connectors.http import HttpSession
from connectors.report_rows import Document, JsonLines, Layout
from connectors.reports import Report, ReportFlow, ReportState
from sandbox.messages import Answer, BadRequest, Request, json_answer
from sandbox.reporting import PATH, DeskRules, ReportDesk

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOKEN = "Bearer secret-of-the-provider"


@dataclass
class Clock:
    """Stands still until it is wound."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def wind(self, **length: float) -> None:
        self.now += timedelta(**length)


@dataclass
class Office:
    """A provider whose API needs a token and whose files must not get it."""

    server: HTTPServer
    clock: Clock
    rules: DeskRules = field(default_factory=DeskRules)
    body: bytes = b""
    content_type: str = "application/json"

    def __post_init__(self) -> None:
        self.desk = ReportDesk(self.rules, clock=self.clock.seconds)
        self.origin = self.server.url_for("").rstrip("/")
        self.server.expect_request("/start").respond_with_handler(self._behind(self._start))
        self.server.expect_request("/poll").respond_with_handler(self._behind(self._poll))
        files = self._behind(self.desk.file)
        self.server.expect_request(_Below(PATH)).respond_with_handler(files)

    def access(self) -> Access:
        return Access(private_hosts=frozenset({f"{self.server.host}:{self.server.port}"}), clock=self.clock)

    def flow(self, layout: Layout | None = None, **how: Any) -> ReportFlow:
        """Return the flow of a connector that has just been made."""
        access = how.pop("access", None) or self.access()
        api = HttpSession(connector="office", access=access, headers={"Authorization": TOKEN})
        files = HttpSession(connector="office", access=access)

        def start(request: FetchRequest) -> str:
            return str(_json(api.request("POST", f"{self.origin}/start").body)["id"])

        def poll(report_id: str) -> Report:
            said = _json(api.request("GET", f"{self.origin}/poll", params={"id": report_id}).body)
            return Report(
                state=ReportState[said["state"].upper()], url=said.get("url", ""), said=said["state"]
            )

        return ReportFlow(
            start=start, poll=poll, files=files, layout=layout or LINES, clock=access.clock, **how
        )

    def _start(self, request: Request) -> Answer:
        _refuse_strangers(request)
        return json_answer({"id": self.desk.start(self.body, content_type=self.content_type)})

    def _poll(self, request: Request) -> Answer:
        _refuse_strangers(request)
        report_id = request.query["id"]
        state = self.desk.state(report_id)
        link = {"url": self.desk.link(report_id, origin=self.origin)} if state == "ready" else {}
        return json_answer({"state": state, **link})

    def _behind(self, handler: Callable[[Request], Answer]) -> Callable[[HttpRequest], Response]:
        def handle(request: HttpRequest) -> Response:
            try:
                answer = handler(
                    Request(
                        method=request.method,
                        path=request.path,
                        query=request.args.to_dict(),
                        headers={name.lower(): value for name, value in request.headers.items()},
                        body=request.get_data(),
                        origin=self.origin,
                        client="127.0.0.1",
                    )
                )
            except BadRequest as refusal:
                answer = json_answer(refusal.body, status=refusal.status)
            return Response(answer.body, answer.status, answer.headers, content_type=answer.content_type)

        return handle


class _Below(str):
    """Matches every path below one."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.startswith(str(self))

    __hash__ = str.__hash__


def _refuse_strangers(request: Request) -> None:
    if request.headers.get("authorization") != TOKEN:
        raise BadRequest({"error": "who are you?"}, status=401)


def _json(body: bytes) -> Any:
    return msgspec.json.decode(body)


LINES = JsonLines(connector="office", updated_path="updated_at")


def json_lines(count: int) -> bytes:
    rows = [{"id": f"o{n}", "updated_at": "2026-03-01T12:00:00Z", "total": n} for n in range(count)]
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def read_all(flow: ReportFlow, cursor: str | None, **how: Any) -> list[Page]:
    """Read pages from the cursor to the end."""
    pages = []
    while True:
        page = flow.fetch(FetchRequest(cursor=cursor, **how))
        pages.append(page)
        cursor = page.next_cursor
        if cursor is None:
            return pages


def ids_of(pages: list[Page]) -> list[str]:
    return [record.external_id for page in pages for record in page.records]


__all__ = ["LINES", "TOKEN", "Clock", "Document", "Office", "ids_of", "json_lines", "read_all"]
