"""Rate budgets in Redis: shared, corrected by what the provider says, with a reserve, and without Redis."""

from __future__ import annotations

import itertools
import random
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone

import connectors
from connectors.base import Access, Connector, FetchRequest, Page
from connectors.budgets import BudgetPolicy
from connectors.errors import RateLimited
from ingest import budgets
from ingest.budgets import Budgets, SharedBudget
from ingest.models import RateBudget, Source
from tests.conftest import finish
from tests.ingest.steps import StreamNamed, fetch, start
from tests.scripted import Script, ScriptedConnector, record

pytestmark = pytest.mark.django_db
POLICY = BudgetPolicy(name="calls", rate=1.0, burst=10.0)
SLOW = BudgetPolicy(name="slow", rate=0.01, burst=10.0, reserve=0.2)
_ids = itertools.count(random.randrange(10**9, 2 * 10**9))


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse at once what would have to be waited for; Redis itself may take its time on a busy machine."""
    monkeypatch.setattr(budgets, "PATIENCE", 0.0)
    monkeypatch.setattr(budgets, "REDIS_TIMEOUT", 30.0)
    monkeypatch.setattr(budgets._away, "until", 0.0)
    budgets._script.cache_clear()
    yield
    budgets._script.cache_clear()


@pytest.fixture
def source_id() -> int:
    """A source whose buckets nobody has used."""
    return next(_ids)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address where no Redis answers."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and kept, else another process may get the port and answer
        yield f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"


@pytest.fixture
def no_redis(nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", nowhere)


def takes(budget: SharedBudget, cost: float = 1.0) -> int:
    """Take until there is no more; return how often."""
    for count in range(1000):
        try:
            budget.take(cost)
        except RateLimited:
            return count
    raise AssertionError("no end")


def test_sources_that_are_one_to_the_provider_share_one_bucket(source_id: int) -> None:
    team = BudgetPolicy(name="calls", rate=0.01, burst=10.0, reserve=0.2, account=f"crm/{source_id}")
    another = next(_ids)
    assert takes(Budgets(source_id)(team)) == 8
    assert takes(Budgets(another)(team)) == 0
    assert takes(Budgets(another)(SLOW)) == 8


def test_all_workers_and_streams_of_a_source_share_one_bucket(source_id: int) -> None:
    first, second = (Budgets(source_id)(SLOW) for _ in range(2))

    assert takes(first) == 8  # all but the reserve
    assert takes(second) == 0


def test_sources_and_limits_have_buckets_of_their_own(source_id: int) -> None:
    takes(Budgets(source_id)(SLOW))

    assert takes(Budgets(next(_ids))(SLOW)) == 8
    assert takes(Budgets(source_id)(BudgetPolicy(name="search", rate=0.01, burst=3, reserve=0))) == 3


def test_the_reserve_is_for_those_who_wait_for_an_answer(source_id: int) -> None:
    takes(Budgets(source_id)(SLOW))

    assert takes(Budgets(source_id, is_urgent=True)(SLOW)) == 2


def test_the_refusal_says_when_to_come_back(source_id: int) -> None:
    budget = Budgets(source_id)(SLOW)
    takes(budget)

    with pytest.raises(RateLimited, match=r"'slow': the limit of 0\.01 a second is used up") as refusal:
        budget.take()

    assert refusal.value.retry_after == pytest.approx(100, abs=2)


def test_units_come_back_with_time(source_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = BudgetPolicy(name="fast", rate=50.0, burst=2.0, reserve=0)
    budget = Budgets(source_id)(policy)
    monkeypatch.setattr(budgets, "PATIENCE", 60.0)

    started = time.monotonic()
    for _ in range(12):
        budget.take()

    assert time.monotonic() - started >= 10 / 50  # it was full in the beginning


def test_costs_are_counted(source_id: int) -> None:
    policy = BudgetPolicy(name="points", rate=0.01, burst=1000, reserve=0)

    assert takes(Budgets(source_id)(policy), cost=300.0) == 3


def test_a_call_larger_than_the_bucket_goes_when_the_bucket_is_full(source_id: int) -> None:
    budget = Budgets(source_id)(SLOW)

    assert takes(budget, cost=50.0) == 1
    assert takes(budget) == 0


def test_a_large_call_is_not_overtaken_for_ever_by_small_ones(source_id: int) -> None:
    policy = BudgetPolicy(name="points", rate=0.01, burst=100, reserve=0)
    budget = Budgets(source_id)(policy)
    budget.take(30)

    with pytest.raises(RateLimited):
        budget.take(80)

    assert takes(budget, cost=10.0) == 0  # 70 are left, and kept for it


# What the provider says


def test_less_than_we_thought_is_believed(source_id: int) -> None:
    budget = Budgets(source_id)(SLOW)
    budget.observe(available=5, limit=10)

    assert takes(budget) == 3


def test_each_time_it_is_less_it_is_believed(source_id: int) -> None:
    budget = Budgets(source_id)(SLOW)
    budget.take()
    for available in (9, 8, 10, 3):
        budget.observe(available=available, limit=10)

    assert takes(budget) == 1


def test_more_than_we_thought_is_not_as_calls_are_on_their_way(source_id: int) -> None:
    budget = Budgets(source_id)(SLOW)
    takes(budget)
    budget.observe(available=10, limit=10)

    assert takes(budget) == 0


def test_a_larger_plan_is_believed(source_id: int) -> None:
    budget = Budgets(source_id)(SLOW)
    budget.observe(rate=0.1, limit=1000)
    state = budget._run("take", 1.0, 0)

    assert state is not None
    assert [state.rate, state.burst] == pytest.approx([0.1, 100])


def test_a_smaller_bucket_is_believed(source_id: int) -> None:
    budget = Budgets(source_id)(SLOW)
    budget.observe(limit=5)

    assert takes(budget) == 4


def test_all_wait_when_one_was_asked_to(source_id: int) -> None:
    Budgets(source_id)(SLOW).observe(available=0, reset_after=30)

    with pytest.raises(RateLimited, match="the provider asked us to wait") as refusal:
        Budgets(source_id)(SLOW).take()

    assert refusal.value.retry_after == pytest.approx(30, abs=1)


@pytest.mark.parametrize(
    "said",
    [{"available": 0.0, "reset_after": 1e15}, {"rate": 0.0}, {"rate": 1e-9, "available": 0.0}],
    ids=["a reset in nanoseconds", "nothing comes back", "nearly nothing comes back"],
)
def test_nonsense_of_the_provider_is_waited_for_a_day_at_most(source_id: int, said: dict[str, Any]) -> None:
    budget = Budgets(source_id)(SLOW)
    budget.observe(**said)
    takes(budget)

    with pytest.raises(RateLimited) as refusal:
        budget.take()

    assert refusal.value.retry_after is not None
    assert refusal.value.retry_after <= budgets.DAY + 2


# Of a fast limit a few calls are paid for at once

FAST = BudgetPolicy(name="fast", rate=100.0, burst=40.0, reserve=0.0)


@pytest.fixture
def paid_ahead(source_id: int, monkeypatch: pytest.MonkeyPatch) -> SharedBudget:
    """A worker that has called twice and has paid for two calls more."""
    monkeypatch.setattr(budgets, "KEPT_AHEAD", 60.0)
    budget = Budgets(source_id)(FAST)
    budget.take()
    budget.take()
    return budget


def test_calls_paid_ahead_need_no_redis(paid_ahead: SharedBudget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets._away, "until", time.monotonic() + 60)

    assert takes(paid_ahead) == 2


def test_calls_paid_ahead_are_not_made_once_the_provider_asks_us_to_wait(paid_ahead: SharedBudget) -> None:
    paid_ahead.observe(available=0, reset_after=30)

    assert takes(paid_ahead) == 0


def test_calls_paid_ahead_are_given_up_after_a_while(
    paid_ahead: SharedBudget, source_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may have been asked to wait by then."""
    Budgets(source_id)(FAST).observe(available=0, reset_after=30)
    monkeypatch.setattr(budgets, "KEPT_AHEAD", 0.0)

    assert takes(paid_ahead) == 0


