"""HubSpot: who asks, how often, and what refusals mean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pytest_httpserver import HTTPServer

from connectors import connect
from connectors.auth.tokens import MemoryTokens
from connectors.base import Access, Connector
from connectors.budgets import BudgetPolicy
from connectors.errors import (
    AuthenticationError,
    ConfigError,
    MissingScope,
    NeedsReconnect,
    RateLimited,
    TransientError,
)
from connectors.http import RefusedRequest
from connectors.providers.hubspot.api import quota_said
from connectors.providers.hubspot.settings import SCOPES
from sandbox.hubspot import ACCESS_SECONDS, CLIENT, PREFIX, PRIVATE_APP
from sandbox.hubspot_door import Rules
from sandbox.messages import Request
from tests.connectors.auth.conftest import NOON, Clock
from tests.connectors.hubspot.conftest import PLENTY, Account, error_of, fetch, read, refusal, serving

BACK = "http://testserver/admin/ingest/source/connected/"
ONLY_CONTACTS = "pat-na1-only-contacts"
LONG_AGO = NOON - timedelta(days=4_000)


@pytest.fixture
def hubspot(account: Account) -> Iterator[Connector]:
    connector = account.connector()
    yield connector
    connector.close()


# Private apps


def test_a_token_of_a_private_app_goes_with_every_call(account: Account, hubspot: Connector) -> None:
    for stream in ("deals", "owners", "deal_pipelines"):
        fetch(hubspot, stream)
    fetch(hubspot, "deals", window_start=LONG_AGO)
    assert {one.headers["authorization"] for one in account.requests} == {f"Bearer {PRIVATE_APP}"}


def test_a_wrong_token_is_an_authentication_error_without_the_token(account: Account) -> None:
    error = error_of(account.connector({"access_token": "pat-na1-canary"}), "contacts")
    assert isinstance(error, AuthenticationError)
    assert "canary" not in str(error)
    assert "Authentication credentials not found" in str(error)


def test_an_api_key_of_old_is_the_wrong_kind_of_key(account: Account) -> None:
    connector = account.connector({"access_token": "0e4f5ea2-1d3c-4b7e-9b0a-2f6c1d7e8f90"})
    first = next(iter(connector.probe()))
    assert not first.is_ok
    assert "Wrong kind of key" in first.told


def test_a_missing_scope_is_named_and_other_streams_go_on(clock: Clock) -> None:
    apps = {ONLY_CONTACTS: ("crm.objects.contacts.read",)}
    with serving(Account(clock, scale=0.1, rules=Rules(**PLENTY), private_apps=apps)) as account:
        connector = account.connector({"access_token": ONLY_CONTACTS})
        assert fetch(connector, "contacts").records
        for request in ({}, {"window_start": LONG_AGO}):
            error = error_of(connector, "deals", **request)
            assert isinstance(error, MissingScope)
            assert error.needed == ("crm.objects.deals.read",)
        checks = {check.name: check for check in connector.probe()}
        assert checks["data: contacts"].is_ok
        assert checks["data: owners"].told.startswith("Missing scope")
        assert "crm.objects.owners.read" in checks["data: owners"].told


# OAuth


def test_an_app_is_let_in_on_hubspots_page(account: Account) -> None:
    authorize = f"{account.url}{PREFIX}/oauth/authorize"
    secret = {"client_id": CLIENT.client_id, "client_secret": CLIENT.client_secret}
    tokens = MemoryTokens()
    connector = account.connector(secret, tokens=tokens, authorize_url=authorize)
    with pytest.raises(NeedsReconnect, match="not connected"):
        fetch(connector, "contacts")
    page = connector.authorization()
    assert page is not None
    address = page.page(state="s", verifier="v", redirect_uri=BACK)
    asked = dict(parse_qsl(urlsplit(address).query))
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT.client_id,
        "redirect_uri": BACK,
        "scope": " ".join(SCOPES),
        "state": "s",
    }
    sent_back = account.answer(
        Request(
            method="GET",
            path=f"{PREFIX}/oauth/authorize",
            query=asked,
            headers={},
            body=b"",
            origin=account.url,
            client="",
        )
    )
    answer = dict(parse_qsl(urlsplit(sent_back.headers["Location"]).query))
    token = page.exchange(answer, verifier="v", redirect_uri=BACK)
    assert (token.scopes, token.extra) == (SCOPES, {"hub_id": "62515"})
    connected = account.connector(secret, tokens=MemoryTokens(token), authorize_url=authorize)
    assert fetch(connected, "deals").records
    with pytest.raises(AuthenticationError, match="BAD_AUTH_CODE"):
        page.exchange(answer, verifier="v", redirect_uri=BACK)


@pytest.mark.parametrize("path", ["/oauth/v3/token", "/oauth/v1/token"])
def test_a_token_is_renewed_before_it_ends(path: str, account: Account, clock: Clock) -> None:
    connector = account.connector(account.oauth_credentials(), token_path=path)
    fetch(connector, "contacts")
    fetch(connector, "owners")
    assert account.portal.oauth.calls == {"refresh_token ok": 1}
    clock.seconds += ACCESS_SECONDS - 30
    fetch(connector, "contacts")
    assert account.portal.oauth.calls == {"refresh_token ok": 2}
    assert [check for check in connector.probe() if not check.is_ok] == []


def test_a_token_taken_back_is_renewed_once(account: Account) -> None:
    connector = account.connector(account.oauth_credentials())
    fetch(connector, "contacts")
    account.portal.oauth.end_access()
    assert fetch(connector, "contacts").records
    assert account.portal.oauth.calls == {"refresh_token ok": 2}


def test_an_app_that_was_removed_needs_a_person(account: Account) -> None:
    credentials = account.oauth_credentials()
    connector = account.connector(credentials)
    fetch(connector, "contacts")
    account.portal.oauth.revoke()
    error = error_of(connector, "contacts")
    assert isinstance(error, NeedsReconnect)
    assert "BAD_REFRESH_TOKEN" in str(error)
    assert not [secret for secret in credentials.values() if len(secret) > 25 and secret in str(error)]


def test_a_wrong_client_secret_is_not_a_reason_to_connect_again(account: Account) -> None:
    connector = account.connector({**account.oauth_credentials(), "client_secret": "wrong-secret"})
    error = error_of(connector, "contacts")
    assert isinstance(error, AuthenticationError)
    assert not isinstance(error, NeedsReconnect)


# Limits


class Bucket:
    """A budget that waits by winding the test's clock."""

    def __init__(self, policy: BudgetPolicy, clock: Clock) -> None:
        self.policy = policy
        self.heard: list[dict[str, Any]] = []
        self._clock = clock
        self._units, self._at = policy.burst, clock.seconds

    def take(self, cost: float = 1.0) -> None:
        self._fill()
        if self._units < cost:
            self._clock.seconds += (cost - self._units) / self.policy.rate
            self._fill()
        self._units -= cost

    def observe(self, **quota: Any) -> None:
        self.heard.append(quota)

    def _fill(self) -> None:
        grown = (self._clock.seconds - self._at) * self.policy.rate
        self._units, self._at = min(self.policy.burst, self._units + grown), self._clock.seconds


