"""
QuickBooks Online's Accounting API: queries and change data capture of one company, behind Intuit's OAuth.

Confirmed: paths, XML unless JSON is asked for, query limits (see quickbooks_query), inactive names left out
unless asked for, an entity that is absent where nothing is found, change data capture of 30 days and 1000
objects for all entities together with deleted ones by status, `Fault` of the data services and `fault` of the
gateway, 10 calls a second and 500 a minute, code 3001, no Retry-After.
Unconfirmed [M]: which changes are left out beyond 1000 (here the latest), the codes for too early a
changedSince (2010) and for another company (3100), the order of rows nobody ordered (here by Id).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec

from sandbox.data import encode_json
from sandbox.dataset import Dataset
from sandbox.listing import stamp_from, twisted_rows
from sandbox.messages import Answer, BadRequest, Handler, Request, joined, json_answer, served_rows
from sandbox.order import INDEX_MASK, Window
from sandbox.quickbooks_common import ENTITIES, LISTS, ZONE, is_active, record_id, time_text
from sandbox.quickbooks_limits import Limits
from sandbox.quickbooks_oauth import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH, SCOPE, IntuitOAuth
from sandbox.quickbooks_query import CHANGED, Condition, Query, fault, parsed
from sandbox.quickbooks_records import recipes
from sandbox.simulators import Offer, Setting, Simulator

PREFIX = "/quickbooks"
REALM = "9130357992222222"
LOOK_BACK_SECONDS = 30 * 86_400
MOST_CHANGES = 1_000
#: Where Shopify's bucket drains this fast, all limits are the real ones.
REAL_LEAK_RATE = 2.0
#: What queries may ask for without making the record.
_KNOWN: Mapping[str, Callable[[int], Any]] = {"Active": is_active, "Id": record_id}
_LOOPS = frozenset({"repeat_cursor", "cycle_cursor", "endless_cursor"})
_XML = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    b'<IntuitResponse xmlns="http://schema.intuit.com/finance/v3"/>'
)


class Company:
    """One company's books."""

    def __init__(
        self,
        datasets: Mapping[str, Dataset],
        *,
        oauth: IntuitOAuth,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._datasets = {ENTITIES[name]: dataset for name, dataset in datasets.items()}
        self._oauth = oauth
        self._limits = limits
        self._clock = clock

    def routes(self) -> dict[str, Handler]:
        company = f"{PREFIX}/v3/company/{REALM}"
        return {
            f"{company}/query": self._guarded(self._query),
            f"POST {company}/query": self._guarded(self._query),
            f"{company}/cdc": self._guarded(self._changes),
            f"{PREFIX}/v3/company/*": self._guarded(_nothing),
            f"POST {PREFIX}/oauth2/v1/tokens/bearer": self._oauth.token,
            f"{PREFIX}/connect/oauth2": self._oauth.authorize,
        }

    def _guarded(self, handler: Handler) -> Handler:
        def guarded(request: Request) -> Answer:
            answer = self._refusal(request)
            if answer is None:
                try:
                    answer = handler(request)
                except BadRequest as refused:
                    answer = json_answer({**refused.body, "time": self._time()}, status=refused.status)
            answer.headers["intuit_tid"] = f"1-{uuid4().hex[:24]}"
            if "application/json" not in request.headers.get("accept", ""):
                return Answer(
                    status=answer.status, body=_XML, headers=answer.headers, content_type="application/xml"
                )
            return answer

        return guarded

    def _refusal(self, request: Request) -> Answer | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        consent = self._oauth.grant_of(token)
        if consent is None:
            return _gateway_fault(401, 3200, "AuthenticationFailed", f"Token expired: {token}", self._clock())
        is_ours = f"{request.path}/".startswith(f"{PREFIX}/v3/company/{REALM}/")
        if SCOPE not in consent.scopes or not is_ours:
            return _gateway_fault(403, 3100, "ApplicationAuthorizationFailed", None, self._clock())
        if not self._limits.take():
            told = "message=ThrottleExceeded; errorCode=003001; statusCode=429"
            said = fault(3001, told, "The request limit was reached.  Try again later", kind="SERVICE")
            return json_answer({**said, "time": self._time()}, status=429)
        return None

    def _time(self) -> str:
        return datetime.fromtimestamp(self._clock(), ZONE).isoformat(timespec="milliseconds")

    # Queries

    def _query(self, request: Request) -> Answer:
        if request.method == "POST":
            if request.headers.get("content-type", "").split(";")[0] != "application/text":
                raise BadRequest(fault(2010, "Unsupported Media Type", "Use application/text"), status=415)
            text = request.body.decode("utf-8", "replace")
        else:
            text = request.query.get("query", "")
        query = parsed(text, frozenset(self._datasets))
        dataset = self._datasets[query.entity]
        window = _window(query)
        if query.is_count:
            total = {"QueryResponse": {"totalCount": dataset.order.total(window)}, "time": self._time()}
            return json_answer(total)
        rows = twisted_rows(dataset, _keys(dataset, query, window, request), request)
        body = self._listed(query, rows)
        cursor = f"{query.conditions} {query.order} {query.start}"
        return Answer(body=body, served=served_rows(dataset, rows, cursor=cursor))

    def _listed(self, query: Query, rows: list[bytes]) -> bytes:
        end = f'}},"time":"{self._time()}"}}'.encode()
        if not rows:
            return b'{"QueryResponse":{' + end
        shown = _only(rows, query.columns)
        place = f',"startPosition":{query.start},"maxResults":{len(rows)}'.encode()
        return joined(f'{{"QueryResponse":{{"{query.entity}":'.encode(), shown, place + end)

    # Changes

    def _changes(self, request: Request) -> Answer:
        since = self._since(request)
        names = [name for name in request.query.get("entities", "").split(",") if name]
        unknown = [name for name in names if name not in self._datasets]
        if unknown or not names:
            raise BadRequest(
                fault(2010, "Request has invalid or unsupported property", f"entities: {unknown}")
            )
        room = MOST_CHANGES
        parts: list[bytes] = []
        rows: list[bytes] = []
        for name in names:
            dataset = self._datasets[name]
            rows = _changed_rows(dataset, since, room, request)
            gone = _gone(dataset, since, room - len(rows))
            room -= len(rows) + len(gone)
            parts.append(_change_list(name, [*rows, *gone]))
        body = b'{"CDCResponse":[{"QueryResponse":[' + b",".join(parts) + b"]}]"
        served = served_rows(dataset, rows, cursor=f"cdc {since}") if len(names) == 1 else None
        return Answer(body=body + f',"time":"{self._time()}"}}'.encode(), served=served)

    def _since(self, request: Request) -> int:
        try:
            since = stamp_from(request.query.get("changedSince", ""))
        except ValueError:
            raise BadRequest(fault(2010, "Request has invalid property", "changedSince: no time")) from None
        if since < self._clock() - LOOK_BACK_SECONDS:
            raise BadRequest(fault(2010, "Request has invalid property", "changedSince: beyond 30 days"))
        return since


def _nothing(request: Request) -> Answer:
    raise BadRequest(fault(610, "Object Not Found", f"nothing at {request.path}"), status=404)


def _gateway_fault(status: int, code: int, what: str, detail: str | None, now: float) -> Answer:
    """Return a refusal in the words of the gateway, which writes in small letters."""
    message = f"message={what}; errorCode={code:06d}; statusCode={status}"
    error = {"message": message, "detail": detail, "code": str(code), "element": None}
    kind = "AUTHENTICATION" if status == 401 else "AUTHORIZATION"
    said = {"warnings": None, "intuitObject": None, "fault": {"error": [error], "type": kind}}
    return json_answer({**said, "queryResponse": None, "time": int(now * 1_000)}, status=status)


def _keys(dataset: Dataset, query: Query, window: Window, request: Request) -> list[int]:
    if {"empty_list", "empty_page"} & request.twists:
        return []
    first = 0 if _LOOPS & request.twists else query.start - 1
    is_plain = query.order == CHANGED and not query.is_descending
    most = first + query.most if is_plain else len(dataset) + 1
    keys = dataset.order.after(0, limit=most, window=window)
    if query.order != CHANGED:
        keys.sort(key=lambda key: key & INDEX_MASK)
    if query.is_descending:
        keys.reverse()
    return keys[first : first + query.most]


def _window(query: Query) -> Window:
    low, high = Window().low, Window().high
    wanted: list[Callable[[int], bool]] = []
    for one in query.conditions:
        if one.name == CHANGED:
            low, high = _narrowed(one, low, high)
        elif one.name in _KNOWN and one.operator in {"=", "in"}:
            wanted.append(partial(_is_one, one))
        else:
            raise BadRequest(fault(4001, "Invalid query", f"QueryValidationError: {one.name} {one.operator}"))
    if query.entity in LISTS and not any(one.name == "Active" for one in query.conditions):
        wanted.append(is_active)
    if not wanted:
        return Window(low=low, high=high)
    return Window(low=low, high=high, accepts=lambda index: all(is_wanted(index) for is_wanted in wanted))


def _is_one(condition: Condition, index: int) -> bool:
    return _KNOWN[condition.name](index) in condition.values


def _narrowed(one: Condition, low: int, high: int) -> tuple[int, int]:
    try:
        least, most = stamp_from(str(one.values[0])), stamp_from(str(one.values[0]), is_upper=True)
    except ValueError:
        said = f"QueryValidationError: value {one.values[0]} is no time"
        raise BadRequest(fault(4001, "Invalid query", said)) from None
    bounds = {">=": (least, high), ">": (most + 1, high), "<=": (low, most), "<": (low, least - 1)}
    found = bounds.get(one.operator, (least, most))
    return max(low, found[0], 0), min(high, found[1])


def _only(rows: list[bytes], columns: tuple[str, ...] | None) -> list[bytes]:
    if columns is None:
        return rows
    decoded = [msgspec.json.decode(row, type=dict[str, msgspec.Raw]) for row in rows]
    return [msgspec.json.encode({name: row[name] for name in columns if name in row}) for row in decoded]


def _changed_rows(dataset: Dataset, since: int, room: int, request: Request) -> list[bytes]:
    if {"empty_list", "empty_page"} & request.twists:
        return []
    keys = dataset.order.after(0, limit=room, window=Window(low=since))
    return twisted_rows(dataset, keys, request)


def _gone(dataset: Dataset, since: int, room: int) -> list[bytes]:
    gone = sorted(dataset.deleted().items(), key=lambda one: one[1])
    return [
        encode_json(
            {
                "domain": "QBO",
                "status": "Deleted",
                "Id": external_id,
                "MetaData": {"LastUpdatedTime": time_text(when)},
            }
        )
        for external_id, when in gone
        if when >= since
    ][: max(room, 0)]


def _change_list(name: str, objects: list[bytes]) -> bytes:
    if not objects:
        return b"{}"
    end = f',"startPosition":1,"maxResults":{len(objects)},"totalCount":{len(objects)}}}'
    return joined(f'{{"{name}":'.encode(), objects, end.encode())


def _routes(setting: Setting) -> dict[str, Handler]:
    looser = max(setting.options.leak_rate / REAL_LEAK_RATE, 1.0)
    limits = Limits(clock=setting.clock, per_second=10 * looser, per_minute=500 * looser)
    oauth = IntuitOAuth(clock=setting.clock, realm=REALM)
    return Company(setting.datasets, oauth=oauth, limits=limits, clock=setting.clock).routes()


def _offer(url: str) -> Offer:
    known = {"mode": "refresh_token", "client_id": CLIENT_ID}
    usual = Offer(
        config={
            "realm_id": REALM,
            "base_url": f"{url}{PREFIX}",
            "requests_per_second": 400,
            "burst": 400,
            "slow_down_seconds": 1,
        },
        datasets={name: f"quickbooks.{name}" for name in ENTITIES},
        credentials={**known, "client_secret": CLIENT_SECRET, "refresh_token": FIRST_REFRESH},
        bad_credentials={**known, "client_secret": CLIENT_SECRET, "refresh_token": "AB11-used-up-long-ago"},
    )
    app = {"mode": "oauth", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return replace(usual, more={"oauth": replace(usual, credentials=app, connects=True)})


SIMULATOR = Simulator(connector="quickbooks", recipes=recipes, routes=_routes, offer=_offer)
