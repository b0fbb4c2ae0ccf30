"""
Rate budgets: one token bucket per source and limit, shared by all workers and streams, and by several sources
where the provider counts them as one.

The buckets are in Redis and run by its clock. Without Redis each worker keeps to its part of the rate.
"""

from __future__ import annotations

import hashlib
import logging
import math
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from connectors.budgets import BudgetPolicy
from connectors.errors import RateLimited
from ingest.models import RateBudget

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds a worker waits for its turn before it lets another job have its time
# Of a fast limit that is far from used up calls are paid for ahead: what comes back in so many seconds.
AHEAD = 0.02
KEPT_AHEAD = 0.25  # seconds; by then others may have been told to wait
NOTED_EVERY = 5.0
DAY = 86_400  # seconds; nothing is waited for longer
REDIS_TIMEOUT = 0.5
REDIS_LEFT_ALONE = 5.0  # seconds after it did not answer
# Of a worker's fair part of the rate while Redis is away. In a simulation of 8 workers at 2/s a run of 12 s
# met a refusal in 16 % of cases at the full part, 4 % at three quarters, 0.2 % at a half.
LOCAL_SHARE = 0.5

_SCRIPT = Path(__file__).with_name("budgets.lua").read_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a bucket stood when it was last looked at."""

    wait: float
    reason: str
    available: float
    rate: float
    burst: float
    per_minute: float
    daily_left: int | None
    #: Epoch seconds, as Redis has them.
    daily_reset: float
    blocked_until: float
    now: float


class Budgets:
    """Hands a connector the budgets of its source."""

    def __init__(self, source_id: int, *, is_urgent: bool = False) -> None:
        """`is_urgent`: a person or a webhook waits for the answer, so that the reserve may be used."""
        self._source_id = source_id
        self._is_urgent = is_urgent

    def __call__(self, policy: BudgetPolicy) -> SharedBudget:
        return SharedBudget(self._source_id, policy, is_urgent=self._is_urgent)


class SharedBudget:
    """One limit of one source, as one worker sees it."""

    def __init__(self, source_id: int, policy: BudgetPolicy, *, is_urgent: bool) -> None:
        self._source_id = source_id
        self._policy = policy
        self._is_urgent = is_urgent
        # Databases that share a Redis count their sources from 1 each.
        named = f"{connection.settings_dict['NAME']}/{policy.account or source_id}/{policy.name}"
        self._key = f"budget:{hashlib.sha256(named.encode()).hexdigest()[:32]}"
        #: How the bucket stood after the last call, and when that was asked for at the latest.
        self._state: State | None = None
        self._asked_at = 0.0
        #: Units that are paid for and not spent yet.
        self._ahead = 0.0
        #: The limit and the rate the provider told last.
        self._told: tuple[float | None, float | None] = None, None

    def take(self, cost: float = 1.0) -> None:
        """
        Spend units, waiting for them up to PATIENCE.

        :raises RateLimited: if they will not be there by then; it says when
        """
        now = time.monotonic()
        if self._ahead >= cost and now - self._asked_at < KEPT_AHEAD:
            self._ahead -= cost
            return
        until = now + PATIENCE
        while True:
            wait, reason = self._ask(cost)
            if wait <= 0:
                return
            if time.monotonic() + wait > until:
                raise self._refusal(wait, reason)
            # A short wait for one's turn, of which the lease knows nothing and needs to know nothing.
            time.sleep(wait + random.uniform(0, 0.005))  # noqa: S311, TID251

    def observe(
        self,
        *,
        available: float | None = None,
        limit: float | None = None,
        reset_after: float | None = None,
        daily_left: int | None = None,
        rate: float | None = None,
    ) -> None:
        """Correct the bucket by what the provider says, where that is news."""
        # A moment in another unit than we know may be ages away.
        reset_after = None if reset_after is None else min(reset_after, DAY)
        # What gives nothing back would be waited for without end.
        rate = rate if rate and rate > 0 else None
        is_news = available == 0 or daily_left is not None or (limit, rate) != self._told
        if not is_news and (available is None or available >= self._most()):
            return
        self._ahead = 0.0
        if self._run("observe", available, limit, reset_after, daily_left, rate) is not None:
            self._told = limit, rate
        elif reset_after:
            _local(self._key, self._policy).block(reset_after if available == 0 else 0.0)

    def _most(self) -> float:
        """Return how much the bucket holds by now, if nobody has taken anything."""
        state = self._state
        if state is None:
            return math.inf
        return min(state.burst, state.available + (time.monotonic() - self._asked_at) * state.rate)

    def _ask(self, cost: float) -> tuple[float, str]:
        ahead = self._worth_having(cost)
        state = self._run("take", cost + ahead, int(self._is_urgent))
        if state is None:
            return _local(self._key, self._policy).take(cost), "bucket"
        self._ahead = 0.0 if state.wait else ahead
        return state.wait, state.reason

    def _worth_having(self, cost: float) -> float:
        """Return how many units to take for the next calls; of a day's quota none, as they may go unspent."""
        state = self._state
        if state is None or state.available < state.burst / 2 or self._policy.daily:
            return 0.0
        return min(state.rate * AHEAD, state.burst / 8) // max(cost, 1.0) * cost

    def _run(self, verb: str, *values: float | None) -> State | None:
        """Return how the bucket stands after the verb; None without Redis."""
        policy = self._policy
        given: Sequence[float | None] = (policy.rate, policy.burst, policy.reserve, policy.daily, *values)
        self._asked_at = time.monotonic()
        answer = _in_redis(self._key, verb, given)
        self._state = None if answer is None else _state(answer)
        if self._state is not None:
            _noted.setdefault(self._source_id, {})[policy.name] = policy, self._state
        return self._state

    def _refusal(self, wait: float, reason: str) -> RateLimited:
        policy = self._policy
        told = {
            "daily": f"today's quota of {policy.daily or 'calls'} is used up, webhooks' reserve apart",
            "told": "the provider asked us to wait",
            "bucket": f"the limit of {policy.rate:g} a second is used up by other work at this source",
        }
        shown = f"{wait:.0f} s" if wait < 7200 else f"{wait / 3600:.1f} h"
        # Those that were refused at the same moment should not all come back at the same moment.
        later = min(wait, DAY) + (random.uniform(0, PATIENCE) if reason == "bucket" else 0.0)  # noqa: S311 - no secret
        return RateLimited(f"budget {policy.name!r}: {told[reason]}; going on in {shown}", retry_after=later)


