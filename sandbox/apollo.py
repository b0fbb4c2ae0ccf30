"""
Apollo as the sandbox pretends it: contacts, accounts and deals of a team, by counted pages, behind a key.

Confirmed: the endpoints and their methods; `x-api-key`; page, per_page and the pagination of an answer; 100
records a page and 500 pages at most; the fields to sort contacts by; limits per endpoint in windows that open
with the first call, with their headers, none of them on a 401 or 403; a 401 as plain text; 403 with
API_INACCESSIBLE naming the endpoint; a 429 with `retry-after`. Unconfirmed [M]: account_updated_at; that what
is odd is refused with 422, and in which words; the order of lists nobody sorts; the endpoints' names as keys
have them, but for deals.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sandbox.apollo_records import recipes
from sandbox.dataset import Dataset
from sandbox.listing import twisted_rows
from sandbox.messages import Answer, BadRequest, Handler, Request, joined, json_answer, served_rows
from sandbox.simulators import Offer, Setting, Simulator

PREFIX = "/apollo/api/v1"
MASTER_KEY, CONTACTS_KEY = "apollo-sandbox-master", "apollo-sandbox-contacts-only"
MOST, MOST_PAGES = 100, 500
#: What a counted page cannot express as a cursor: the caller counts, so it gets the first rows again.
LOOPS = frozenset({"repeat_cursor", "cycle_cursor", "endless_cursor"})
_UNKNOWN_KEY = b"Invalid access credentials."


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How often a team may call one endpoint: those of the largest plan."""

    minute: int = 200
    hourly: int = 600
    daily: int = 6_000


#: For a demo, which is no place to wait for an hour.
IN_A_HURRY = Rules(minute=20_000, hourly=60_000, daily=600_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    dataset: str
    method: str
    path: str
    #: As keys and refusals name it.
    name: str
    #: Where the records are in the answer.
    records: str
    sorts: frozenset[str]
    #: The filter by stage, and the field it looks at.
    stages: str = ""
    stage_field: str = ""


ENDPOINTS = (
    Endpoint(
        dataset="contacts",
        method="POST",
        path="/contacts/search",
        name="api/v1/contacts/search",
        records="contacts",
        sorts=frozenset(
            (
                "contact_last_activity_date",
                "contact_email_last_opened_at",
                "contact_email_last_clicked_at",
                "contact_created_at",
                "contact_updated_at",
            )
        ),
        stages="contact_stage_ids",
        stage_field="contact_stage_id",
    ),
    Endpoint(
        dataset="accounts",
        method="POST",
        path="/accounts/search",
        name="api/v1/accounts/search",
        records="accounts",
        sorts=frozenset(("account_last_activity_date", "account_created_at", "account_updated_at")),
        stages="account_stage_ids",
        stage_field="account_stage_id",
    ),
    Endpoint(
        dataset="deals",
        method="GET",
        path="/opportunities/search",
        name="deals/api/v1/opportunities/search",
        records="opportunities",
        sorts=frozenset(("amount", "is_closed", "is_won")),
    ),
)
#: None: all of them.
KEYS: Mapping[str, frozenset[str] | None] = {
    MASTER_KEY: None,
    CONTACTS_KEY: frozenset(["api/v1/contacts/search"]),
}


@dataclass(slots=True)
class _Window:
    """So many calls, counted from the first one on."""

    most: int
    seconds: float
    until: float = 0.0
    used: int = 0

    def left(self, now: float) -> int:
        if now >= self.until:
            self.until, self.used = now + self.seconds, 0
        return self.most - self.used


@dataclass(slots=True)
class _Limits:
    """The three windows of one endpoint."""

    windows: Mapping[str, _Window]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, now: float) -> tuple[dict[str, str], str, float]:
        """Return the headers; where there is no call left, also of which window and until when."""
        with self.lock:
            over = next((name for name, one in self.windows.items() if one.left(now) <= 0), "")
            headers: dict[str, str] = {}
            for name, window in self.windows.items():
                window.used += not over
                headers[f"x-rate-limit-{name}"] = str(window.most)
                headers[f"x-{name}-usage"] = str(window.used)
                headers[f"x-{name}-requests-left"] = str(window.most - window.used)
            return headers, over, self.windows[over].until - now if over else 0.0


