"""Who asks, how often, and what a refusal means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from pytest_httpserver import HTTPServer

from connectors import connect
from connectors.auth.tokens import MemoryTokens
from connectors.base import Access, Connector, FetchRequest
from connectors.budgets import BudgetPolicy
from connectors.errors import (
    AuthenticationError,
    ConfigError,
    ConnectorError,
    NeedsReconnect,
    RateLimited,
    RefusedRequest,
    TransientError,
)
from sandbox.quickbooks import REALM
from sandbox.quickbooks_oauth import FIRST_REFRESH, REDIRECT_URIS
from tests.connectors.quickbooks.conftest import SECRETS, Books, read

QUERY = "/v3/company/77/query"
TOKEN = "/oauth2/v1/tokens/bearer"


def test_a_token_is_renewed_before_it_ends(books: Books) -> None:
    with books.opened() as connector:
        read(connector, "departments")
        first = books.tokens.held()
        books.clock.pass_by(minutes=59, seconds=30)
        read(connector, "departments")
        second = books.tokens.held()
    assert first
    assert second
    assert first.access != second.access
    assert first.refresh == second.refresh == FIRST_REFRESH
    assert second.extra["x_refresh_token_hard_expires_in"] == "157680000"


def test_a_refresh_token_that_changed_is_kept_and_the_old_one_is_no_good(books: Books) -> None:
    with books.opened() as connector:
        read(connector, "departments")
        books.clock.pass_by(hours=25)
        read(connector, "departments")
        held = books.tokens.held()
        assert held
        assert held.refresh != FIRST_REFRESH
        books.clock.pass_by(hours=2)
        assert read(connector, "departments").ids
    with (
        books.opened(tokens=MemoryTokens()) as late,
        pytest.raises(NeedsReconnect, match="Incorrect or invalid refresh token") as caught,
    ):
        read(late, "departments")
    assert FIRST_REFRESH not in str(caught.value)


def test_a_hundred_and_one_days_without_use_end_a_refresh_token(books: Books) -> None:
    books.clock.pass_by(days=102)
    with books.opened() as connector, pytest.raises(NeedsReconnect):
        read(connector, "departments")


def test_a_wrong_client_secret_is_told_as_such(books: Books) -> None:
    connector = connect(
        "quickbooks",
        config={"realm_id": REALM, "base_url": f"{books.client.url}/quickbooks"},
        credentials={**SECRETS, "client_secret": "wrong-secret", "refresh_token": FIRST_REFRESH},
        access=Access(private_hosts=frozenset({books.client.url.removeprefix("http://")})),
    )
    with pytest.raises(AuthenticationError, match="invalid_client") as caught:
        read(connector, "bills")
    assert not isinstance(caught.value, NeedsReconnect)
    assert "wrong-secret" not in str(caught.value)
    connector.close()


def test_another_company_is_refused_with_what_to_do(books: Books) -> None:
    with (
        books.opened(realm_id="4620816365") as connector,
        pytest.raises(AuthenticationError, match="check realm_id"),
    ):
        read(connector, "bills")


def test_one_call_too_many_waits_a_minute(strict: Books) -> None:
    with strict.opened() as connector:
        page = FetchRequest(page_size=1)
        for _ in range(10):
            connector.fetch(connector.stream("bills"), page)
        with pytest.raises(RateLimited, match="ThrottleExceeded") as caught:
            connector.fetch(connector.stream("bills"), page)
        assert caught.value.retry_after == 60
        strict.clock.pass_by(seconds=2)
        assert connector.fetch(connector.stream("bills"), page).records


class Account:
    """A budget that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[Mapping[str, Any]] = []
        self.taken = 0.0

    def take(self, cost: float = 1.0) -> None:
        self.taken += cost

    def observe(self, **quota: Any) -> None:
        self.heard.append(quota)


