"""
Stripe's API: lists newest first, events, report runs, behind a secret or a restricted key.

Confirmed: paths, Bearer and Basic keys, limit 10 up to 100, starting_after and ending_before, has_more,
created[gte|gt|lte|lt], subscriptions without status=all leaving out ended ones, ten lines with an invoice,
at most 20 types of events in one question, events for 30 days, error objects, Request-Id, 25 calls a second.
Unconfirmed [M]: the exact texts of messages; unknown parameters and pages longer than 100 are refused; a page
after an object that is gone is refused with resource_missing; 429 has no Retry-After; 403 for a permission
that is missing names it.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from itertools import count
from typing import Any

import msgspec

from sandbox import stripe_billing, stripe_money, stripe_records
from sandbox.data import Recipe
from sandbox.dataset import Dataset
from sandbox.listing import twisted_rows
from sandbox.messages import Answer, BadRequest, Handler, Request, json_answer, served_rows
from sandbox.options import Options
from sandbox.order import INDEX_MASK
from sandbox.simulators import Offer, Setting, Simulator
from sandbox.stripe_events import EventLog
from sandbox.stripe_keys import SECRET_KEY, VERSION, Door, Limit
from sandbox.stripe_lists import Newest, check_parameters, enveloped, leaf_of, no
from sandbox.stripe_parts import LINES, REPORT, parts
from sandbox.stripe_records import index_of
from sandbox.stripe_reports import TYPE, Reports

PREFIX = "/stripe/v1/"
REPORT_SECONDS = 0.5
MOST_TYPES = 20
SUBSCRIPTION_STATUSES = ("all", "active", "canceled", "ended", "past_due", "trialing", "unpaid")


class Account:
    """One account: who may ask, and what for."""

    def __init__(self, setting: Setting, *, report_seconds: float = REPORT_SECONDS) -> None:
        self._clock = setting.clock
        self._door = Door(Limit(rate=setting.options.leak_rate, clock=setting.clock))
        self._calls = count(1)
        self._shop = stripe_records.Shop(setting.options.seed, stripe_records.counts(setting.options))
        self._lists = {name: Newest(dataset) for name, dataset in setting.datasets.items()}
        self._oldest_now = setting.options.now
        self.events = EventLog(setting.datasets, now=self._now)
        self.reports = Reports(
            setting.datasets["balance_transactions"], seconds=report_seconds, clock=setting.clock
        )

    def routes(self) -> dict[str, Handler]:
        routes: dict[str, Handler] = {f"{PREFIX}*": self._guarded("", _unknown)}
        for name in self._lists:
            routes[f"{PREFIX}{name}"] = self._guarded(name, self._list_of(name))
            routes[f"{PREFIX}{name}/*"] = self._guarded(name, self._one_of(name))
        routes[f"{PREFIX}events"] = self._guarded("events", self._list_events)
        reporting = f"{PREFIX}reporting/"
        routes[f"{reporting}report_types/*"] = self._guarded(
            "reporting", lambda request: self.reports.report_type(_last(request))
        )
        routes[f"{reporting}report_runs/*"] = self._guarded(
            "reporting", lambda request: self.reports.run(_last(request), request)
        )
        routes[f"POST {reporting}report_runs"] = self._guarded("reporting", self.reports.start)
        routes["/stripe/files/*"] = self._guarded("files", self.reports.file)
        return routes

    def _now(self) -> int:
        # The sample data may have been made for a later day than today.
        return max(int(self._clock()), self._oldest_now)

    # Who asks

    def _guarded(self, area: str, handler: Handler) -> Handler:
        def guarded(request: Request) -> Answer:
            try:
                self._door.check(request, area)
                answer = handler(request)
                answer.body = stripe_money.with_client_secrets(answer.body)
            except BadRequest as refusal:
                answer = json_answer(refusal.body, status=refusal.status)
            answer.headers["Request-Id"] = f"req_{next(self._calls):014d}"
            answer.headers["Stripe-Version"] = request.headers.get("stripe-version", VERSION)
            answer.headers["Date"] = formatdate(self._now(), usegmt=True)
            return answer

        return guarded

    # What is asked

    def _list_of(self, name: str) -> Handler:
        def listed(request: Request) -> Answer:
            newest = self._lists[name]
            known = {"created", "expand", *(("status",) if name == "subscriptions" else ())}
            check_parameters(request, known)
            keys = newest.keys(request.query, _status_filter(request) if name == "subscriptions" else None)
            leaf = leaf_of(keys, request, place_of=self._placing(name, keys))
            rows = _rows(newest.dataset, list(leaf.items), request)
            cursor = request.query.get("starting_after", "first")
            return Answer(
                body=enveloped(f"/v1/{name}", rows, has_more=leaf.has_more and bool(rows)),
                served=served_rows(newest.dataset, rows, cursor=f"{name} {cursor}"),
            )

        return listed

    def _placing(self, name: str, keys: list[int]) -> Callable[[str, str], int]:
        def place(parameter: str, external_id: str) -> int:
            index = index_of(name, external_id)
            found = None if index is None else self._lists[name].place(keys, index)
            if found is None:
                raise _missing(name, external_id, parameter)
            return found if parameter == "starting_after" else max(found - 1, 0)

        return place

    def _one_of(self, name: str) -> Handler:
        def one(request: Request) -> Answer:
            external_id, _, rest = request.path.removeprefix(f"{PREFIX}{name}/").partition("/")
            index = index_of(name, external_id)
            key = None if index is None else self._lists[name].key(index)
            if index is None or key is None:
                deleted = self._lists[name].dataset.deleted()
                if name == "customers" and external_id in deleted:
                    return json_answer({"id": external_id, "object": "customer", "deleted": True})
                raise _missing(name, external_id, "id", status=404)
            if rest == "lines" and name == "invoices":
                return self._lines(external_id, index, request)
            if rest:
                return _unknown(request)
            return Answer(body=self._lists[name].dataset.rows([key])[0])

        return one

    def _lines(self, external_id: str, index: int, request: Request) -> Answer:
        check_parameters(request, {"expand"})
        lines = stripe_billing.lines_of(self._shop, index)
        ids = [line["id"] for line in lines]

        def place(parameter: str, line_id: str) -> int:
            if line_id not in ids:
                raise no(f"No such line item: '{line_id}'", code="resource_missing", param=parameter)
            return ids.index(line_id) + (parameter == "starting_after")

        leaf = leaf_of(lines, request, place_of=place)
        rows = [msgspec.json.encode(line) for line in leaf.items]
        return Answer(body=enveloped(f"/v1/invoices/{external_id}/lines", rows, has_more=leaf.has_more))

    def _list_events(self, request: Request) -> Answer:
        check_parameters(request, {"created", "type", "types", "delivery_success"})
        types = {value for name, value in request.query.items() if name.startswith("types[")}
        if len(types) > MOST_TYPES:
            raise no(f"Array types exceeded maximum {MOST_TYPES} allowed elements.", param="types")
        known = self.events.newest_first()
        found = [event for event in known if not types or event.type in types]

        def place(parameter: str, event_id: str) -> int:
            # Any event that is kept will do, whether or not it is of the types asked for.
            number = next((event.number for event in known if event.id == event_id), None)
            if number is None:
                raise _missing("events", event_id, parameter)
            return sum(event.number >= number + (parameter == "ending_before") for event in found)

        leaf = leaf_of(found, request, place_of=place)
        rows = [event.body(VERSION) for event in leaf.items]
        return Answer(body=enveloped("/v1/events", rows, has_more=leaf.has_more))


def _rows(dataset: Dataset, keys: list[int], request: Request) -> list[bytes]:
    return [] if "empty_list" in request.twists else twisted_rows(dataset, keys, request)


def _status_filter(request: Request) -> Callable[[int], bool] | None:
    status = request.query.get("status", "")
    if status and status not in SUBSCRIPTION_STATUSES:
        raise no(f"Invalid status: must be one of {', '.join(SUBSCRIPTION_STATUSES)}", param="status")
    if status == "all":
        return None
    wanted = {"": None, "ended": "canceled"}.get(status, status)

    def accepts(index: int) -> bool:
        found = stripe_billing.subscription_status(index & INDEX_MASK)
        return found != "canceled" if wanted is None else found == wanted

    return accepts


def _missing(name: str, external_id: str, parameter: str, *, status: int = 400) -> BadRequest:
    text = f"No such {name.removesuffix('s')}: '{external_id}'"
    return no(text, status=status, code="resource_missing", param=parameter)


def _unknown(request: Request) -> Answer:
    path = request.path.removeprefix("/stripe")
    raise no(f"Unrecognized request URL ({request.method}: {path}).", status=404)


def _last(request: Request) -> str:
    return request.path.rpartition("/")[2]


def _recipes(options: Options) -> list[tuple[Recipe, int]]:
    wanted = stripe_records.counts(options)
    shop = stripe_records.Shop(options.seed, wanted)
    made = {**stripe_records.MADE, **stripe_billing.MADE, **stripe_money.MADE}
    return [(stripe_records.recipe(name, made[name], shop), count) for name, count in wanted.items()]


def _routes(setting: Setting) -> dict[str, Handler]:
    return Account(setting).routes()


def _offer(url: str) -> Offer:
    report: dict[str, Any] = {"report_type": TYPE, "key": ["balance_transaction_id"]}
    return Offer(
        config={
            "base_url": f"{url}/stripe",
            "reports": {"payout_reconciliation": report},
            "report_poll_seconds": REPORT_SECONDS,
            "calls_per_second": 400,
            "burst": 200,
        },
        datasets={
            **{name: f"stripe.{name}" for name in stripe_records.BASE_COUNTS},
            "invoice_lines": LINES,
            "payout_reconciliation": REPORT,
        },
        credentials={"secret_key": SECRET_KEY},
        bad_credentials={"secret_key": "sk_test_of_somebody_else"},
    )


SIMULATOR = Simulator(connector="stripe", recipes=_recipes, routes=_routes, offer=_offer, parts=parts)