def test_our_own_pace_never_meets_the_limits(clock: Clock) -> None:
    rules = Rules(calls=100, searches_per_second=4)
    buckets: list[Bucket] = []

    def budget(policy: BudgetPolicy) -> Bucket:
        buckets.append(Bucket(policy, clock))
        return buckets[-1]

    with serving(Account(clock, scale=0.2, rules=rules)) as account:
        connector = account.connector(budget=budget)
        started = clock.seconds
        for _ in range(2):
            read(connector, "deals", page_size=2)
            read(connector, "contacts", page_size=5, window_start=LONG_AGO)
        taken = clock.seconds - started
        searches = [one for one in account.requests if one.path.endswith("/search")]
        calls = len(account.requests) - len(searches)
        assert account.portal.door.refused == {}
        # Nine tenths of both limits are used, one after the other.
        assert calls > 300
        assert taken < calls / (0.9 * 10.0) + len(searches) / (0.9 * 4.0) + 1
    assert {bucket.policy.name for bucket in buckets} == {"calls", "search"}


def test_what_the_headers_say_is_heard(clock: Clock) -> None:
    buckets: dict[str, Bucket] = {}

    def budget(policy: BudgetPolicy) -> Bucket:
        return buckets.setdefault(policy.name, Bucket(policy, clock))

    with serving(Account(clock, scale=0.1, rules=Rules())) as account:
        connector = account.connector(budget=budget, daily_calls=650_000)
        fetch(connector, "owners")
        fetch(connector, "contacts", window_start=LONG_AGO)
    assert buckets["calls"].policy.daily == 650_000
    assert buckets["calls"].heard == [
        {"available": 189.0, "limit": 190.0, "reset_after": None, "daily_left": 649_999, "rate": 17.1}
    ]
    assert buckets["search"].heard == []


