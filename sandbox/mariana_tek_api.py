"""One Mariana Tek brand as callers see it: what may be asked, by whom, how often, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import msgspec

from sandbox.dataset import Dataset
from sandbox.listing import stamp_from, twisted_rows
from sandbox.mariana_tek_reports import TABLES, Table, days_between, read
from sandbox.mariana_tek_studio import FIRST_IDS, LINES_PER_ORDER
from sandbox.messages import Answer, BadRequest, Handler, Request, joined, json_answer, served_rows
from sandbox.oauth import OAuthServer
from sandbox.oauth_rules import Client, Rules
from sandbox.order import INDEX_BITS, INDEX_MASK
from sandbox.reporting import DeskRules, ReportDesk

PREFIX = "/mariana-tek"
API = f"{PREFIX}/api"
JSON_API = "application/vnd.api+json"
API_KEY = "mt-key-sandbox"
#: Of a service user who may see neither people nor what they bought.
LIMITED_KEY = "mt-key-limited"
HIDDEN = frozenset({"users", "orders", "order_lines"})
USERNAME, PASSWORD = "sync@example.com", "mt-password-sandbox"
SECRET = "mt-client-secret"  # noqa: S105 - not a secret: this world is pretended
BACK = (
    "http://testserver/admin/ingest/source/connected/",
    "http://127.0.0.1:8000/admin/ingest/source/connected/",
    "https://sync.example/back",
)
CONFIDENTIAL = Client(client_id="mt-app", client_secret=SECRET, redirect_uris=BACK, scopes=("read:account",))
PUBLIC = Client(client_id="mt-public", redirect_uris=BACK, scopes=("read:account",))
WEEK = 604_800.0
BURST = 40
DEFAULT_PAGE, LARGEST_PAGE = 25, 500
SYNC_ROWS = 500
REPORT_SECONDS = 0.5
LOOPS = frozenset({"repeat_cursor", "cycle_cursor", "endless_cursor"})
#: By the last part of the path.
LISTS = {
    "locations": "locations",
    "employee_public_profiles": "employees",
    "products": "products",
    "users": "users",
    "class_sessions": "class_sessions",
    "membership_instances": "memberships",
    "reservations": "reservations",
    "orders": "orders",
    "order_lines": "order_lines",
}
IGNORES_UPDATES = frozenset({"class_sessions", "order_lines", "locations", "employees"})
DAY_FILTERS = {"orders": ("min_datetime", "date_placed"), "class_sessions": ("min_date", "start_date")}
_WORDS = {"running": "processing", "ready": "complete", "failed": "failed"}


class Throttle:
    """So many calls at once, so many a second in the long run."""

    def __init__(self, *, rate: float, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._lock = threading.Lock()
        self._left, self._at = float(BURST), clock()

    def wait(self) -> float:
        """Return 0 where a call may come in, else the seconds until one may."""
        with self._lock:
            now = self._clock()
            self._left = min(self._left + max(now - self._at, 0.0) * self._rate, float(BURST))
            self._at = now
            if self._left < 1:
                return (1 - self._left) / self._rate
            self._left -= 1
            return 0.0


class Brand:
    """One tenant: its lists and reports behind keys, tokens and a throttle."""

    def __init__(self, datasets: Mapping[str, Dataset], *, rate: float, clock: Callable[[], float]) -> None:
        self._datasets = datasets
        self._throttle = Throttle(rate=rate, clock=clock)
        self.oauth = OAuthServer(
            CONFIDENTIAL,
            PUBLIC,
            clock=clock,
            rules=Rules(
                grants=frozenset({"authorization_code", "refresh_token", "password"}),
                access_seconds=WEEK,
                client_auth="body",
                prefixes=("", ""),
            ),
            passwords={USERNAME: PASSWORD},
        )
        self.desk = ReportDesk(DeskRules(seconds=REPORT_SECONDS, at_once=50), clock=clock)

    def routes(self) -> dict[str, Handler]:
        lists = {f"{API}/{path}": self._guarded(self._list, name) for path, name in LISTS.items()}
        reports = {
            f"{API}/table_reports": self._guarded(self._reports),
            f"{API}/table_report_data": self._guarded(self._at_once),
            f"{API}/async_table_report_data": self._guarded(self._start),
            f"{API}/async_table_report_data/job_status": self._guarded(self._status),
        }
        return {
            **lists,
            **reports,
            f"{API}/orders/*": self._guarded(self._order, "orders"),
            f"{PREFIX}/reports/*": self._file,
            f"POST {PREFIX}/o/token/": self.oauth.token,
            f"{PREFIX}/o/authorize": self.oauth.authorize,
        }

    def _guarded(self, handler: Callable[[str, Request], Answer], name: str = "") -> Handler:
        def guarded(request: Request) -> Answer:
            self._let_in(request, name)
            wait = self._throttle.wait()
            if wait:
                seconds = max(int(-(-wait // 1)), 1)
                said = f"Request was throttled. Expected available in {seconds} seconds."
                answer = json_answer(_errors(said, 429), status=429, headers={"Retry-After": str(seconds)})
            else:
                answer = handler(name, request)
            answer.content_type = JSON_API
            return answer

        return guarded

    def _let_in(self, request: Request, name: str) -> None:
        """:raises BadRequest: if the caller is a stranger, or may not see this, or wants another format"""
        accept = request.headers.get("accept", "*/*")
        if JSON_API not in accept and "*/*" not in accept:
            raise _refused("Could not satisfy the request Accept header.", 406)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in {API_KEY, LIMITED_KEY} and self.oauth.grant_of(token) is None:
            raise _refused("Authentication credentials were not provided.", 401)
        if token == LIMITED_KEY and name in HIDDEN:
            raise _refused("You do not have permission to perform this action.", 403)

    # Lists

    def _list(self, name: str, request: Request) -> Answer:
        dataset = self._datasets[name]
        page, size = (
            _number(request, "page", 1),
            min(_number(request, "page_size", DEFAULT_PAGE), LARGEST_PAGE),
        )
        keys = self._filtered(name, request)
        if request.query.get("ordering") == "-id":
            keys.reverse()
        pages = max(-(-len(keys) // size), 1)
        if page > pages:
            raise _refused("Invalid page.", 404)
        start = 0 if LOOPS & request.twists else (page - 1) * size
        some = [] if {"empty_list", "empty_page"} & request.twists else keys[start : start + size]
        rows = twisted_rows(dataset, some, request)
        counted = {"count": len(keys), "pages": pages, "page": page, "per_page": size}
        meta = msgspec.json.encode({"pagination": counted})
        return Answer(
            body=joined(b'{"data":', rows, b',"meta":' + meta + b"}"),
            served=served_rows(dataset, rows, cursor=f"page={page} of {size}"),
        )

    def _filtered(self, name: str, request: Request) -> list[int]:
        """Return the keys by id, as far as this list honours filters; the others it ignores."""
        dataset = self._datasets[name]
        keys = dataset.numbered()
        updated = request.query.get("min_updated_datetime")
        if updated is not None and name not in IGNORES_UPDATES:
            low = _stamp(updated)
            keys = [key for key in keys if key >> INDEX_BITS >= low]
        wanted = request.query.get("filter[id]")
        if wanted is not None:
            ids = {int(one) - FIRST_IDS[name] for one in unquote(wanted).split(",") if one.isdecimal()}
            keys = [key for key in keys if key & INDEX_MASK in ids]
        parameter, attribute = DAY_FILTERS.get(name, ("", ""))
        first = request.query.get(parameter)
        if first is not None:
            kept = {one["id"] for one in read(dataset) if one["attributes"][attribute] >= first}
            keys = [key for key in keys if str(FIRST_IDS[name] + (key & INDEX_MASK)) in kept]
        return keys

    def _order(self, name: str, request: Request) -> Answer:
        """Return one order with its items, one for each piece."""
        told = request.path.removeprefix(f"{API}/orders/").rstrip("/")
        index = int(told) - FIRST_IDS["orders"] if told.isdecimal() else -1
        found = self._by_number("orders", range(index, index + 1))
        if not found:
            raise _refused("Not found.", 404)
        [order] = found
        lines = self._by_number("order_lines", range(index * LINES_PER_ORDER, (index + 1) * LINES_PER_ORDER))
        items = [_item(line) for line in lines for _ in range(line["attributes"]["quantity"])]
        return json_answer(
            {"data": {**order, "attributes": {**order["attributes"], "purchased_items": items}}}
        )

    def _by_number(self, name: str, indexes: range) -> list[dict[str, Any]]:
        dataset = self._datasets[name]
        return read(dataset, [key for key in dataset.numbered() if key & INDEX_MASK in indexes])

    # Reports

    def _reports(self, name: str, request: Request) -> Answer:
        category = request.query.get("category")
        found = [
            {"type": "table_reports", "id": one.id, "attributes": {"name": one.name, "slug": one.slug}}
            for one in TABLES.values()
            if category in {None, one.category}
        ]
        return json_answer({"data": found})

    def _at_once(self, name: str, request: Request) -> Answer:
        table, rows = self._rows(request)
        size = min(_number(request, "page_size", SYNC_ROWS), SYNC_ROWS)
        start = (_number(request, "page", 1) - 1) * size
        attributes = {
            "headers": table.headers,
            "rows": rows[start : start + size],
            "max_results_exceeded": len(rows) > start + size,
        }
        return json_answer({"data": {"type": "table_report_data", "id": table.id, "attributes": attributes}})

    def _start(self, name: str, request: Request) -> Answer:
        table, rows = self._rows(request)
        told = {
            "id": table.id,
            "name": table.name,
            "headers": table.headers,
            "rows": rows,
            "total_records": len(rows),
        }
        job = self.desk.start(msgspec.json.encode(told))
        return json_answer({"data": [{"type": "async_table_report_data", "id": job}]})

    def _status(self, name: str, request: Request) -> Answer:
        job = request.query.get("id", "")
        state = self.desk.state(job)
        if state == "expired":
            raise _refused("Not found.", 404)
        link = self.desk.link(job, origin=f"{request.origin}{PREFIX}") if state == "ready" else None
        return json_answer({"data": {"status": _WORDS[state], "s3_link": link}})

    def _rows(self, request: Request) -> tuple[Table, list[list[Any]]]:
        table = TABLES.get(request.query.get("id", ""))
        if table is None or request.query.get("slug") != table.slug:
            raise _refused("Not found.", 404)
        first, last = request.query.get(table.first_day), request.query.get(table.last_day)
        if first is None or last is None:
            # Parameters by other names are ignored without a word, and all rows come.
            return table, table.between(self._datasets, None)
        try:
            return table, table.between(self._datasets, days_between(first, last))
        except ValueError:
            raise BadRequest({"errors": {table.first_day: ["Enter a valid date."]}}, status=422) from None

    def _file(self, request: Request) -> Answer:
        return self.desk.file(replace(request, path=request.path.removeprefix(PREFIX)))


def _item(line: dict[str, Any]) -> dict[str, Any]:
    said = line["attributes"]
    return {
        "order_line_id": int(line["id"]),
        "product_title": said["title"],
        "price": said["unit_price_excl_tax"],
        "price_incl_tax": said["unit_price_excl_tax"],
        "refunded": said["status"] == "Refunded",
    }


def _errors(said: str, status: int) -> dict[str, Any]:
    return {"errors": [{"detail": said, "status": str(status), "source": {"pointer": "/data"}}]}


def _refused(said: str, status: int) -> BadRequest:
    return BadRequest(_errors(said, status), status=status)


def _number(request: Request, name: str, default: int) -> int:
    """:raises BadRequest: if a page is no number; a size that is none counts as not given"""
    text = request.query.get(name, str(default))
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    if name == "page":
        raise _refused("Invalid page.", 404)
    return default


def _stamp(text: str) -> int:
    try:
        return max(stamp_from(text), 0)
    except ValueError:
        errors = {"errors": {"min_updated_datetime": ["Enter a valid date/time."]}}
        raise BadRequest(errors, status=422) from None