def test_of_what_is_nearly_used_up_nothing_is_paid_ahead(source_id: int) -> None:
    budget = Budgets(source_id)(FAST)
    budget.take()
    budget.observe(available=2)
    budget.take()

    assert budget._ahead == 0.0


# Row 63: the quota of the day

DAILY = BudgetPolicy(name="daily", rate=1000, burst=1000, reserve=0.1, daily=20)


def test_the_quota_of_a_day_ends_at_midnight(source_id: int) -> None:
    budget = Budgets(source_id)(DAILY)
    assert takes(budget) == 18

    with pytest.raises(RateLimited, match="today's quota of 20 is used up") as refusal:
        budget.take()

    midnight = (timezone.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left = (midnight - timezone.now()).total_seconds()
    assert refusal.value.retry_after == pytest.approx(left, abs=5)


def test_a_quota_the_provider_calls_used_up_is_looked_at_each_hour(source_id: int) -> None:
    """Its day may end at another hour than ours."""
    budget = Budgets(source_id)(DAILY)
    budget.observe(daily_left=0)

    with pytest.raises(RateLimited, match="today's quota") as refusal:
        budget.take()

    assert refusal.value.retry_after is not None
    assert refusal.value.retry_after <= 3600


class SpendingConnector(ScriptedConnector):
    """Pays for each page."""

    name = "spending"
    policy = DAILY

    def __init__(self, *, config: object, credentials: object, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        assert access.budget
        self._budget = access.budget(self.policy)

    def fetch(self, stream: object, request: FetchRequest) -> Page:
        self._budget.take()
        return super().fetch(stream, request)  # type: ignore[arg-type]


@pytest.fixture
def spending(source: Source, monkeypatch: pytest.MonkeyPatch) -> Source:
    known: dict[str, type[Connector]] = {**connectors.all_connectors(), "spending": SpendingConnector}
    monkeypatch.setattr(connectors, "all_connectors", lambda: known)
    monkeypatch.setattr(budgets, "NOTED_EVERY", 0.0)
    name = f"{random.randrange(10**12)}"  # ids of sources begin again with each database
    monkeypatch.setattr(SpendingConnector, "policy", BudgetPolicy(name=name, rate=1e3, burst=1e3, daily=20))
    Source.objects.filter(pk=source.pk).update(connector="spending")
    source.refresh_from_db()
    return source


def test_a_job_whose_quota_is_used_up_waits_for_the_next_day_and_others_run(
    spending: Source, script: Script, stream: StreamNamed
) -> None:
    script.says("records", *([record(f"r{n}")] for n in range(30)))
    job = start(stream("records"))

    assert fetch(job) == 18

    assert (job.status, job.attempts, job.error_type) == ("PENDING", 0, "rate_limit")
    assert job.next_run_at.date() > timezone.now().date() or job.next_run_at.hour == 0
    other = Source.objects.create(name="other", connector="scripted")
    budgets_of_others = stream("records")
    budgets_of_others.pk, budgets_of_others.source = None, other
    budgets_of_others.save(force_insert=True)
    script.says("records", [record("x")])
    assert finish(start(budgets_of_others)).status == "SUCCEEDED"


def test_a_reset_that_never_comes_puts_the_job_off_and_does_not_break_it(
    spending: Source, script: Script, stream: StreamNamed
) -> None:
    Budgets(spending.pk)(SpendingConnector.policy).observe(available=0.0, reset_after=1e15)
    script.says("records", [record("r1")])
    job = start(stream("records"))

    assert fetch(job) == 0

    assert (job.status, job.error_type) == ("PENDING", "rate_limit")
    assert job.next_run_at <= timezone.now() + timedelta(days=1, minutes=1)
    assert RateBudget.objects.get(source=spending).blocked_until is not None


def test_people_see_how_the_quota_stands(spending: Source, script: Script, stream: StreamNamed) -> None:
    script.says("records", *([record(f"r{n}")] for n in range(5)))
    finish(start(stream("records")))

    seen = RateBudget.objects.get(source=spending)
    assert (seen.daily_limit, seen.daily_used, round(seen.used_per_minute)) == (20, 5, 5)
    assert seen.daily_forecast is not None
    assert seen.daily_forecast >= 5
    assert seen.daily_reset_at is not None
    assert timezone.now() - seen.seen_at < timedelta(minutes=1)


# Without Redis


@pytest.mark.usefixtures("no_redis")
def test_without_redis_a_worker_keeps_to_its_part(source_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "BUDGET_WORKERS", 4)
    budget = Budgets(source_id)(BudgetPolicy(name="calls", rate=40.0, burst=4.0))
    assert takes(budget) == 0  # nobody knows what others have just spent
    monkeypatch.setattr(budgets, "PATIENCE", 60.0)

    started = time.monotonic()
    for _ in range(5):
        budget.take()

    assert time.monotonic() - started >= 4 / 10


def test_each_loss_of_redis_begins_with_nothing_to_spend(
    source_id: int, nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came together since the time before would be spent by all workers at the same moment."""
    monkeypatch.setattr(budgets, "REDIS_LEFT_ALONE", 0.0)
    budget = Budgets(source_id)(POLICY)

    def takes_from(redis_url: str) -> int:
        budgets._script.cache_clear()
        monkeypatch.setattr(settings, "REDIS_URL", redis_url)
        return takes(budget)

    at_home = settings.REDIS_URL
    assert takes_from(nowhere) == 0
    budgets._buckets[budget._key]._at -= 3600  # as if an hour had passed
    assert takes_from(at_home) == 9
    assert takes_from(nowhere) == 0


@pytest.mark.usefixtures("no_redis")
def test_without_redis_a_wait_the_provider_asked_for_is_kept(source_id: int) -> None:
    budget = Budgets(source_id)(POLICY)
    budget.observe(available=0, reset_after=60)

    with pytest.raises(RateLimited) as refusal:
        budget.take()

    assert refusal.value.retry_after is not None
    assert refusal.value.retry_after > 50


def test_a_redis_that_forgot_all_begins_with_full_buckets(source_id: int) -> None:
    budget = Budgets(source_id)(SLOW)
    takes(budget)
    redis.Redis.from_url(settings.REDIS_URL).delete(budget._key)

    assert takes(budget) == 8
