"""Pages by time of change: nothing is left out, nothing comes twice, whatever happens meanwhile."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pytest_httpserver import HTTPServer

from connectors.base import Connector
from connectors.errors import BadResponse, CursorExpired, SchemaError
from connectors.providers.quickbooks import ENTITIES, queries
from tests.connectors.quickbooks.conftest import NOW, Books, read

QUERY = "/v3/company/77/query"


@pytest.mark.parametrize("stream", ENTITIES)
def test_every_stream_is_read_whole_inactive_rows_included(books: Books, stream: str) -> None:
    with books.opened() as connector:
        run = read(connector, stream, page_size=7)
    assert sorted(run.ids) == sorted(books.ids(stream))
    assert run.pages[-1].expected_total == len(run.ids)
    assert not run.pages[-1].records


def test_rows_of_one_second_are_read_once_each(books: Books) -> None:
    books.client.change("quickbooks.customers", insert=40)
    with books.opened() as connector:
        run = read(connector, "customers", page_size=5)
    assert len(run.ids) == len(set(run.ids)) == 100


def test_a_second_with_more_rows_than_a_cursor_names_is_counted_through(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_TIED", 12)
    books.client.change("quickbooks.customers", insert=60)
    with books.opened() as connector:
        run = read(connector, "customers", page_size=10)
    assert len(run.ids) == len(set(run.ids)) == 120
    assert max(len(page.next_cursor or "") for page in run.pages) < 250


def test_rows_that_change_while_they_are_read_are_not_missed(books: Books) -> None:
    changes = iter(range(1_000))

    def happen() -> None:
        books.clock.pass_by(seconds=2)
        if next(changes) < 12:
            books.client.change("quickbooks.invoices", share=0.1, seed=next(changes))

    with books.opened() as connector:
        run = read(connector, "invoices", page_size=10, between=happen)
    assert books.ids("invoices") <= set(run.ids)


def test_a_window_is_asked_for_and_never_narrowed(books: Books) -> None:
    with books.opened(change_data_capture=False) as connector:
        times = sorted(one.updated_at for one in read(connector, "bills").records if one.updated_at)
        start, end = times[10], times[25]
        inside = read(connector, "bills", page_size=4, window_start=start, window_end=end)
    wanted = [one for one in times if start <= one <= end]
    assert len(inside.ids) >= len(wanted)
    assert all(one.updated_at and start <= one.updated_at for one in inside.records)
    assert inside.pages[-1].expected_total is None


def test_an_empty_answer_in_the_middle_is_asked_for_again(books: Books) -> None:
    books.client.misbehave("/quickbooks/v3/company", "empty_page", skip=2, times=1)
    with books.opened() as connector:
        run = read(connector, "customers", page_size=20)
    assert len(set(run.ids)) == len(run.ids) == 60


def test_a_cursor_of_another_kind_is_an_expired_one(scripted: Connector) -> None:
    with pytest.raises(CursorExpired):
        read(scripted, "bills", cursor="page 2")


@pytest.mark.parametrize("times", [("2026-03-02", "2026-03-01"), ("2026-03-01", "2026-03-03", "2026-03-02")])
def test_rows_in_another_order_are_refused(
    scripted: Connector, httpserver: HTTPServer, times: tuple[str, ...]
) -> None:
    rows = [
        {"Id": str(number), "MetaData": {"LastUpdatedTime": f"{day}T00:00:00Z"}}
        for number, day in enumerate(times)
    ]
    httpserver.expect_request(QUERY).respond_with_json({"QueryResponse": {"Bill": rows}})
    with pytest.raises(BadResponse, match="order"):
        read(scripted, "bills")


def test_rows_without_ids_do_not_keep_us_forever(scripted: Connector, httpserver: HTTPServer) -> None:
    rows = [{"DocNumber": str(n), "MetaData": {"LastUpdatedTime": "2026-03-01T00:00:00Z"}} for n in range(3)]
    httpserver.expect_request(QUERY).respond_with_json({"QueryResponse": {"Bill": rows}})
    run = read(scripted, "bills")
    assert [record.problem for record in run.records] == ["no id at 'Id'"] * 3
    assert len(run.pages) == 2


def test_another_entity_in_its_place_is_no_empty_page(scripted: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(QUERY).respond_with_json({"QueryResponse": {"Invoice": []}})
    with pytest.raises(SchemaError, match="no 'Bill'"):
        read(scripted, "bills")


def test_what_is_asked_is_written_as_intuit_wants_it(scripted: Connector, httpserver: HTTPServer) -> None:
    httpserver.expect_request(QUERY).respond_with_json({"QueryResponse": {}, "time": "2026-03-01T00:00:00Z"})
    read(scripted, "customers", page_size=5_000, window_start=NOW, window_end=NOW + timedelta(seconds=1.5))
    asked = httpserver.log[-1][0]
    assert asked.args["query"] == (
        "select * from Customer where Active in (true, false)"
        " and MetaData.LastUpdatedTime <= '2026-11-22T12:00:02-00:00'"
        " and MetaData.LastUpdatedTime >= '2026-11-22T12:00:00-00:00'"
        " orderby MetaData.LastUpdatedTime startposition 1 maxresults 1000"
    )
    assert asked.args["minorversion"] == "75"
    assert asked.headers["Accept"] == "application/json"


def test_the_total_is_asked_for_at_the_end_of_a_full_refresh(
    scripted: Connector, httpserver: HTTPServer
) -> None:
    httpserver.expect_oneshot_request(QUERY).respond_with_json({"QueryResponse": {}})
    httpserver.expect_oneshot_request(QUERY).respond_with_data(
        json.dumps({"QueryResponse": {"totalCount": 12}}), content_type="application/json"
    )
    [page] = read(scripted, "payments").pages
    assert (page.expected_total, list(page.records)) == (12, [])
    assert httpserver.log[-1][0].args["query"] == "select count(*) from Payment"