def _in_redis(key: str, verb: str, values: Sequence[float | None]) -> bytes | None:
    if time.monotonic() < _away.until:
        return None
    try:
        answer: bytes = _script()(keys=[key], args=[verb, *("" if one is None else one for one in values)])
    except (redis.RedisError, OSError) as error:
        if not _away.until:
            for bucket in _buckets.values():
                bucket.empty()
        _away.until = time.monotonic() + REDIS_LEFT_ALONE
        log.warning("no rate budgets from Redis, workers keep to their part", extra={"reason": str(error)})
        return None
    _away.until = 0.0
    return answer


@cache
def _script() -> Any:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
    )
    return client.register_script(_SCRIPT)


def _state(answer: bytes) -> State:
    reason, *numbers = answer.decode().split(",")
    wait, available, rate, burst, per_minute, left, reset, blocked, now = (
        float(number) if number else None for number in numbers
    )
    return State(
        wait=wait or 0.0,
        reason=reason,
        available=available or 0.0,
        rate=rate or 0.0,
        burst=burst or 0.0,
        per_minute=per_minute or 0.0,
        daily_left=None if left is None else math.floor(left),
        daily_reset=reset or 0.0,
        blocked_until=blocked or 0.0,
        now=now or 0.0,
    )


# Without Redis


class _LocalBucket:
    """
    A part of the rate for this process alone, smaller than its fair one.

    Nobody sees what the others do: at the full rate, calls that happen to meet overrun the provider's own
    bucket now and then. Each time Redis is lost it begins empty, as nobody knows what others just spent; and
    each at another point of its turn, as all lose Redis at the same moment and would else call at once.
    """

    def __init__(self, policy: BudgetPolicy, workers: int) -> None:
        self._rate = policy.rate / workers * LOCAL_SHARE
        self._burst = max(policy.burst / workers, 1.0)
        self._blocked_until = 0.0
        self._lock = threading.Lock()
        self.empty()

    def empty(self) -> None:
        with self._lock:
            self._tokens = -random.random()  # noqa: S311 - no secret
            self._at = time.monotonic()

    def take(self, cost: float) -> float:
        """Return 0 if the units were there, else the seconds until they are."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
            self._at = now
            need = min(cost, self._burst)
            wait = max((need - self._tokens) / self._rate, self._blocked_until - now)
            if wait <= 0:
                self._tokens -= cost
            return wait

    def block(self, seconds: float) -> None:
        self._blocked_until = max(self._blocked_until, time.monotonic() + seconds)


@dataclass(slots=True)
class _Away:
    """Until when Redis is not asked; 0 where it answered the last time."""

    until: float = 0.0


_away = _Away()
_buckets: dict[str, _LocalBucket] = {}


def _local(key: str, policy: BudgetPolicy) -> _LocalBucket:
    return _buckets.setdefault(key, _LocalBucket(policy, settings.BUDGET_WORKERS))


# What people see of it


#: By source and policy, the latest this process knows and nobody has written yet.
_noted: dict[int, dict[str, tuple[BudgetPolicy, State]]] = {}
_written_at: dict[int, float] = {}


def note(source_id: int) -> None:
    """
    Write how the source's budgets stand, every few seconds at most, for people to see.

    Never from the thread that asks ahead: it has no database connection.
    """
    if source_id not in _noted or time.monotonic() - _written_at.get(source_id, -NOTED_EVERY) < NOTED_EVERY:
        return
    rows = [_row(source_id, policy, state) for policy, state in list(_noted.pop(source_id).values())]
    _written_at[source_id] = time.monotonic()
    try:
        RateBudget.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["source", "name"], update_fields=RateBudget.MEASURED
        )
    except (DatabaseError, InterfaceError):
        log.warning("rate budgets not noted", extra={"source": source_id})


def _row(source_id: int, policy: BudgetPolicy, state: State) -> RateBudget:
    left = state.daily_left
    used = None if left is None or policy.daily is None else max(policy.daily - left, 0)
    return RateBudget(
        source_id=source_id,
        name=policy.name,
        rate=state.rate,
        burst=state.burst,
        available=max(state.available, 0.0),
        used_per_minute=state.per_minute,
        daily_limit=policy.daily,
        daily_used=used,
        daily_forecast=None if used is None else _forecast(used, state.now),
        daily_reset_at=None if left is None else _moment(state.daily_reset),
        blocked_until=_moment(state.blocked_until) if state.blocked_until > state.now else None,
        seen_at=_moment(state.now),
    )


def _forecast(used: int, now: float) -> int:
    """Return what the day will come to if it goes on like this."""
    # In its first minutes a day tells nothing.
    return math.ceil(used / max(now % DAY / DAY, 0.01))


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