def test_the_shared_budget_hears_of_the_minute(httpserver: HTTPServer) -> None:
    httpserver.expect_request(TOKEN).respond_with_json({"access_token": "eyJ-1", "expires_in": 3600})
    httpserver.expect_request(QUERY).respond_with_json(throttled(), 403)
    account = Account()
    policies: list[BudgetPolicy] = []

    def opened(policy: BudgetPolicy) -> Account:
        policies.append(policy)
        return account

    connector = connect(
        "quickbooks",
        config={"realm_id": "77", "base_url": httpserver.url_for("/"), "requests_per_second": 5, "burst": 3},
        credentials={**SECRETS, "refresh_token": "AB11-first"},
        access=Access(private_hosts=frozenset({"localhost"}), budget=opened),
    )
    with pytest.raises(RateLimited):
        read(connector, "bills")
    connector.close()
    [policy] = policies
    assert (policy.rate, policy.burst) == (5, 3)
    assert account.taken == 1
    assert account.heard[-1] == {"available": 0.0, "reset_after": 60.0}


def throttled() -> dict[str, Any]:
    error = {"Message": "message=ThrottleExceeded; errorCode=003001; statusCode=403", "code": "3001"}
    return {"Fault": {"Error": [error], "type": "SERVICE"}}


def gateway(code: str, what: str) -> dict[str, Any]:
    error = {"message": f"message={what}; errorCode=00{code}; statusCode=401", "detail": None, "code": code}
    return {"warnings": None, "fault": {"error": [error], "type": "AUTHENTICATION"}, "time": 1633520295688}


def data_fault(code: str, kind: str = "ValidationFault") -> dict[str, Any]:
    return {"Fault": {"Error": [{"Message": "No", "Detail": "not so", "code": code}], "type": kind}}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, data_fault("4001"), RefusedRequest),
        (200, data_fault("10000", "SystemFault"), TransientError),
        (200, data_fault("610"), RefusedRequest),
        (200, throttled(), RateLimited),
        (200, {"Fault": {"Error": [], "type": "SystemFault"}}, TransientError),
        (200, {"fault": {"type": "AUTHENTICATION"}}, NeedsReconnect),
        (200, gateway("3200", "AuthenticationFailed"), NeedsReconnect),
        (400, data_fault("4000"), RefusedRequest),
        (403, throttled(), RateLimited),
        (403, gateway("3100", "ApplicationAuthorizationFailed"), AuthenticationError),
        (401, gateway("3200", "AuthenticationFailed"), NeedsReconnect),
        (429, {}, RateLimited),
        (500, data_fault("10000", "SystemFault"), TransientError),
        (404, {"nothing": "known"}, RefusedRequest),
    ],
)
def test_a_fault_is_named_by_what_happens_next(
    scripted: Connector,
    httpserver: HTTPServer,
    status: int,
    body: dict[str, Any],
    error: type[ConnectorError],
) -> None:
    httpserver.expect_request(QUERY).respond_with_json(body, status)
    with pytest.raises(error) as caught:
        read(scripted, "bills")
    assert type(caught.value) is error
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == 60


def test_a_token_that_a_fault_repeats_is_not_told(scripted: Connector, httpserver: HTTPServer) -> None:
    body = gateway("3200", "AuthenticationFailed")
    body["fault"]["error"][0]["detail"] = "Token expired: eyJ-canary"
    httpserver.expect_request(QUERY).respond_with_json(body)
    with pytest.raises(NeedsReconnect, match=r"Token expired: \[secret\]"):
        read(scripted, "bills")


def test_a_refused_token_is_renewed_once_and_the_call_repeated(
    scripted: Connector, httpserver: HTTPServer
) -> None:
    httpserver.expect_oneshot_request(QUERY).respond_with_json(gateway("3200", "AuthenticationFailed"))
    httpserver.expect_request(QUERY).respond_with_json({"QueryResponse": {}})
    read(scripted, "bills")
    paths = [request.path for request, _ in httpserver.log]
    assert paths.count(TOKEN) == 2


def test_a_note_about_a_fault_is_no_fault(scripted: Connector, httpserver: HTTPServer) -> None:
    row = {"Id": "1", "PrivateNote": '"Fault"', "MetaData": {"LastUpdatedTime": "2026-03-01T00:00:00Z"}}
    httpserver.expect_request(QUERY).respond_with_data(
        json.dumps({"QueryResponse": {"Bill": [row]}}), content_type="application/json"
    )
    assert read(scripted, "bills").ids == ["1"]


