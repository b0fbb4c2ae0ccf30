"""The ways into a shop: letting an app in, tokens that end, refresh tokens that rotate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

import sandbox
from connectors import connect, exact_json
from connectors.auth.tokens import MemoryTokens
from connectors.base import Access, Connector, FetchRequest
from connectors.errors import AuthenticationError, ConfigError, MissingScope, NeedsReconnect, NotReady
from connectors.providers.shopify.tokens import signature
from sandbox.shopify_doors import SCOPES
from tests.connectors.shopify.shops import (
    APP,
    BACK,
    FEW,
    OWN,
    TOKEN,
    Clock,
    fetch,
    rows,
    sent_back,
    shop,
    world,
)

HOUR = 3_600


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Iterator[sandbox.SandboxClient]:
    with world(clock) as client:
        yield client


def connected(client: sandbox.SandboxClient, clock: Clock) -> MemoryTokens:
    """Return the token of an app that was let in just now."""
    with shop(client, clock, credentials=APP) as connector:
        authorization = connector.authorization()
        assert authorization is not None
        return MemoryTokens(authorization.exchange(sent_back(connector), verifier="", redirect_uri=BACK))


def test_an_app_that_is_let_in_gets_a_token_of_an_hour(client: sandbox.SandboxClient, clock: Clock) -> None:
    token = connected(client, clock).held()
    assert token is not None
    assert token.expires_at is not None
    assert (token.expires_at - clock.now()).total_seconds() == pytest.approx(HOUR, abs=30)
    assert set(token.scopes) == set(SCOPES)
    assert token.refresh


def test_a_token_is_renewed_before_its_end_and_its_refresh_token_rotates(
    client: sandbox.SandboxClient, clock: Clock
) -> None:
    tokens = connected(client, clock)
    first = tokens.held()
    clock.seconds += HOUR - 30
    with shop(client, clock, credentials=APP, tokens=tokens) as connector:
        assert fetch(connector, "locations").records
    second = tokens.held()
    assert first is not None
    assert second is not None
    assert first.access != second.access
    assert first.refresh != second.refresh
    assert client.requests()["by_status"].get("401", 0) == 0


def test_a_lost_refresh_is_made_good_by_the_token_before(client: sandbox.SandboxClient, clock: Clock) -> None:
    tokens = connected(client, clock)
    held = tokens.held()
    clock.seconds += HOUR
    with shop(client, clock, credentials=APP, tokens=tokens) as connector:
        fetch(connector, "locations")
    # The answer was lost: what we hold is one refresh token behind.
    with shop(client, clock, credentials=APP, tokens=MemoryTokens(held)) as connector:
        assert fetch(connector, "locations").records


def test_a_refresh_token_that_is_two_behind_needs_a_person(
    client: sandbox.SandboxClient, clock: Clock
) -> None:
    tokens = connected(client, clock)
    first = tokens.held()
    for _ in range(2):
        clock.seconds += HOUR
        with shop(client, clock, credentials=APP, tokens=tokens) as connector:
            fetch(connector, "locations")
    with (
        shop(client, clock, credentials=APP, tokens=MemoryTokens(first)) as connector,
        pytest.raises(NeedsReconnect, match="invalid_grant"),
    ):
        fetch(connector, "locations")


def test_a_source_that_was_never_connected_says_so(client: sandbox.SandboxClient, clock: Clock) -> None:
    with shop(client, clock, credentials=APP) as connector, pytest.raises(NeedsReconnect, match="Connect"):
        fetch(connector, "locations")


def test_client_credentials_are_minted_anew_after_a_day(client: sandbox.SandboxClient, clock: Clock) -> None:
    tokens = MemoryTokens()
    with shop(client, clock, credentials=OWN, tokens=tokens) as connector:
        assert len(rows(connector, "customers")) == 12
        first = tokens.held()
        clock.seconds += 25 * HOUR
        assert len(rows(connector, "customers")) == 12
    second = tokens.held()
    assert first is not None
    assert second is not None
    assert (first.access != second.access, second.refresh) == (True, "")


def test_who_is_sent_back_with_a_forged_signature_is_refused(
    client: sandbox.SandboxClient, clock: Clock
) -> None:
    with shop(client, clock, credentials=APP) as connector:
        answer = sent_back(connector)
        authorization = connector.authorization()
        assert authorization is not None
        with pytest.raises(AuthenticationError, match="not signed"):
            authorization.exchange({**answer, "code": "other"}, verifier="", redirect_uri=BACK)
        elsewhere = {**answer, "shop": "other.myshopify.com"}
        elsewhere["hmac"] = signature(elsewhere, APP["client_secret"])
        with pytest.raises(AuthenticationError, match="another shop"):
            authorization.exchange(elsewhere, verifier="", redirect_uri=BACK)


@pytest.mark.parametrize("api", ["graphql", "rest"])
def test_a_missing_scope_is_named(api: str, client: sandbox.SandboxClient, clock: Clock) -> None:
    with shop(client, clock, credentials=APP) as connector:
        authorization = connector.authorization()
        assert authorization is not None
        connector.authorization = lambda: replace(authorization, scopes=("read_orders",))  # type: ignore[method-assign]
        token = authorization.exchange(sent_back(connector), verifier="", redirect_uri=BACK)
    with shop(client, clock, credentials=APP, tokens=MemoryTokens(token), api=api) as connector:
        assert fetch(connector, "orders").records
        with pytest.raises(MissingScope) as refusal:
            fetch(connector, "customers")
        assert refusal.value.needed == ("read_customers",)
        found = {check.name: check for check in connector.probe(["orders", "customers"])}
        assert "Missing scope" in found["data: customers"].told
        assert found["data: orders"].is_ok


@pytest.mark.parametrize("api", ["graphql", "bulk", "rest"])
def test_older_orders_need_a_scope_of_their_own(
    api: str, client: sandbox.SandboxClient, clock: Clock
) -> None:
    config: dict[str, Any] = {"api": api, "bulk_poll_seconds": 0.05}
    with shop(client, clock, credentials=APP, tokens=connected(client, clock), **config) as connector:
        recent = _orders(connector)
    asked = {**config, "extra_scopes": ("read_all_orders",)}
    with shop(client, clock, credentials=APP, **asked) as connector:
        authorization = connector.authorization()
        assert authorization is not None
        token = authorization.exchange(sent_back(connector), verifier="", redirect_uri=BACK)
    with shop(client, clock, credentials=APP, tokens=MemoryTokens(token), **asked) as connector:
        every = _orders(connector)
    since = clock.now() - timedelta(days=60)
    assert recent.keys() == {number for number, created in every.items() if created >= since}
    assert 0 < len(recent) < len(every) == FEW["orders"]


def _orders(connector: Connector) -> dict[str, datetime]:
    """Return when each order was created."""
    found: dict[str, datetime] = {}
    cursor = None
    while True:
        try:
            page = fetch(connector, "orders", cursor=cursor)
        except NotReady:
            continue
        refine = connector.stream("orders").refine
        made = [refine(exact_json.loads(record.body)) for record in page.records if not record.problem]
        found |= {one.external_id: one.occurred_at for one in made if one.occurred_at}
        cursor = page.next_cursor
        if cursor is None:
            return found


def test_a_scope_to_write_holds_the_one_to_read(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/admin/oauth/access_token").respond_with_json(
        {"access_token": "shpat_x", "scope": "write_orders,read_products", "expires_in": 86399}
    )
    httpserver.expect_request("/admin/api/2026-10/graphql.json").respond_with_json(
        {"data": {"locations": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}}
    )
    tokens = MemoryTokens()
    connector = connect(
        "shopify",
        config={"shop": "a.myshopify.com", "base_url": httpserver.url_for("")},
        credentials=OWN,
        access=Access(private_hosts=frozenset({"localhost"}), tokens=tokens),
    )
    connector.fetch(connector.stream("locations"), FetchRequest())
    connector.close()
    held = tokens.held()
    assert held is not None
    assert held.scopes == ("write_orders", "read_products", "read_orders")
    form = httpserver.log[0][0].form.to_dict()
    assert form["grant_type"] == "client_credentials"
    assert httpserver.log[1][0].headers["X-Shopify-Access-Token"] == "shpat_x"


def test_an_app_and_a_token_are_told_apart() -> None:
    both = {name: value for name, value in APP.items() if name != "mode"}
    with pytest.raises(ConfigError, match="Say which"):
        connect("shopify", config={"shop": "a.myshopify.com"}, credentials=both, access=Access())
    for credentials in (TOKEN, APP, OWN):
        connect(
            "shopify", config={"shop": "a.myshopify.com"}, credentials=credentials, access=Access()
        ).close()


@pytest.mark.parametrize(("credentials", "streams"), [(TOKEN, "transactions"), (OWN, None), (APP, None)])
def test_new_apps_read_by_graphql_unless_told_otherwise(
    credentials: dict[str, str], streams: str | None
) -> None:
    connector = connect(
        "shopify", config={"shop": "a.myshopify.com"}, credentials=credentials, access=Access()
    )
    names = {stream.name for stream in connector.streams()}
    connector.close()
    assert ("transactions" in names) is (streams is not None)
