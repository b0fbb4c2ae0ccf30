"""Who may ask, and what refusals mean."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer

from connectors import connect
from connectors.base import Access, Connector, FetchRequest, Json
from connectors.errors import AuthenticationError, ConfigError, MissingScope, RateLimited, TransientError
from connectors.http import RefusedRequest
from connectors.providers.stripe.calls import without_client_secrets
from sandbox import SandboxClient, running
from sandbox.stripe_money import CLIENT_SECRET
from tests.connectors.stripe.conftest import KEY, NOW, Clock, Opened, read

RESTRICTED = "rk_test_sandbox_customers"


def first(connector: Connector, name: str = "customers") -> Any:
    return connector.fetch(connector.stream(name), FetchRequest(page_size=1))


def test_a_wrong_key_is_told_as_such_and_does_not_show(opened: Opened) -> None:
    with pytest.raises(AuthenticationError) as refusal:
        first(opened(key="sk_test_of_somebody_else"))
    assert "sk_test_of_somebody_else" not in str(refusal.value)


def test_a_publishable_key_is_the_wrong_kind(opened: Opened) -> None:
    connector = opened(key="pk_test_sandbox")
    with pytest.raises(AuthenticationError, match="publishable"):
        first(connector)
    checks = list(connector.probe(["customers"]))
    assert [check.is_ok for check in checks] == [False, False]
    assert "Wrong kind of key" in checks[0].told


@pytest.mark.parametrize(
    ("key", "told"), [("whsec_1", "webhooks"), ("shpat_1", "does not look like"), ("rk_live_1", "")]
)
def test_a_key_is_looked_at_before_it_is_used(key: str, told: str, opened: Opened) -> None:
    doubt = opened(key=key).credentials.doubt()
    assert told in doubt
    assert bool(doubt) is bool(told)


def test_a_restricted_key_names_the_permission_it_lacks(opened: Opened) -> None:
    connector = opened(key=RESTRICTED)
    assert first(connector).records
    with pytest.raises(MissingScope, match="restricted key") as refusal:
        first(connector, "charges")
    assert refusal.value.needed == ("rak_charge_read",)
    checks = {check.name: check for check in connector.probe(["charges", "customers"])}
    assert not checks["data: charges"].is_ok
    assert checks["data: charges"].told.startswith("Missing scope")
    assert checks["data: customers"].is_ok


@pytest.mark.parametrize(
    "name", ["products", "prices", "invoices", "invoice_lines", "charges", "balance_transactions"]
)
def test_permissions_needed_are_those_that_refusals_name(name: str, opened: Opened) -> None:
    connector = opened(key=RESTRICTED)
    with pytest.raises(MissingScope) as refusal:
        first(connector, name)
    assert set(refusal.value.needed) <= set(connector.stream(name).scopes)


def intents(opened: Opened, state: Json | None = None) -> list[bytes]:
    return [record.body for record in read(opened(), "payment_intents", state).records]


def test_secrets_with_which_to_pay_are_not_let_in(opened: Opened, world: SandboxClient, clock: Clock) -> None:
    # Stripe shows them to whoever reads payment intents: in its lists, in its events, in broken records.
    url = f"{world.url}/stripe/v1/payment_intents?limit=1"
    shown = requests.get(url, auth=(KEY, ""), timeout=10).json()["data"][0]
    assert shown["client_secret"] == CLIENT_SECRET

    state = read(opened(), "payment_intents").state
    listed = intents(opened)
    clock.wind(600)
    world.change("stripe.payment_intents", share=0.2, spoil=9)
    clock.wind(600)
    told = [*intents(opened, state), *intents(opened)]
    assert len(listed) > len(told) - len(listed) > 9
    for body in (*listed, *told):
        assert CLIENT_SECRET.encode() not in body
        assert b"[secret]" in body


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (
            rb'{"client_secret" : "pi_1_secret_\"quoted\"", "id": "pi_1"}',
            rb'{"client_secret" : "[secret]", "id": "pi_1"}',
        ),
        (
            rb'{"confirmation_secret":{"client_secret":"a","type":"b"}}',
            rb'{"confirmation_secret":{"client_secret":"[secret]","type":"b"}}',
        ),
        (
            rb'{"client_secret":null,"note":"client_secret"}',
            rb'{"client_secret":null,"note":"client_secret"}',
        ),
        (rb'{"note":"\"client_secret\":\"said\""}', rb'{"note":"\"client_secret\":\"said\""}'),
    ],
)
def test_nothing_but_the_secret_is_changed(sent: bytes, kept: bytes) -> None:
    assert without_client_secrets(sent) == kept


def test_a_connected_account_is_named_with_every_call(opened: Opened) -> None:
    assert first(opened(account="acct_sandbox")).records
    with pytest.raises(AuthenticationError, match="acct_other"):
        first(opened(account="acct_other"))


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"account": "cus_1"}, "acct_"),
        ({"api_version": "latest"}, "2026-06-24.dahlia"),
        ({"calls_per_second": 0}, "calls_per_second"),
        ({"reports": {"customers": {"report_type": "balance.summary.1", "key": ["category"]}}}, "customers"),
        (
            {"reports": {"balance": {"report_type": "balance summary", "key": ["category"]}}},
            "balance.summary.1",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(config: dict[str, Any], told: str, opened: Opened) -> None:
    with pytest.raises(ConfigError, match=told):
        opened(**config)


def test_more_calls_than_allowed_are_told_to_wait(clock: Clock) -> None:
    with running(now=NOW, clock=clock, scale=0.1, leak_rate=4.0, customers=1, products=1, orders=1) as world:
        connector = connect(
            "stripe",
            config={"base_url": f"{world.url}/stripe"},
            credentials={"secret_key": "sk_test_sandbox"},
            access=Access(private_hosts=frozenset({world.url.removeprefix("http://")}), clock=clock.moment),
        )
        for _ in range(2):  # a list from its beginning is two calls
            first(connector)
        with pytest.raises(RateLimited):
            first(connector)
        clock.wind(1)
        assert first(connector).records
        connector.close()


def scripted(httpserver: HTTPServer) -> Connector:
    return connect(
        "stripe",
        config={"base_url": httpserver.url_for("").rstrip("/")},
        credentials={"secret_key": "sk_test_sandbox"},
        access=Access(private_hosts=frozenset({f"{httpserver.host}:{httpserver.port}"})),
    )


def refused(httpserver: HTTPServer, status: int, **error: Any) -> None:
    httpserver.expect_request("/v1/events").respond_with_json({"error": error}, status=status)


@pytest.mark.parametrize(
    ("status", "code", "meant"),
    [
        (409, "idempotency_key_in_use", TransientError),
        (429, "lock_timeout", RateLimited),
        (400, "lock_timeout", TransientError),
        (402, "card_declined", RefusedRequest),
        (400, "parameter_unknown", RefusedRequest),
        (403, "", MissingScope),
        (500, "", TransientError),
    ],
)
def test_refusals_are_named_by_what_happens_next(
    status: int, code: str, meant: type[Exception], httpserver: HTTPServer
) -> None:
    refused(httpserver, status, type="invalid_request_error", code=code, message="No.")
    with pytest.raises(meant):
        first(scripted(httpserver))


def test_every_call_says_which_version_it_means(httpserver: HTTPServer) -> None:
    refused(httpserver, 400, type="invalid_request_error", message="No.")
    with pytest.raises(RefusedRequest):
        first(scripted(httpserver))
    headers = httpserver.log[-1][0].headers
    assert headers["Stripe-Version"] == "2026-06-24.dahlia"
    assert headers["Authorization"] == "Bearer sk_test_sandbox"
    assert "Stripe-Account" not in headers
