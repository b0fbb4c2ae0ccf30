"""Calls to HubSpot: how often, who asks, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from connectors import exact_json
from connectors.base import Access
from connectors.budgets import Budget, BudgetPolicy, Quota
from connectors.errors import MissingScope, RateLimited, RecordError, TransientError
from connectors.http import Answer, HttpSession, RefusedRequest
from connectors.providers.hubspot.auth import NAME, Way
from connectors.providers.hubspot.settings import HubSpotConfig

WINDOW_SECONDS = 10.0
#: A rolling window of ten seconds sees the burst and what comes back in that time: both make up its limit.
BURST_SHARE, RATE_SHARE = 0.1, 0.9
#: So long until it is worth asking again, by the limit that was met and by the status.
WAITS = {"DAILY": 900.0, "TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}
PASSING = {423: 2.0, 477: 900.0}
_PREFIX = "X-HubSpot-RateLimit"


class Api:
    """The sessions of one source: one for searches, which have a limit of their own, one for the rest."""

    def __init__(self, config: HubSpotConfig, way: Way, access: Access) -> None:
        self._budget = access.budget(_usual_policy(config)) if access.budget else None
        self._search_budget = access.budget(_search_policy(config)) if access.budget else None
        self._usual = HttpSession(
            connector=NAME, access=access, auth=way.authorizer, budget=self._budget, quota=quota_said
        )
        self._search = HttpSession(
            connector=NAME, access=access, auth=way.authorizer, budget=self._search_budget, quota=_nothing
        )

    def get(self, url: str, params: Mapping[str, Any]) -> Answer:
        """
        Return the answer.

        :raises MissingScope: naming the scopes that would do
        :raises ConnectorError: as HttpSession does
        """
        try:
            return self._usual.request("GET", url, params=params)
        except (RateLimited, RefusedRequest) as error:
            _name(error, self._budget)

    def search(self, url: str, asked: Any) -> Answer:
        """Return the answer to a search. :raises ConnectorError: as `get` does"""
        try:
            return self._search.request("POST", url, json_body=asked)
        except (RateLimited, RefusedRequest) as error:
            _name(error, self._search_budget)

    def read_batch(self, url: str, inputs: Any) -> Any:
        """
        Return what a batch came to, the parts that failed included.

        :raises ConnectorError: as `get` does
        """
        try:
            answer = self._usual.request(
                "POST", url, json_body={"inputs": inputs}, accept=frozenset({200, 207})
            )
        except (RateLimited, RefusedRequest) as error:
            _name(error, self._budget)
        return exact_json.loads(answer.body)

    def close(self) -> None:
        self._usual.close()
        self._search.close()


def quota_said(headers: Mapping[str, str]) -> Quota | None:
    """Return what the headers say of the ten seconds and of the day; searches have none of them."""
    left, most = _number(headers, "Remaining"), _number(headers, "Max")
    daily = _number(headers, "Daily-Remaining")
    if left is None and daily is None:
        return None
    seconds = (_number(headers, "Interval-Milliseconds") or WINDOW_SECONDS * 1000) / 1000
    return Quota(
        available=left,
        limit=most,
        daily_left=None if daily is None else int(daily),
        rate=RATE_SHARE * most / seconds if most else None,
    )


def _number(headers: Mapping[str, str], name: str) -> float | None:
    text = headers.get(f"{_PREFIX}-{name}", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _nothing(_: Mapping[str, str]) -> Quota | None:
    return None


def _usual_policy(config: HubSpotConfig) -> BudgetPolicy:
    most = float(config.calls_per_10_seconds)
    return BudgetPolicy(
        name="calls",
        rate=RATE_SHARE * most / WINDOW_SECONDS,
        burst=BURST_SHARE * most,
        daily=config.daily_calls,
    )


def _search_policy(config: HubSpotConfig) -> BudgetPolicy:
    # One after the other: several at once would be too many for the second in which they arrive.
    return BudgetPolicy(name="search", rate=RATE_SHARE * config.searches_per_second, burst=1.0, reserve=0.0)


def _name(error: RateLimited | RefusedRequest, budget: Budget | None) -> NoReturn:
    """:raises ConnectorError: saying what the refusal means"""
    if isinstance(error, RateLimited):
        raise _told_to_wait(error, budget) from None
    if error.status in PASSING:
        raise TransientError(str(error), retry_after=PASSING[error.status]) from None
    if error.status == 403 and b"MISSING_SCOPES" in error.body:
        needed = _scopes_named(error.body)
        named = f" One of these would do: {', '.join(needed)}." if needed else ""
        raise MissingScope(
            f"{error}. The credentials are good, but lack a scope.{named} Grant it to the app, then connect "
            "the account again (a private app: copy its token again).",
            needed=needed,
            body=error.body,
        ) from None
    raise error


def _told_to_wait(error: RateLimited, budget: Budget | None) -> RateLimited:
    # Which limit was met is in the body only, and the body is quoted in the message.
    policy = next((name for name in WAITS if f'"policyName":"{name}"' in str(error).replace(" ", "")), "")
    if error.retry_after is not None or not policy:
        return error
    wait = WAITS[policy]
    if budget is not None:
        budget.observe(available=0.0, reset_after=wait)
    return RateLimited(str(error), retry_after=wait)


def _scopes_named(body: bytes) -> tuple[str, ...]:
    try:
        answer = exact_json.loads(body)
        found = [
            scope
            for one in answer["errors"]
            for scopes in one.get("context", {}).values()
            for scope in scopes
            if isinstance(scope, str)
        ]
    except (RecordError, LookupError, TypeError, AttributeError):
        return ()
    return tuple(dict.fromkeys(found))
