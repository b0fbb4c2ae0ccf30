"""A Mariana Tek source against the pretended brand: ways in, tests of the connection, whole passes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

import sandbox
from connectors import exact_json
from connectors.auth.tokens import MemoryTokens
from connectors.base import Connector, FetchRequest
from connectors.budgets import Budget, BudgetPolicy
from connectors.errors import AuthenticationError, ConfigError, MissingScope, NeedsReconnect, RateLimited
from connectors.kinds import Order, OrderLine, Reservation
from sandbox import SandboxClient
from sandbox.mariana_tek_api import (
    API_KEY,
    CONFIDENTIAL,
    LIMITED_KEY,
    PASSWORD,
    PREFIX,
    PUBLIC,
    SECRET,
    USERNAME,
)
from tests.connectors.mariana_tek.conftest import at_sandbox, source

NOW = 1_790_000_000
BACK = "https://sync.example/back"
CLIENT = {"client_id": CONFIDENTIAL.client_id, "client_secret": SECRET}
BY_PASSWORD = {"mode": "password", "username": USERNAME, "password": PASSWORD, **CLIENT}


@pytest.fixture(scope="module")
def world() -> Iterator[SandboxClient]:
    with sandbox.running(now=NOW, scale=0.1) as client:
        yield client


def first(connector: Connector, name: str = "users", **request: Any) -> Any:
    return connector.fetch(connector.stream(name), FetchRequest(**request))


def read(connector: Connector, name: str, **request: Any) -> list[Any]:
    found: list[Any] = []
    stream, cursor = connector.stream(name), None
    while True:
        page = connector.fetch(stream, FetchRequest(cursor=cursor, page_size=40, **request))
        found += [stream.refine(exact_json.loads(record.body)) for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            return found


# Ways in


@pytest.mark.parametrize("credentials", [{"api_key": API_KEY}, BY_PASSWORD])
def test_a_key_and_a_password_open_the_lists(credentials: dict[str, Any], world: SandboxClient) -> None:
    with at_sandbox(world, credentials=credentials) as connector:
        assert first(connector).records


def test_a_refresh_token_is_replaced_with_each_use(world: SandboxClient) -> None:
    refresh = consented(world, PUBLIC.client_id)
    tokens = MemoryTokens()
    credentials = {"mode": "refresh_token", "refresh_token": refresh, "client_id": PUBLIC.client_id}
    with at_sandbox(world, credentials=credentials, tokens=tokens) as connector:
        assert first(connector).records
        held = tokens.held()
        assert held is not None
        assert held.refresh != refresh
        [renewed] = [check for check in connector.probe(["users"]) if check.name == "fresh token"]
    assert renewed.is_ok, renewed.told
    # Elsewhere the first one is used up, and its use takes back all that came of it.
    with (
        at_sandbox(world, credentials=credentials) as another,
        pytest.raises(NeedsReconnect, match="no longer good"),
    ):
        first(another)


def consented(world: SandboxClient, client_id: str) -> str:
    """Return the refresh token of somebody who consented elsewhere."""
    with at_sandbox(world, credentials={"mode": "authorization_code", "client_id": client_id}) as connector:
        way = connector.authorization()
        assert way is not None
        return way.exchange(answered(way, "v" * 50), verifier="v" * 50, redirect_uri=BACK).refresh


def answered(way: Any, verifier: str) -> dict[str, str]:
    page = way.page(state="s1", verifier=verifier, redirect_uri=BACK)
    answer = requests.get(page, allow_redirects=False, timeout=10)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def test_a_person_lets_us_in_by_the_connect_button(world: SandboxClient) -> None:
    tokens = MemoryTokens()
    credentials = {"mode": "authorization_code", **CLIENT}
    with at_sandbox(world, credentials=credentials, tokens=tokens) as connector:
        way = connector.authorization()
        assert way is not None
        answer = answered(way, "w" * 50)
        assert answer["state"] == "s1"
        token = way.exchange(answer, verifier="w" * 50, redirect_uri=BACK)
        tokens.renew(None, lambda _: token)
        assert first(connector).records
    assert token.scopes == ("read:account",)
    assert (token.expires_at - token.received_at).days == 7  # type: ignore[operator]


def test_a_source_nobody_connected_says_so(world: SandboxClient) -> None:
    with (
        at_sandbox(world, credentials={"mode": "authorization_code", **CLIENT}) as connector,
        pytest.raises(NeedsReconnect, match="press Connect"),
    ):
        first(connector)


def test_other_ways_in_have_no_page(world: SandboxClient) -> None:
    with at_sandbox(world, credentials=BY_PASSWORD) as connector:
        assert connector.authorization() is None


@pytest.mark.parametrize(
    ("credentials", "error"),
    [
        ({"api_key": "not-the-key"}, AuthenticationError),
        ({**BY_PASSWORD, "password": "not-the-password"}, NeedsReconnect),
        ({**BY_PASSWORD, "client_secret": "not-the-secret"}, AuthenticationError),
    ],
)
def test_what_opens_nothing_is_told(
    credentials: dict[str, Any], error: type[Exception], world: SandboxClient
) -> None:
    with at_sandbox(world, credentials=credentials) as connector, pytest.raises(error) as refusal:
        first(connector)
    assert "not-the" not in str(refusal.value)


def test_a_key_with_the_word_bearer_is_doubted(world: SandboxClient) -> None:
    with at_sandbox(world, credentials={"api_key": f"Bearer {API_KEY}"}) as connector:
        check = next(iter(connector.probe()))
    assert not check.is_ok
    assert "begins with the word Bearer" in check.told


# Testing the connection


def test_a_test_tells_which_filters_this_tenant_honours(world: SandboxClient) -> None:
    with at_sandbox(world, credentials=BY_PASSWORD) as connector:
        told = {check.name: check.told for check in connector.probe()}
    assert told["data: users"] == "answered, with records"
    assert told["filter: users"] == "what changed can be asked for: runs read that only"
    assert told["filter: class_sessions"] == "what changed cannot be asked for: each run reads all of it"
    assert "from the newest id back" in told["filter: order_lines"]
    assert "filter: locations" not in told


def test_a_user_without_a_permission_keeps_the_other_streams(world: SandboxClient) -> None:
    with at_sandbox(world, credentials={"api_key": LIMITED_KEY}) as connector:
        checks = {check.name: check for check in connector.probe()}
        with pytest.raises(MissingScope, match="permission to see users"):
            first(connector)
    assert checks["data: users"].told.startswith("Missing scope: ")
    assert checks["data: reservations"].is_ok


# Whole passes


def test_records_fit_together_across_streams(world: SandboxClient) -> None:
    with at_sandbox(world) as connector:
        orders: list[Order] = read(connector, "orders")
        lines: list[OrderLine] = read(connector, "order_lines")
        reservations: list[Reservation] = read(connector, "reservations")
        known = {
            name: {one.external_id for one in read(connector, name)}
            for name in ("users", "class_sessions", "memberships", "locations")
        }
    for order in orders:
        own = [line for line in lines if line.order_external_id == order.external_id]
        assert sum(line.total_amount or 0 for line in own) == order.subtotal_amount
    buyers = {one.customer_external_id for one in orders}
    assert buyers | {one.customer_external_id for one in reservations} <= known["users"]
    assert {one.class_session_external_id for one in reservations} <= known["class_sessions"]
    assert {one.membership_external_id for one in reservations} <= known["memberships"]
    assert {one.location_external_id for one in orders} <= known["locations"]


def test_lines_are_the_same_by_either_way(world: SandboxClient) -> None:
    with at_sandbox(world) as connector:
        listed = {line.external_id: line for line in read(connector, "order_lines")}
    with at_sandbox(world, order_lines="orders") as connector:
        taken = {line.external_id: line for line in read(connector, "order_lines")}
    assert taken.keys() == listed.keys()
    for line_id, line in taken.items():
        other = listed[line_id]
        assert (line.order_external_id, line.total_amount) == (other.order_external_id, other.total_amount)
        assert (line.title, line.quantity or 1) == (other.title, other.quantity)


def test_a_second_run_reads_what_changed(world: SandboxClient) -> None:
    with sandbox.running(now=NOW, clock=lambda: NOW + 3_600, scale=0.1) as other, at_sandbox(other) as source:
        state = {"began": "2026-09-21T13:00:00+00:00", "top": 1}
        other.change("mariana_tek.users", share=0.1)
        changed = read(source, "users", stream_state=state)
        everything = read(source, "users")
    assert 0 < len(changed) < len(everything)


# Limits


class Spent:
    """A budget that counts, and has only so much."""

    def __init__(self, most: int) -> None:
        self.policy: BudgetPolicy | None = None
        self.left = most

    def __call__(self, policy: BudgetPolicy) -> Budget:
        self.policy = policy
        return self

    def take(self, cost: float = 1.0) -> None:
        if self.left < cost:
            raise RateLimited("budget spent", retry_after=1.0)
        self.left -= int(cost)

    def observe(self, **_: Any) -> None:
        """Nothing is learnt."""


def test_every_call_is_paid_for(world: SandboxClient) -> None:
    with at_sandbox(world) as connector:
        access, config = connector.access, connector.config
    spent = Spent(most=2)
    paying = type(connector)(
        config=config, credentials=connector.credentials, access=_with_budget(access, spent)
    )
    first(paying)
    first(paying)
    with pytest.raises(RateLimited):
        first(paying)
    paying.close()
    assert spent.policy is not None
    assert (spent.policy.name, spent.policy.rate, spent.policy.burst) == ("api", 5.0, 10.0)


def _with_budget(access: Any, budget: Any) -> Any:
    return type(access)(private_hosts=access.private_hosts, budget=budget)


def test_a_tenant_that_is_asked_too_much_says_how_long_to_wait() -> None:
    with (
        sandbox.running(now=NOW, clock=lambda: NOW, scale=0.01, leak_rate=0.5) as strict,
        at_sandbox(strict) as connector,
    ):
        for _ in range(40):
            first(connector, "locations")
        with pytest.raises(RateLimited) as throttled:
            first(connector, "locations")
    assert throttled.value.retry_after == 2


@pytest.mark.parametrize("brand", ["", "my studio", "studio.example.com", "UPPER", "a.sandbox.b"])
def test_a_brand_that_is_none_is_told(brand: str) -> None:
    with (
        pytest.raises(ConfigError, match=r"before \.marianatek\.com"),
        source("http://127.0.0.1:9", brand=brand),
    ):
        pass


def test_a_sandbox_is_a_brand(world: SandboxClient) -> None:
    with source(f"{world.url}{PREFIX}", brand="my-studio.sandbox") as connector:
        assert connector.config.brand == "my-studio.sandbox"
