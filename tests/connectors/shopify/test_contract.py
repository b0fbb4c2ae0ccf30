"""The contract of every room, kept by GraphQL and by bulk operations, too, as an app of the shop's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

import sandbox
from sandbox.shopify_doors import CLIENT_ID, CLIENT_SECRET
from sandbox.simulators import Offer, all_simulators
from tests.connectors.contract import test_contract as contract
from tests.connectors.contract import test_streams as streams
from tests.connectors.contract.conftest import FEW
from tests.connectors.contract.rooms import room

APP = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "mode": "client_credentials"}
BAD = {**APP, "client_secret": "shpss_wrong"}
NAMES = (
    "customers",
    "products",
    "orders",
    "inventory_items",
    "inventory_levels",
    "locations",
    "payouts",
    "balance_transactions",
    "disputes",
)
EXPORTED = ("customers", "products", "orders", "inventory_items")

each_stream = pytest.mark.parametrize(
    ("api", "stream"),
    [*(("graphql", name) for name in NAMES), *(("bulk", name) for name in EXPORTED)],
)


@pytest.fixture(scope="module")
def outside() -> Iterator[sandbox.SandboxClient]:
    with sandbox.running(seed=11, scale=0.1, **FEW) as client:
        yield client


@pytest.fixture
def api() -> str:
    return "graphql"


@pytest.fixture(autouse=True)
def _offered(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = all_simulators()
    usual = found["shopify"]

    def offer(url: str) -> Offer:
        given = usual.offer(url)
        config = {**given.config, "api": api, "bulk_poll_seconds": 0.1}
        return replace(given, config=config, credentials=APP, bad_credentials=BAD)

    monkeypatch.setitem(found, "shopify", replace(usual, offer=offer))


def test_bad_credentials_are_a_config_error(outside: sandbox.SandboxClient) -> None:
    contract.test_bad_credentials_are_a_config_error("shopify", outside)


@pytest.mark.parametrize("api", ["graphql", "bulk"])
def test_testing_the_connection_finds_it_good(outside: sandbox.SandboxClient) -> None:
    contract.test_testing_the_connection_finds_it_good("shopify", outside)


def test_the_streams_are_those_tested_here(outside: sandbox.SandboxClient) -> None:
    with room("shopify", outside.url) as connector:
        assert tuple(stream.name for stream in connector.streams()) == NAMES


@each_stream
@pytest.mark.parametrize(
    "check",
    [
        streams.test_a_stream_has_records_with_ids_of_their_own,
        streams.test_every_record_refines,
        streams.test_refining_keeps_the_id_and_the_time,
        streams.test_two_full_passes_give_identical_rows,
        streams.test_an_interrupted_pass_resumes_equal,
        streams.test_no_cursor_comes_twice,
        streams.test_a_window_leaves_nothing_out,
        streams.test_a_page_may_be_asked_to_hold_more_than_the_provider_gives,
    ],
    ids=lambda check: str(check.__name__).removeprefix("test_"),
)
def test_the_contract_is_kept(check: object, stream: str, outside: sandbox.SandboxClient) -> None:
    assert callable(check)
    check("shopify", stream, outside)


@each_stream
def test_no_secret_is_in_any_log_or_error(
    stream: str, outside: sandbox.SandboxClient, caplog: pytest.LogCaptureFixture
) -> None:
    contract.test_no_secret_is_in_any_log_or_error("shopify", stream, outside, caplog)