class Team:
    """What one team's keys can reach."""

    def __init__(self, datasets: Mapping[str, Dataset], *, clock: Callable[[], float], rules: Rules) -> None:
        self._datasets = datasets
        self._clock = clock
        self._limits = {one.name: _limits(rules) for one in ENDPOINTS}

    def routes(self) -> dict[str, Handler]:
        return {
            f"{one.method} {PREFIX}{one.path}".removeprefix("GET "): self._guarded(one) for one in ENDPOINTS
        }

    def _guarded(self, endpoint: Endpoint) -> Handler:
        def guarded(request: Request) -> Answer:
            key = request.headers.get("x-api-key", "")
            if key not in KEYS:
                return Answer(status=401, body=_UNKNOWN_KEY, content_type="text/plain")
            allowed = KEYS[key]
            if allowed is not None and endpoint.name not in allowed:
                return _inaccessible(endpoint)
            headers, over, wait = self._limits[endpoint.name].take(self._clock())
            if over:
                return _too_many(endpoint, over, {**headers, "retry-after": str(math.ceil(wait))})
            try:
                answer = self._listed(endpoint, request)
            except BadRequest as refusal:
                answer = json_answer(refusal.body, status=refusal.status)
            answer.headers |= headers
            return answer

        return guarded

    def _listed(self, endpoint: Endpoint, request: Request) -> Answer:
        asked = _asked(endpoint, request)
        size, page = _whole(asked, "per_page", MOST), _whole(asked, "page", MOST_PAGES)
        dataset = self._datasets[endpoint.dataset]
        keys = _sorted(endpoint, dataset, asked)
        start = 0 if LOOPS & request.twists else (page - 1) * size
        some = [] if {"empty_list", "empty_page"} & request.twists else keys[start : start + size]
        rows = twisted_rows(dataset, some, request)
        counted = {
            "page": page,
            "per_page": size,
            "total_entries": len(keys),
            "total_pages": -(-len(keys) // size),
        }
        before = b'{"breadcrumbs":[],"pagination":' + msgspec.json.encode(counted)
        return Answer(
            body=joined(before + f',"{endpoint.records}":'.encode(), rows, b"}"),
            served=served_rows(dataset, rows, cursor=f"{_told(asked)} page={page} of {size}"),
        )


def _limits(rules: Rules) -> _Limits:
    return _Limits(
        {
            "minute": _Window(rules.minute, 60),
            "hourly": _Window(rules.hourly, 3_600),
            "24-hour": _Window(rules.daily, 86_400),
        }
    )


def _asked(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    """Return the parameters: of a POST in its body, as JSON."""
    if endpoint.method == "GET":
        asked: Any = dict(request.query)
    else:
        try:
            asked = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            raise _refused("the body is no JSON", 400) from None
    known = {"page", "per_page", "sort_by_field", "sort_ascending", endpoint.stages}
    if not isinstance(asked, dict) or set(asked) - known:
        raise _refused(f"this endpoint takes {', '.join(sorted(known - {''}))} only")
    return asked


def _whole(asked: Mapping[str, Any], name: str, most: int) -> int:
    text = str(asked.get(name, 1 if name == "page" else 25))
    if text.isascii() and text.isdigit() and 1 <= int(text) <= most:
        return int(text)
    raise _refused(f"{name} must be a number from 1 to {most}")


def _sorted(endpoint: Endpoint, dataset: Dataset, asked: Mapping[str, Any]) -> list[int]:
    sort, is_ascending = asked.get("sort_by_field"), asked.get("sort_ascending", False)
    if sort is not None and sort not in endpoint.sorts:
        raise _refused(f"sort_by_field must be one of {', '.join(sorted(endpoint.sorts))}")
    is_by_change = str(sort).endswith("_updated_at")
    keys = list(dataset.order) if is_by_change else dataset.numbered()
    if sort is not None and not is_ascending:
        keys.reverse()
    wanted = asked.get(endpoint.stages)
    if not wanted:
        return keys
    stages = {key: msgspec.json.decode(dataset.rows([key])[0])[endpoint.stage_field] for key in keys}
    return [key for key in keys if stages[key] in wanted]


def _told(asked: Mapping[str, Any]) -> str:
    return f"{asked.get('sort_by_field', 'unsorted')} {asked.get('sort_ascending', False)}"


def _inaccessible(endpoint: Endpoint) -> Answer:
    told = (
        f"This API key is not authorized to access {endpoint.name}. Request an API key from your "
        "administrator that includes this endpoint in its configured scope."
    )
    return json_answer({"error": told, "error_code": "API_INACCESSIBLE"}, status=403)


def _too_many(endpoint: Endpoint, window: str, headers: Mapping[str, str]) -> Answer:
    most, per = headers[f"x-rate-limit-{window}"], {"minute": "minute", "hourly": "hour"}.get(window, "day")
    told = f"The maximum number of api calls allowed for {endpoint.name} is {most} times per {per}."
    return json_answer({"message": told}, status=429, headers=headers)


def _refused(told: str, status: int = 422) -> BadRequest:
    return BadRequest({"error": told}, status=status)


def _routes(setting: Setting) -> dict[str, Handler]:
    return Team(setting.datasets, clock=setting.clock, rules=IN_A_HURRY).routes()


def _offer(url: str) -> Offer:
    return Offer(
        config={
            "base_url": f"{url}{PREFIX}",
            "calls_per_hour": IN_A_HURRY.hourly,
            "calls_per_day": IN_A_HURRY.daily,
        },
        datasets={one.dataset: f"apollo.{one.dataset}" for one in ENDPOINTS},
        credentials={"api_key": MASTER_KEY},
        bad_credentials={"api_key": "not-a-key-of-ours"},
    )


SIMULATOR = Simulator(connector="apollo", recipes=recipes, routes=_routes, offer=_offer)
