"""Apollo's lists as its simulator serves them: windows, the end after 500 pages, keys, limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import connectors.providers.apollo as room
import sandbox.apollo as simulator
from connectors import exact_json
from connectors.base import Connector, FetchRequest
from connectors.budgets import BudgetPolicy
from connectors.errors import AuthenticationError, MissingScope, RateLimited, RefusedRequest, SchemaError
from sandbox.apollo import CONTACTS_KEY, MASTER_KEY, PREFIX, Rules, Team
from sandbox.apollo_records import CONTACT_STAGES, recipes
from sandbox.messages import json_answer
from sandbox.options import Options
from tests.connectors.serving import Site, all_pages, datasets, serving

NOW = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
CONTACTS = f"POST {PREFIX}/contacts/search"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(team()) as found:
        yield found


def team(rules: Rules | None = None, clock: list[float] | None = None) -> dict[str, Any]:
    data = datasets(recipes(Options(now=NOW)), now=NOW)
    time = clock or [float(NOW)]
    return Team(data, clock=lambda: time[0], rules=rules or Rules()).routes()


def source(site: Site, *, key: str = MASTER_KEY, budget: Any = None, **config: Any) -> Connector:
    settings = {"base_url": site.url + PREFIX, **config}
    return site.connector("apollo", config=settings, credentials={"api_key": key}, budget=budget)


def test_what_changed_is_read_newest_first_and_ends_at_what_is_known(site: Site) -> None:
    whole = all_pages(source(site), "contacts", page_size=20)
    times = sorted(one.updated_at for page in whole for one in page.records if one.updated_at)
    since = times[-30]
    pages = all_pages(source(site), "contacts", page_size=20, window_start=since)
    assert len(whole) == 12
    assert len(pages) <= 3
    found = {one.external_id for page in pages for one in page.records}
    assert {
        one.external_id
        for page in whole
        for one in page.records
        if one.updated_at and one.updated_at >= since
    } <= found
    assert [page.expected_total for page in (whole[0], pages[0])] == [240, None]


def test_records_of_one_moment_on_both_sides_of_a_page_edge_are_read(site: Site) -> None:
    """Two neighbours in five share a time: the page that ends with a known time is not the last one."""
    whole = [one for page in all_pages(source(site), "contacts") for one in page.records]
    for since in sorted({one.updated_at for one in whole if one.updated_at})[-12:]:
        wanted = {one.external_id for one in whole if one.updated_at and one.updated_at >= since}
        pages = all_pages(source(site), "contacts", page_size=3, window_start=since)
        assert wanted <= {one.external_id for page in pages for one in page.records}


def test_pages_keep_their_size_when_staff_change_it_meanwhile(site: Site) -> None:
    found = source(site)
    contacts = found.stream("contacts")
    first = found.fetch(contacts, FetchRequest(page_size=20))
    second = found.fetch(contacts, FetchRequest(page_size=100, cursor=first.next_cursor))
    assert len(second.records) == 20
    assert not {one.external_id for one in first.records} & {one.external_id for one in second.records}


def test_the_end_after_500_pages_is_said(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_PAGES", 2)
    monkeypatch.setattr(simulator, "MOST_PAGES", 2)
    pages = all_pages(source(site), "contacts", page_size=100)
    assert [len(page.records) for page in pages] == [100, 100]
    assert pages[0].cut_short == ""
    assert "200 of 240 contacts" in pages[1].cut_short


def test_a_list_that_ends_with_the_500th_page_is_whole(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_PAGES", 3)
    assert all_pages(source(site), "contacts", page_size=80)[-1].cut_short == ""


def test_stages_part_a_list(site: Site) -> None:
    found = [
        {
            one.external_id
            for page in all_pages(source(site, contact_stages=[stage]), "contacts")
            for one in page.records
        }
        for stage in CONTACT_STAGES
    ]
    assert [len(ids) for ids in found] == [240, 0]
    asked = exact_json.loads(site.asked[-1].body)
    assert asked["contact_stage_ids"] == [CONTACT_STAGES[1]]


def test_the_key_goes_in_a_header_only(site: Site) -> None:
    source(site).fetch(source(site).stream("deals"), FetchRequest())
    assert site.asked[0].headers["x-api-key"] == MASTER_KEY
    assert MASTER_KEY not in str(site.asked[0].query)


def test_a_key_that_is_not_for_this_endpoint_stops_its_stream_only(site: Site) -> None:
    found = source(site, key=CONTACTS_KEY)
    assert found.fetch(found.stream("contacts"), FetchRequest()).records
    with pytest.raises(MissingScope, match="Tick this endpoint") as refusal:
        found.fetch(found.stream("deals"), FetchRequest())
    assert refusal.value.needed == ("deals/api/v1/opportunities/search",)
    checks = {check.name: check for check in found.probe()}
    assert checks["data: contacts"].is_ok
    assert checks["data: deals"].told.startswith("Missing scope")


def test_an_unknown_key_is_told_as_such(site: Site) -> None:
    with pytest.raises(AuthenticationError, match="401"):
        source(site, key="somebody-elses").fetch(source(site).stream("deals"), FetchRequest())


def test_another_refusal_is_no_missing_scope(site: Site) -> None:
    found = source(site, contact_stages=["6095a710bd01d100a506d4ae"])
    site.before = lambda request: json_answer({"error": "Parameters misconfigured"}, status=422)
    with pytest.raises(RefusedRequest, match="Parameters misconfigured"):
        found.fetch(found.stream("contacts"), FetchRequest())


def test_an_answer_that_does_not_count_its_pages_is_no_list(site: Site) -> None:
    site.before = lambda request: json_answer({"contacts": [], "pagination": {"page": 1}})
    with pytest.raises(SchemaError, match="does not count its pages"):
        source(site).fetch(source(site).stream("contacts"), FetchRequest())


def test_the_simulator_refuses_what_apollo_refuses(site: Site) -> None:
    found = source(site)
    session = found._sessions["contacts"]  # type: ignore[attr-defined]
    for asked in (
        {"per_page": 101},
        {"page": 501},
        {"page": 0},
        {"sort_by_field": "name"},
        {"since": "today"},
    ):
        with pytest.raises(RefusedRequest, match="422"):
            session.request("POST", f"{site.url}{PREFIX}/contacts/search", json_body=asked)


def test_a_limit_is_waited_for_as_told() -> None:
    clock = [float(NOW)]
    with serving(team(Rules(minute=2, hourly=600, daily=6_000), clock)) as site:
        found = source(site)
        contacts, deals = found.stream("contacts"), found.stream("deals")
        clock[0] += 10
        found.fetch(contacts, FetchRequest())
        clock[0] += 20
        found.fetch(contacts, FetchRequest())
        with pytest.raises(RateLimited, match="times per minute") as wait:
            found.fetch(contacts, FetchRequest())
        assert wait.value.retry_after == 40
        # Another endpoint has limits of its own.
        found.fetch(deals, FetchRequest())
        clock[0] += 40
        found.fetch(contacts, FetchRequest())


def test_each_endpoint_has_a_budget_that_keeps_to_the_hour(site: Site) -> None:
    policies: list[BudgetPolicy] = []
    heard: list[dict[str, Any]] = []

    class Spy:
        def take(self, cost: float = 1.0) -> None:
            """There is always enough."""

        def observe(self, **said: Any) -> None:
            heard.append(said)

    def budget(policy: BudgetPolicy) -> Spy:
        policies.append(policy)
        return Spy()

    found = source(site, budget=budget, calls_per_hour=600)
    found.fetch(found.stream("contacts"), FetchRequest())
    assert {one.name for one in policies} == {"contacts", "accounts", "deals"}
    assert len({one.account for one in policies}) == 1
    for one in policies:
        assert MASTER_KEY not in one.account
        assert one.burst + one.rate * 3_600 <= 600
        assert one.daily == 2_000
    assert heard[0]["available"] == 199
    assert heard[0]["daily_left"] == 5_999
    assert heard[0]["rate"] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("headers", "available", "daily_left"),
    [
        ({"x-minute-requests-left": "7", "x-hourly-requests-left": "3"}, 3, None),
        ({"x-minute-requests-left": "7", "x-hourly-requests-left": ""}, 7, None),
        ({"x-24-hour-requests-left": "12"}, None, 12),
    ],
)
def test_windows_without_a_limit_are_left_out(
    headers: dict[str, str], available: float | None, daily_left: int | None
) -> None:
    said = room.quota_said(headers)
    assert said is not None
    assert (said.available, said.daily_left) == (available, daily_left)
    assert room.quota_said({}) is None