# A person lets us in


def connected(books: Books, **config: Any) -> Connector:
    return connect(
        "quickbooks",
        config={"base_url": f"{books.client.url}/quickbooks", **config},
        credentials=SECRETS,
        access=Access(
            private_hosts=frozenset({books.client.url.removeprefix("http://")}),
            clock=books.clock.now,
            tokens=books.tokens,
        ),
    )


def sent_back(connector: Connector) -> dict[str, str]:
    way = connector.authorization()
    assert way is not None
    page = way.page(state="s1", verifier="v" * 50, redirect_uri=REDIRECT_URIS[0])
    with requests.Session() as http:
        http.trust_env = False
        answer = http.get(page, allow_redirects=False, timeout=5)
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def test_a_person_lets_us_into_the_company_they_choose(books: Books) -> None:
    connector = connected(books)
    answer = sent_back(connector)
    assert (answer["realmId"], answer["state"]) == (REALM, "s1")
    way = connector.authorization()
    assert way is not None
    token = way.exchange(answer, verifier="v" * 50, redirect_uri=REDIRECT_URIS[0])
    books.tokens.renew(None, lambda _: token)
    assert read(connector, "departments").ids
    books.clock.pass_by(hours=2)
    assert read(connector, "departments").ids
    held = books.tokens.held()
    assert held
    assert held.extra["realm_id"] == REALM
    connector.close()


@pytest.mark.parametrize("realm", ["", "../7", "12a"])
def test_a_company_id_that_is_none_is_refused(books: Books, realm: str) -> None:
    connector = connected(books)
    way = connector.authorization()
    assert way is not None
    with pytest.raises(AuthenticationError, match="company id"):
        way.exchange({"code": "c0de", "realmId": realm}, verifier="v", redirect_uri=REDIRECT_URIS[0])
    connector.close()


def test_another_company_than_the_one_in_the_settings_is_refused(books: Books) -> None:
    connector = connected(books, realm_id="4620816365")
    way = connector.authorization()
    assert way is not None
    with pytest.raises(AuthenticationError, match="choose that one"):
        way.exchange(sent_back(connector), verifier="v", redirect_uri=REDIRECT_URIS[0])
    connector.close()


def test_before_anybody_connected_it_says_so(books: Books) -> None:
    connector = connected(books)
    with pytest.raises(NeedsReconnect, match="not connected yet"):
        read(connector, "bills")
    connector.close()


def test_a_token_without_a_company_says_what_to_give(books: Books) -> None:
    with books.opened(realm_id="") as connector, pytest.raises(ConfigError, match="realm_id"):
        read(connector, "bills")


def test_an_access_token_in_place_of_a_refresh_token_is_doubted() -> None:
    connector = connect(
        "quickbooks",
        config={"realm_id": REALM},
        credentials={**SECRETS, "refresh_token": "eyJabc"},
        access=Access(),
    )
    assert "Wrong kind of key" in connector.credentials.doubt()
    connector.close()


@pytest.mark.parametrize(
    "config",
    [
        {"realm_id": "12 34"},
        {"realm_id": "../x"},
        {"minor_version": 40},
        {"environment": "test"},
        {"requests_per_second": 0},
        {"colour": "red"},
    ],
)
def test_a_config_that_is_none_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="quickbooks config is not usable"):
        connect("quickbooks", config=config, credentials=SECRETS, access=Access())


def test_testing_the_connection_tells_each_step(books: Books) -> None:
    with books.opened() as connector:
        checks = list(connector.probe(["bills", "items"]))
    assert [check.name for check in checks] == [
        "credentials",
        "stored token",
        "fresh token",
        "scopes",
        "data: items",
        "data: bills",
    ]
    assert all(check.is_ok for check in checks)
    assert max(check.seconds for check in checks) < timedelta(seconds=30).total_seconds()
