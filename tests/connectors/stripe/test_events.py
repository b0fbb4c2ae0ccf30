"""What changed since the last run, heard from events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import asdict
from pytest_httpserver import HTTPServer

from connectors import connect, exact_json
from connectors.base import Access, Connector, FetchRequest
from connectors.errors import SchemaError
from sandbox import SandboxClient
from tests.connectors.stripe.conftest import DAY, KEY, Clock, Opened, Run, read

MUTABLE = (
    "customers", "products", "prices", "subscriptions", "invoices", "payment_intents", "charges", "refunds",
    "disputes", "payouts",
)  # fmt: skip


def newest(run: Run) -> dict[str, bytes]:
    """Return the newest body of each object, as the refined rows would have it."""
    ordered = sorted(run.records, key=lambda one: one.updated_at or datetime.min.replace(tzinfo=UTC))
    return {one.external_id: one.body for one in ordered}


@pytest.mark.parametrize("name", MUTABLE)
def test_a_run_reads_what_changed_since_the_one_before_and_nothing_else(
    name: str, opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    connector = opened()
    first = read(connector, name)
    clock.wind(600)
    world.change(f"stripe.{name}", share=0.2, insert=2)
    done = world.ledger(f"stripe.{name}", full=True)["expected"]["newest"]
    again = read(connector, name, first.state, page_size=7)
    assert 2 < len(again.ids) < len(first.ids)
    assert {**newest(first), **newest(again)}.keys() == done.keys()
    whole = newest(read(connector, name))
    assert {**newest(first), **newest(again)} == whole


def test_events_come_oldest_first_and_go_on_at_any_page(
    opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    connector = opened()
    first = read(connector, "charges")
    for _ in range(3):
        clock.wind(120)
        world.change("stripe.charges", share=0.1)
        read(connector, "disputes")
    whole = read(connector, "charges", first.state, page_size=10)
    times = [one.updated_at for one in whole.records]
    assert times == sorted(times, key=lambda time: time or clock.moment())
    assert len(whole.pages) > 4

    place = whole.cursors[3]
    rest: list[str] = []
    while place:
        page = opened().fetch(connector.stream("charges"), FetchRequest(cursor=place, page_size=10))
        rest += [one.external_id for one in page.records]
        place = page.next_cursor
    assert rest == [one.external_id for page in whole.pages[3:] for one in page.records]


def test_nothing_new_is_one_question(opened: Opened, world: SandboxClient, clock: Clock) -> None:
    connector = opened()
    first = read(connector, "customers")
    clock.wind(7_200)
    before = world.requests()["total"]
    again = read(connector, "customers", first.state)
    assert (again.records, again.tombstones) == ([], [])
    assert world.requests()["total"] == before + 1


@pytest.mark.parametrize("name", ["customers", "products", "prices", "invoices"])
def test_a_deleted_object_leaves_a_tombstone(
    name: str, opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    connector = opened()
    first = read(connector, name)
    clock.wind(600)
    world.change(f"stripe.{name}", delete=3)
    again = read(connector, name, first.state)
    gone = {one.external_id for one in again.tombstones}
    assert gone == set(first.ids) - set(read(connector, name).ids)
    assert len(gone) == 3
    assert {one.deleted_at for one in again.tombstones} == {clock.moment()}
    assert again.records == []


def test_an_object_that_changed_and_was_deleted_is_gone(
    opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    connector = opened()
    first = read(connector, "products")
    clock.wind(600)
    world.change("stripe.products", share=1.0)
    read(connector, "products")
    world.change("stripe.products", delete=10)
    again = read(connector, "products", first.state)
    assert again.records == []
    assert {one.external_id for one in again.tombstones} == set(first.ids)


def test_what_happened_a_moment_ago_is_read_again_next_time(
    opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    connector = opened()
    first = read(connector, "customers")
    clock.wind(600)
    world.change("stripe.customers", share=0.1)
    again = read(connector, "customers", first.state)
    assert again.state == first.state
    clock.wind(600)
    third = read(connector, "customers", again.state)
    assert third.ids == again.ids
    assert third.state != first.state
    assert read(connector, "customers", third.state).ids == []


def test_after_a_month_without_a_run_everything_is_listed_again(
    opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    connector = opened()
    first = read(connector, "customers")
    clock.wind(31 * DAY)
    world.change("stripe.customers", share=0.1)
    again = read(connector, "customers", first.state)
    assert len(again.ids) == 100
    assert again.state != first.state


def test_an_event_that_stripe_forgot_early_makes_the_list_be_read_again(opened: Opened, clock: Clock) -> None:
    known = {"event": "evt_0000000999999999", "created": int(clock()) - DAY}
    assert len(read(opened(), "customers", known).ids) == 100


def test_an_account_in_which_nothing_happens_is_listed_once(
    opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    clock.wind(100 * DAY)
    connector = opened()
    first = read(connector, "customers")
    assert len(first.ids) == 100
    assert first.state["event"] == ""
    clock.wind(DAY)
    assert read(connector, "customers", first.state).ids == []
    world.change("stripe.customers", share=0.1)
    clock.wind(DAY)
    assert len(read(connector, "customers", first.state).ids) == 100


def test_a_record_that_cannot_be_read_keeps_its_id_and_the_others_come(
    opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    connector = opened()
    first = read(connector, "charges")
    clock.wind(600)
    world.change("stripe.charges", share=0.05, spoil=12)
    again = read(connector, "charges", first.state)
    bad = world.ledger("stripe.charges", full=True)["expected"]["newest_bad"]
    unreadable = {one["external_id"] for one in map(asdict, again.records) if one["problem"]}
    assert {name for name, one in bad.items() if one["bad"] in {"nul", "lone_surrogate", "nan"}} <= unreadable
    assert unreadable <= set(bad)
    assert set(bad) <= set(again.ids)


# What Stripe should never send


@pytest.fixture
def scripted(httpserver: HTTPServer) -> Connector:
    return connect(
        "stripe",
        config={"base_url": httpserver.url_for("").rstrip("/")},
        credentials={"secret_key": KEY},
        access=Access(private_hosts=frozenset({f"{httpserver.host}:{httpserver.port}"})),
    )


def listed(*objects: Any, has_more: Any = False) -> dict[str, Any]:
    return {"object": "list", "data": list(objects), "has_more": has_more, "url": "/v1/x"}


def test_something_that_is_no_event_is_refused(scripted: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/events").respond_with_json(listed({"id": "evt_1", "object": "event"}))
    with pytest.raises(SchemaError, match="no event"):
        scripted.fetch(scripted.stream("customers"), FetchRequest())


def test_a_list_that_does_not_say_whether_it_has_more_is_refused(
    scripted: Connector, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/events").respond_with_json(listed())
    httpserver.expect_request("/v1/customers").respond_with_json(listed({"id": "cus_1"}, has_more=None))
    with pytest.raises(SchemaError, match="whether it has more"):
        scripted.fetch(scripted.stream("customers"), FetchRequest())


def test_the_events_asked_for_are_named_one_by_one(scripted: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/events").respond_with_json(listed())
    now = int(datetime.now(UTC).timestamp())
    known = {"event": "evt_1", "created": now}
    page = scripted.fetch(scripted.stream("refunds"), FetchRequest(stream_state=known))
    assert page.next_cursor is None
    asked = httpserver.log[-1][0].args.to_dict()
    assert asked == {
        "limit": "100",
        "ending_before": "evt_1",
        "types[0]": "refund.created",
        "types[1]": "refund.updated",
        "types[2]": "refund.failed",
        "types[3]": "charge.refund.updated",
    }


def test_events_show_objects_byte_for_byte(scripted: Connector, httpserver: HTTPServer) -> None:
    row = b'{ "id":"cus_1",  "balance": 1.50 }'
    event = b'{"id":"evt_2","type":"customer.updated","created":1700000000,"data":{"object":%b}}' % row
    httpserver.expect_request("/v1/events").respond_with_data(
        b'{"object":"list","data":[%b],"has_more":false}' % event, content_type="application/json"
    )
    known = {"event": "evt_1", "created": int(datetime.now(UTC).timestamp())}
    page = scripted.fetch(scripted.stream("customers"), FetchRequest(stream_state=known))
    [record] = page.records
    assert record.body == row
    assert record.updated_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert exact_json.loads(record.body)["id"] == record.external_id
