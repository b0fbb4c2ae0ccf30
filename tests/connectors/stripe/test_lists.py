"""Whole lists, and what happens to them while they are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors import exact_json
from connectors.base import FetchRequest
from connectors.errors import CursorExpired
from sandbox import SandboxClient
from tests.connectors.stripe.conftest import DAY, NOW, Clock, Opened, read

LISTED = {"customers": 100, "payment_intents": 225, "charges": 225, "payouts": 13}


@pytest.mark.parametrize(("name", "count"), LISTED.items())
def test_a_list_is_read_whole_and_newest_first(name: str, count: int, opened: Opened) -> None:
    run = read(opened(), name, page_size=100)
    created = [exact_json.loads(record.body)["created"] for record in run.records]
    assert len(set(run.ids)) == len(run.ids) == count
    assert created == sorted(created, reverse=True)


def test_a_page_longer_than_stripe_gives_is_cut_down(opened: Opened) -> None:
    run = read(opened(), "charges", page_size=1_000)
    assert [len(page.records) for page in run.pages] == [100, 100, 25]


def test_subscriptions_that_have_ended_are_listed_too(opened: Opened) -> None:
    subscriptions = opened().stream("subscriptions")
    found = [
        subscriptions.refine(exact_json.loads(one.body)) for one in read(opened(), "subscriptions").records
    ]
    assert {"active", "canceled"} <= {one.status for one in found}  # type: ignore[attr-defined]


def test_an_object_that_comes_while_a_list_is_read_comes_with_the_next_run(
    opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    connector, stream = opened(), opened().stream("customers")
    first = connector.fetch(stream, FetchRequest(page_size=40))
    world.change("stripe.customers", insert=3, share=0.1)
    clock.wind(300)
    cursor, found = first.next_cursor, [one.external_id for one in first.records]
    while cursor:
        page = connector.fetch(stream, FetchRequest(cursor=cursor, page_size=40))
        found += [one.external_id for one in page.records]
        cursor = page.next_cursor
    assert len(set(found)) == len(found) == 100

    again = read(connector, "customers", first.stream_state)
    assert len(set(again.ids) - set(found)) == 3
    assert len(again.ids) == 13


def test_a_page_after_an_object_that_is_gone_starts_the_list_over(
    opened: Opened, world: SandboxClient
) -> None:
    connector, stream = opened(), opened().stream("customers")
    first = connector.fetch(stream, FetchRequest(page_size=40))
    world.change("stripe.customers", delete=100)
    with pytest.raises(CursorExpired, match="read again from its beginning"):
        connector.fetch(stream, FetchRequest(cursor=first.next_cursor, page_size=40))


def test_a_cursor_of_another_kind_is_not_taken_for_a_place(opened: Opened) -> None:
    with pytest.raises(CursorExpired):
        opened().fetch(opened().stream("customers"), FetchRequest(cursor="nonsense"))


def test_records_of_a_whole_list_are_as_new_as_the_list(opened: Opened, clock: Clock) -> None:
    newest = max(one.updated_at for one in read(opened(), "customers").records if one.updated_at)
    assert clock.moment() - timedelta(seconds=90) < newest <= clock.moment() - timedelta(seconds=60)


# Balance transactions never change but for their status


def test_balance_transactions_are_listed_by_when_they_came_to_be(opened: Opened) -> None:
    whole = read(opened(), "balance_transactions")
    since = datetime.fromtimestamp(NOW - 90 * DAY, UTC)
    some = read(opened(settle_days=0), "balance_transactions", window_start=since)
    assert set(some.ids) == {one.external_id for one in whole.records if one.updated_at >= since}  # type: ignore[operator]
    assert 0 < len(some.ids) < len(whole.ids)


def test_balance_transactions_are_listed_again_until_they_have_settled(opened: Opened) -> None:
    since = datetime.fromtimestamp(NOW - 90 * DAY, UTC)
    settled = read(opened(settle_days=30), "balance_transactions", window_start=since)
    oldest = min(one.updated_at for one in settled.records if one.updated_at)
    assert since - timedelta(days=30) <= oldest < since - timedelta(days=20)


def test_a_window_has_two_ends(opened: Opened) -> None:
    ends: dict[str, Any] = {
        "window_start": datetime.fromtimestamp(NOW - 90 * DAY, UTC),
        "window_end": datetime.fromtimestamp(NOW - 60 * DAY, UTC),
    }
    times = [one.updated_at for one in read(opened(settle_days=0), "balance_transactions", **ends).records]
    assert times
    assert all(ends["window_start"] <= time <= ends["window_end"] for time in times if time)


# Lines of long invoices


def test_lines_of_long_invoices_have_a_stream_of_their_own(opened: Opened) -> None:
    connector = opened()
    invoices = [exact_json.loads(one.body) for one in read(connector, "invoices").records]
    long = {one["id"]: one["lines"]["total_count"] for one in invoices if one["lines"]["has_more"]}
    run = read(connector, "invoice_lines", page_size=10)
    lines = [exact_json.loads(one.body) for one in run.records]
    assert long
    assert {name: sum(line["invoice"] == name for line in lines) for name in long} == long
    assert len(lines) == sum(long.values())

    refine = connector.stream("invoices").refine
    told = {one["id"]: refine(one).lines for one in invoices}  # type: ignore[attr-defined]
    assert {name for name, found in told.items() if found is None} == set(long)


def test_lines_are_read_again_of_invoices_that_changed(
    opened: Opened, world: SandboxClient, clock: Clock
) -> None:
    connector = opened()
    first = read(connector, "invoice_lines")
    assert first.state["event"]
    clock.wind(600)
    assert read(connector, "invoice_lines", first.state).records == []
    world.change("stripe.invoices", share=1.0)
    again = read(connector, "invoice_lines", first.state)
    assert set(again.ids) == set(first.ids)