def test_calls_by_oauth_have_no_day() -> None:
    said = quota_said({"X-HubSpot-RateLimit-Max": "110", "X-HubSpot-RateLimit-Remaining": "7"})
    assert said is not None
    assert (said.available, said.limit, said.daily_left) == (7.0, 110.0, None)
    assert said.rate == pytest.approx(9.9)
    assert quota_said({"X-HubSpot-RateLimit-Remaining": "many"}) is None
    assert quota_said({}) is None


@pytest.mark.parametrize(
    ("rules", "stream", "request_", "wait"),
    [
        ({"calls": 2}, "owners", {}, 10.0),
        ({"searches_per_second": 2}, "contacts", {"window_start": LONG_AGO}, 1.0),
        ({"daily": 2}, "owners", {}, 900.0),
    ],
)
def test_each_limit_says_how_long_to_wait(
    rules: dict[str, int], stream: str, request_: dict[str, Any], wait: float, clock: Clock
) -> None:
    with serving(Account(clock, scale=0.1, rules=Rules(**{**PLENTY, **rules}))) as account:
        connector = account.connector()
        fetch(connector, stream, **request_)
        fetch(connector, stream, **request_)
        error = error_of(connector, stream, **request_)
        assert isinstance(error, RateLimited)
        assert error.retry_after == wait
        clock.seconds += wait
        if "daily" not in rules:
            fetch(connector, stream, **request_)


def test_a_wait_that_is_named_counts(account: Account, hubspot: Connector) -> None:
    account.before = refusal({"policyName": "DAILY"}, 429, **{"Retry-After": "7"})
    error = error_of(hubspot, "owners")
    assert isinstance(error, RateLimited)
    assert error.retry_after == 7.0


# Other refusals


@pytest.mark.parametrize(("status", "wait"), [(423, 2.0), (477, 900.0), (502, None), (504, None)])
def test_what_passes_is_tried_again(status: int, wait: float | None, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/crm/v3/owners").respond_with_json({"message": "busy"}, status)
    connector = connect(
        "hubspot",
        config={"base_url": httpserver.url_for("/")},
        credentials={"access_token": PRIVATE_APP},
        access=Access(private_hosts=frozenset({"localhost"})),
    )
    error = error_of(connector, "owners")
    assert isinstance(error, TransientError)
    assert error.retry_after == wait


def test_what_hubspot_refuses_is_told_in_its_words(account: Account, hubspot: Connector) -> None:
    account.before = refusal(
        {"status": "error", "message": "Invalid input: limit", "category": "VALIDATION_ERROR"}, 400
    )
    for request in ({}, {"window_start": LONG_AGO}):
        error = error_of(hubspot, "contacts", **request)
        assert isinstance(error, RefusedRequest)
        assert "Invalid input: limit" in str(error)


@pytest.mark.parametrize(
    "config",
    [
        {"version": "v3/.."},
        {"version": "2026"},
        {"paths": {"objects": "crm"}},
        {"paths": {"objects": "https://evil.example"}},
        {"token_path": "//evil.example/token?x"},
        {"properties": {"quotes": ["title"]}},
        {"properties": {"deals": ["a,b"]}},
        {"currency": "euro"},
        {"calls_per_10_seconds": 0},
        {"searches_per_second": 0},
    ],
)
def test_a_config_that_is_none_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="hubspot config is not usable"):
        connect("hubspot", config=config, credentials={"access_token": "pat-x"}, access=Access())
