"""How often a provider may be asked: what a room promises to keep to, and what the provider says of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol

# Told to slow down without being told for how long.
SLOWED_SECONDS = 1.0
#: A reset this large is a moment, in seconds or milliseconds; anything smaller is a number of seconds.
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPolicy:
    """One limit of a provider, in whatever it counts: calls, points of cost."""

    #: "rest", "graphql", "search": a connector may have several.
    name: str
    #: Units per second in the long run.
    rate: float
    #: Units at once after a rest; less than the provider allows, as calls do not arrive evenly.
    burst: float
    #: The share kept for people who wait and for webhooks.
    reserve: float = 0.1
    #: Units per day (UTC, unless the provider says otherwise); None where there is no such limit.
    daily: int | None = None
    #: Whom the provider counts, where several sources are one to it: "google/my-project", a digest of a key.
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a provider says about one limit; None where it does not say."""

    #: Units that could be spent right now.
    available: float | None = None
    #: Units at most: the size of the bucket or of the window.
    limit: float | None = None
    #: Seconds until units that are used up are there again.
    reset_after: float | None = None
    daily_left: int | None = None
    #: Units per second that come back.
    rate: float | None = None


class Budget(Protocol):
    """The shared account of one limit of one source."""

    def take(self, cost: float = 1.0) -> None:
        """
        Spend units before a call, waiting for them a little.

        :raises RateLimited: if they will not be there soon; it says when
        """

    def observe(
        self,
        *,
        available: float | None = None,
        limit: float | None = None,
        reset_after: float | None = None,
        daily_left: int | None = None,
        rate: float | None = None,
    ) -> None:
        """Hear what the provider says after a call, as `Quota` has it."""


#: Reads a quota from the headers of an answer; None where they say nothing.
ReadQuota = Callable[[Mapping[str, str]], Quota | None]


class Meter:
    """One session's use of a budget, or of none."""

    def __init__(self, budget: Budget | None, read: ReadQuota) -> None:
        self._budget = budget
        self._read = read

    def take(self, cost: float) -> None:
        """:raises RateLimited: if the units will not be there soon"""
        if self._budget is not None:
            self._budget.take(cost)

    def hear(self, status: int, headers: Mapping[str, str], *, asked_to_wait: float | None) -> None:
        """Pass on what an answer says, above all that it was one call too many."""
        if self._budget is None:
            return
        quota = self._read(headers)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            told = asked_to_wait or (quota and quota.reset_after) or SLOWED_SECONDS
            quota = replace(quota or Quota(), available=0.0, reset_after=told)
        if quota is not None:
            self._budget.observe(**asdict(quota))


def usual_headers(headers: Mapping[str, str]) -> Quota | None:
    """Return what X-RateLimit-Limit, -Remaining and -Reset say, or RateLimit-* by the IETF's draft."""
    for prefix in ("X-RateLimit", "RateLimit"):
        available = said_number(headers.get(f"{prefix}-Remaining"))
        if available is not None:
            return Quota(
                available=available,
                limit=said_number(headers.get(f"{prefix}-Limit")),
                reset_after=_reset_after(said_number(headers.get(f"{prefix}-Reset")), headers),
            )
    return None


def used_of_limit(header: str) -> ReadQuota:
    """Return a reader of "32/40": so many of so many are used."""

    def read(headers: Mapping[str, str]) -> Quota | None:
        used, _, limit = headers.get(header, "").partition("/")
        spent, most = said_number(used), said_number(limit)
        if spent is None or most is None:
            return None
        return Quota(available=max(most - spent, 0.0), limit=most)

    return read


def said_number(text: str | None) -> float | None:
    """Return the number a header holds; None where it is absent, empty or none."""
    plain = (text or "").strip()
    # "nan" and "1e999" are numbers to Python.
    return float(plain) if plain.replace(".", "", 1).isdecimal() and len(plain) < 19 else None


def _reset_after(reset: float | None, headers: Mapping[str, str]) -> float | None:
    if reset is None or reset < _EPOCH_SECONDS:
        return reset
    moment = reset / 1000 if reset >= _EPOCH_MILLISECONDS else reset
    return max(moment - _now_of(headers), 0.0)


def _now_of(headers: Mapping[str, str]) -> float:
    # By the provider's clock where it tells, so that ours may be wrong.
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return time.time()
