"""Reports: asked for, waited for, read in major units."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connectors import connect, exact_json
from connectors.base import Access, Connector, FetchRequest
from connectors.errors import ConfigError, NotReady, SchemaError
from connectors.reports import place_of
from sandbox import SandboxClient
from tests.connectors.stripe.conftest import DAY, KEY, NOW, Clock, Opened, Run, read

REPORT = {"report_type": "payout_reconciliation.itemized.5", "key": ["balance_transaction_id"]}


def made(connector: Connector, name: str, clock: Clock, **request: Any) -> Run:
    """Read a report to its end, waiting as told."""
    run, cursor = Run(), None
    while True:
        try:
            page = connector.fetch(connector.stream(name), FetchRequest(cursor=cursor, **request))
        except NotReady as wait:
            clock.wind(wait.retry_after)
            continue
        run.pages.append(page)
        cursor = page.next_cursor
        if cursor is None:
            return run


def test_a_report_is_started_waited_for_and_read(opened: Opened, clock: Clock) -> None:
    connector = opened(reports={"payouts_made": REPORT})
    stream = connector.stream("payouts_made")
    start = connector.fetch(stream, FetchRequest())
    assert start.records == ()
    place = place_of(start.next_cursor)
    assert place is not None
    assert place.report.startswith("frr_")
    with pytest.raises(NotReady):
        connector.fetch(stream, FetchRequest(cursor=start.next_cursor))
    clock.wind(60)
    page = connector.fetch(stream, FetchRequest(cursor=start.next_cursor, page_size=10))
    assert len(page.records) == 10
    assert page.next_cursor
    row = exact_json.loads(page.records[0].body)
    kind = stream.refine(row)
    assert kind.external_id == row["balance_transaction_id"] == page.records[0].external_id


def test_the_balance_from_a_report_is_the_balance_from_the_list(opened: Opened, clock: Clock) -> None:
    listed, reported = opened(), opened(balance_from="report")
    stream = reported.stream("balance_transactions")
    assert (stream.ways, stream.key) == (("report",), ("balance_transaction_id",))
    run = made(reported, "balance_transactions", clock)
    rows = {one.external_id: stream.refine(exact_json.loads(one.body)) for one in run.records}
    refine = listed.stream("balance_transactions").refine
    for record in read(listed, "balance_transactions").records:
        kind: Any = refine(exact_json.loads(record.body))
        if kind.external_id not in rows:
            # Younger than what Stripe has prepared.
            assert kind.occurred_at.timestamp() >= NOW - DAY
            continue
        told: Any = rows[kind.external_id]
        assert (told.amount, told.fee_amount, told.net_amount, told.currency) == (
            kind.amount,
            kind.fee_amount,
            kind.net_amount,
            kind.currency,
        )
        assert (told.reference, told.occurred_at) == (kind.reference, kind.occurred_at)
        assert told.payout_external_id
    assert sum((one.net_amount for one in rows.values()), Decimal()) != 0  # type: ignore[attr-defined]


def test_a_report_is_asked_for_the_window_alone(opened: Opened, clock: Clock) -> None:
    connector = opened(reports={"payouts_made": REPORT})
    since = datetime.fromtimestamp(NOW - 30 * DAY, UTC)
    whole, some = (
        made(connector, "payouts_made", clock),
        made(connector, "payouts_made", clock, window_start=since),
    )
    wanted = {one.external_id for one in whole.records if one.updated_at and one.updated_at >= since}
    assert set(some.ids) == wanted
    assert 0 < len(wanted) < len(whole.ids)


def test_no_report_is_asked_for_where_there_is_no_data_yet(opened: Opened, world: SandboxClient) -> None:
    connector = opened(reports={"payouts_made": REPORT})
    since = datetime.fromtimestamp(NOW + DAY, UTC)
    page = connector.fetch(connector.stream("payouts_made"), FetchRequest(window_start=since))
    assert (page.records, page.next_cursor) == ((), None)


def test_the_same_question_asked_twice_makes_one_report(opened: Opened) -> None:
    connector = opened(reports={"payouts_made": REPORT})
    stream = connector.stream("payouts_made")
    cursors = [connector.fetch(stream, FetchRequest()).next_cursor for _ in range(2)]
    reports = {place.report for place in map(place_of, cursors) if place}
    assert len(reports) == 1


# What only a script can say


def office(httpserver: HTTPServer, *, status: str = "succeeded", url: str | None = None) -> Connector:
    """A Stripe whose reports are in a state from the start."""
    here = httpserver.url_for("").rstrip("/")
    available = {"data_available_start": NOW - DAY, "data_available_end": NOW}
    httpserver.expect_request(
        "/v1/reporting/report_types/payout_reconciliation.itemized.5"
    ).respond_with_json(available)
    runs = "/v1/reporting/report_runs"
    httpserver.expect_request(runs, method="POST").respond_with_json({"id": "frr_1", "status": "pending"})
    told = {"id": "frr_1", "status": status, "error": "Bad day.", "result": {"url": url or f"{here}/file"}}
    httpserver.expect_request(f"{runs}/frr_1").respond_with_json(told)
    return connect(
        "stripe",
        config={"base_url": here, "reports": {"payouts_made": REPORT}},
        credentials={"secret_key": KEY},
        access=Access(private_hosts=frozenset({f"{httpserver.host}:{httpserver.port}"})),
    )


def test_what_is_asked_for_a_report_is_stripes_form(httpserver: HTTPServer) -> None:
    connector = office(httpserver)
    connector.fetch(connector.stream("payouts_made"), FetchRequest())
    asked = httpserver.log[-1][0]
    assert asked.form.to_dict() == {
        "report_type": "payout_reconciliation.itemized.5",
        "parameters[interval_start]": str(NOW - DAY),
        "parameters[interval_end]": str(NOW),
    }
    assert asked.headers["Idempotency-Key"]


def test_a_report_that_fails_is_asked_for_once_more_as_a_new_one(httpserver: HTTPServer) -> None:
    connector = office(httpserver, status="failed")
    stream = connector.stream("payouts_made")
    first = connector.fetch(stream, FetchRequest())
    second = connector.fetch(stream, FetchRequest(cursor=first.next_cursor))
    keys = [request.headers["Idempotency-Key"] for request, _ in httpserver.log if request.method == "POST"]
    assert len(set(keys)) == 2
    with pytest.raises(SchemaError, match=r"Bad day\."):
        connector.fetch(stream, FetchRequest(cursor=second.next_cursor))


def test_the_key_goes_to_no_host_but_stripes(httpserver: HTTPServer) -> None:
    connector = office(httpserver, url="https://files.stripe.com.example.org/file")
    stream = connector.stream("payouts_made")
    start = connector.fetch(stream, FetchRequest())
    with pytest.raises(ConfigError, match="not Stripe's"):
        connector.fetch(stream, FetchRequest(cursor=start.next_cursor))


def test_a_report_in_no_known_state_is_refused(httpserver: HTTPServer) -> None:
    connector = office(httpserver, status="archived")
    stream = connector.stream("payouts_made")
    start = connector.fetch(stream, FetchRequest())
    with pytest.raises(SchemaError, match="no known state"):
        connector.fetch(stream, FetchRequest(cursor=start.next_cursor))


def test_the_file_of_a_report_needs_the_key(httpserver: HTTPServer) -> None:
    connector = office(httpserver)
    httpserver.expect_request("/file", headers={"Authorization": f"Bearer {KEY}"}).respond_with_data(
        "balance_transaction_id,created_utc,description\ntxn_1,2026-09-21 10:00:00,Ünë\n",
        content_type="text/csv; charset=utf-8",
    )
    stream = connector.stream("payouts_made")
    start = connector.fetch(stream, FetchRequest())
    [record] = connector.fetch(stream, FetchRequest(cursor=start.next_cursor)).records
    kind: Any = stream.refine(exact_json.loads(record.body))
    assert (kind.external_id, kind.title) == ("txn_1", "Ünë")
    assert kind.occurred_at == datetime(2026, 9, 21, 10, tzinfo=UTC) == record.updated_at
