"""What providers say about their limits, and that a session tells the budget of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from requests.structures import CaseInsensitiveDict

from connectors.base import Access
from connectors.budgets import Quota, used_of_limit, usual_headers
from connectors.errors import RateLimited
from connectors.http import HttpSession


@dataclass
class Account:
    """A budget that writes down what happens to it."""

    taken: list[float] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    is_spent: bool = False

    def take(self, cost: float = 1.0) -> None:
        if self.is_spent:
            raise RateLimited("spent", retry_after=7)
        self.taken.append(cost)

    def observe(self, **quota: Any) -> None:
        self.told.append({name: value for name, value in quota.items() if value is not None})


@pytest.fixture
def account() -> Account:
    return Account()


def session(server: HTTPServer, account: Account, **how: Any) -> HttpSession:
    hosts = frozenset({f"{server.host}:{server.port}"})
    return HttpSession(connector="shop", access=Access(private_hosts=hosts), budget=account, **how)


def test_a_call_is_paid_for_before_it_is_made(httpserver: HTTPServer, account: Account) -> None:
    httpserver.expect_request("/").respond_with_data("{}")

    session(httpserver, account).request("GET", httpserver.url_for("/"), cost=35.5)

    assert account.taken == [35.5]


def test_without_units_nothing_is_asked(httpserver: HTTPServer, account: Account) -> None:
    account.is_spent = True

    with pytest.raises(RateLimited, match=r"shop: GET .*: spent") as refusal:
        session(httpserver, account).request("GET", httpserver.url_for("/"))

    assert refusal.value.retry_after == 7
    assert not httpserver.log


def test_the_budget_hears_what_the_headers_say(httpserver: HTTPServer, account: Account) -> None:
    headers = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "37", "X-RateLimit-Reset": "12"}
    httpserver.expect_request("/").respond_with_data("{}", headers=headers)

    session(httpserver, account).request("GET", httpserver.url_for("/"))

    assert account.told == [{"available": 37.0, "limit": 100.0, "reset_after": 12.0}]


@pytest.mark.parametrize(("headers", "wait"), [({"Retry-After": "2.5"}, 2.5), ({}, 1.0)])
def test_the_budget_hears_of_a_call_too_many(
    httpserver: HTTPServer, account: Account, headers: dict[str, str], wait: float
) -> None:
    httpserver.expect_request("/").respond_with_data("", status=429, headers=headers)

    with pytest.raises(RateLimited):
        session(httpserver, account).request("GET", httpserver.url_for("/"))

    assert account.told == [{"available": 0.0, "reset_after": wait}]


def test_a_room_reads_headers_of_its_own(httpserver: HTTPServer, account: Account) -> None:
    httpserver.expect_request("/").respond_with_data("{}", headers={"X-Calls": "32/40"})

    session(httpserver, account, quota=used_of_limit("X-Calls")).request("GET", httpserver.url_for("/"))

    assert account.told == [{"available": 8.0, "limit": 40.0}]


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        ({}, None),
        ({"X-RateLimit-Remaining": ""}, None),
        ({"X-RateLimit-Remaining": "nan"}, None),
        ({"x-ratelimit-remaining": "5"}, Quota(available=5)),
        ({"RateLimit-Remaining": "5", "RateLimit-Limit": "9"}, Quota(available=5, limit=9)),
        (
            {
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1772366430",
                "Date": "Sun, 01 Mar 2026 12:00:00 GMT",
            },
            Quota(available=0, reset_after=30),
        ),
        (
            {
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1772366430500",
                "Date": "Sun, 01 Mar 2026 12:00:00 GMT",
            },
            Quota(available=0, reset_after=30.5),
        ),
    ],
)
def test_usual_headers(headers: dict[str, str], quota: Quota | None) -> None:
    assert usual_headers(CaseInsensitiveDict(headers)) == quota


@pytest.mark.parametrize("text", ["", "32", "a/b", "32/", "-1/40"])
def test_what_is_no_use_of_a_limit(text: str) -> None:
    assert used_of_limit("X-Calls")({"X-Calls": text}) is None
