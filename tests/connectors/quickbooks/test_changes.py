"""Later runs ask for what changed: records and deletions, as far as an answer has room."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connectors.base import Connector
from connectors.errors import RefusedRequest, SchemaError
from tests.connectors.quickbooks.conftest import NOW, Books, read

CDC = "/v3/company/77/cdc"


def test_a_later_run_is_one_call_that_tells_changes_and_deletions(books: Books) -> None:
    with books.opened() as connector:
        before = set(read(connector, "invoices").ids)
        books.clock.pass_by(minutes=30)
        books.client.change("quickbooks.invoices", insert=3, delete=2, share=0.05)
        books.client.forget_requests()
        run = read(connector, "invoices", window_start=books.clock.now() - timedelta(minutes=10))
    assert books.asked("invoices") == (1, 0)
    there = books.ids("invoices")
    assert there - before <= set(run.ids)
    assert {gone.external_id for gone in run.tombstones} == before - there
    assert {gone.deleted_at for gone in run.tombstones} == {books.clock.now()}
    assert not {gone.external_id for gone in run.tombstones} & set(run.ids)


def test_a_name_made_inactive_is_a_change(books: Books) -> None:
    with books.opened() as connector:
        books.clock.pass_by(minutes=30)
        books.client.change("quickbooks.customers", share=1.0)
        run = read(connector, "customers", window_start=books.clock.now())
    assert sum(b'"Active":false' in one.body for one in run.records) == 4


def test_what_changed_beyond_thirty_days_ago_is_queried_for(books: Books) -> None:
    with books.opened() as connector:
        read(connector, "bills", window_start=NOW - timedelta(days=31))
    assert books.asked("bills") == (0, 2)


def test_a_quiet_stream_asks_from_its_last_run_on(books: Books) -> None:
    with books.opened() as connector:
        state = next(page.stream_state for page in read(connector, "bills").pages if page.stream_state)
        books.clock.pass_by(days=1)
        books.client.change("quickbooks.bills", delete=1)
        books.client.forget_requests()
        run = read(connector, "bills", window_start=NOW - timedelta(days=60), stream_state=state)
    assert books.asked("bills") == (1, 0)
    assert len(run.tombstones) >= 1


def test_changes_may_be_switched_off(books: Books) -> None:
    with books.opened(change_data_capture=False) as connector:
        read(connector, "bills", window_start=NOW)
    assert books.asked("bills")[0] == 0


def test_an_answer_without_room_is_not_taken_for_all(books: Books) -> None:
    with books.opened() as connector:
        since = books.clock.now()
        books.clock.pass_by(minutes=10)
        books.client.change("quickbooks.customers", insert=1_050)
        books.clock.pass_by(minutes=50)
        books.client.change("quickbooks.customers", delete=3)
        run = read(connector, "customers", window_start=since)
    there = books.ids("customers")
    assert set(run.ids) >= {one for one in there if int(one) > 60}
    assert len(run.ids) == len(set(run.ids))
    # The first answer was full of customers; asked for over a shorter time, the deletions are told.
    assert len({gone.external_id for gone in run.tombstones}) == 3


def answered(*entities: dict[str, Any]) -> dict[str, Any]:
    return {"CDCResponse": [{"QueryResponse": list(entities)}], "time": "2026-11-22T11:59:00-00:00"}


def changed(scripted: Connector, httpserver: HTTPServer, body: Any) -> Any:
    httpserver.expect_request(CDC).respond_with_data(
        body if isinstance(body, str) else json.dumps(body), content_type="application/json"
    )
    now = scripted.access.clock()
    return read(scripted, "invoices", window_start=now - timedelta(minutes=5))


def test_an_entity_without_changes_is_an_empty_object(scripted: Connector, httpserver: HTTPServer) -> None:
    run = changed(scripted, httpserver, answered({}))
    assert (run.records, run.tombstones) == ([], [])
    assert run.pages[0].stream_state == {"read_at": "2026-11-22T11:59:00+00:00"}
    assert httpserver.log[-1][0].args["entities"] == "Invoice"


def test_a_broken_record_is_lost_and_not_the_answer(scripted: Connector, httpserver: HTTPServer) -> None:
    good = {"Id": "1", "MetaData": {"LastUpdatedTime": "2026-11-22T11:58:00Z"}}
    text = json.dumps(answered({"Invoice": [good, {"Id": "2", "TotalAmt": "NAN"}]})).replace('"NAN"', "NaN")
    run = changed(scripted, httpserver, text)
    assert [(one.external_id, bool(one.problem)) for one in run.records] == [("1", False), ("2", True)]


def test_deleted_is_a_status_and_no_note(scripted: Connector, httpserver: HTTPServer) -> None:
    meta = {"LastUpdatedTime": "2026-11-22T11:58:00Z"}
    noted = {"Id": "1", "PrivateNote": "Deleted", "MetaData": meta}
    gone = {"Id": "2", "status": "Deleted", "domain": "QBO", "MetaData": meta}
    run = changed(scripted, httpserver, answered({"Invoice": [noted, gone]}))
    assert run.ids == ["1"]
    assert [one.external_id for one in run.tombstones] == ["2"]


@pytest.mark.parametrize(
    "body", [{}, {"CDCResponse": 1}, {"CDCResponse": [{"QueryResponse": {"Invoice": 1}}]}]
)
def test_an_answer_about_something_else_is_a_schema_error(
    scripted: Connector, httpserver: HTTPServer, body: Any
) -> None:
    with pytest.raises(SchemaError):
        changed(scripted, httpserver, body)


def test_a_fault_within_is_one(scripted: Connector, httpserver: HTTPServer) -> None:
    fault = {"Fault": {"Error": [{"Message": "Unsupported", "code": "600"}], "type": "ValidationFault"}}
    with pytest.raises(RefusedRequest, match="600"):
        changed(scripted, httpserver, {"CDCResponse": [fault]})
