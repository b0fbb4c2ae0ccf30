"""QuickBooks Online as the sandbox speaks it: what it refuses, and in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox import SandboxClient, running
from sandbox.data import utc_text
from sandbox.quickbooks import MOST_CHANGES, REALM
from sandbox.quickbooks_oauth import CLIENT_ID, CLIENT_SECRET, FIRST_REFRESH
from tests.sandbox.conftest import NOW, SMALL

COMPANY = f"/quickbooks/v3/company/{REALM}"
TOKEN = "/quickbooks/oauth2/v1/tokens/bearer"
Ask = Callable[..., requests.Response]


@pytest.fixture
def moment() -> list[float]:
    return [float(NOW)]


@pytest.fixture
def books(moment: list[float]) -> Iterator[SandboxClient]:
    with running(now=NOW, clock=lambda: moment[0], scale=0.2, leak_rate=2.0, **SMALL) as client:
        yield client


def minted(http: requests.Session, books: SandboxClient, refresh: str = FIRST_REFRESH) -> requests.Response:
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    return http.post(f"{books.url}{TOKEN}", data=form, auth=(CLIENT_ID, CLIENT_SECRET))


@pytest.fixture
def ask(http: requests.Session, books: SandboxClient, moment: list[float]) -> Ask:
    token = minted(http, books).json()["access_token"]

    def asked(path: str = "query", *, pause: float = 1.0, **params: Any) -> requests.Response:
        moment[0] += pause
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return http.get(f"{books.url}{COMPANY}/{path}", params=params, headers=headers)

    return asked


def fault(answer: requests.Response) -> tuple[int, str, str]:
    [error] = answer.json()["Fault"]["Error"]
    return answer.status_code, error["code"], error["Detail"]


def test_pages_hold_a_hundred_unless_said_and_the_last_one_has_no_entity(ask: Ask) -> None:
    first = ask(query="select * from Invoice").json()["QueryResponse"]
    assert (len(first["Invoice"]), first["startPosition"], first["maxResults"]) == (100, 1, 100)
    second = ask(query="select * from Invoice startposition 101 maxresults 1000").json()["QueryResponse"]
    assert len(second["Invoice"]) == 20
    assert ask(query="select * from Invoice startposition 121").json()["QueryResponse"] == {}


def test_inactive_names_are_shown_only_to_those_who_ask(ask: Ask) -> None:
    def count(condition: str) -> int:
        answer = ask(query=f"select count(*) from Customer{condition}")
        return int(answer.json()["QueryResponse"]["totalCount"])

    assert count("") == count(" where Active = true") == 56
    assert count(" where Active = false") == 4
    assert count(" where Active in (true, false)") == 60


def test_rows_come_in_the_order_asked_for_and_within_the_window(ask: Ask) -> None:
    query = "select * from Bill orderby MetaData.LastUpdatedTime maxresults 1000"
    times = [one["MetaData"]["LastUpdatedTime"] for one in ask(query=query).json()["QueryResponse"]["Bill"]]
    middle = times[20]
    query = f"select Id, MetaData from Bill where MetaData.LastUpdatedTime >= '{middle}' ORDER BY Id desc"
    inside = ask(query=query).json()["QueryResponse"]["Bill"]
    assert len(inside) == len(times) - times.index(middle)
    assert [int(one["Id"]) for one in inside] == sorted((int(one["Id"]) for one in inside), reverse=True)
    assert set(inside[0]) == {"Id", "MetaData"}


@pytest.mark.parametrize(
    ("query", "code", "detail"),
    [
        ("select * from Invoice maxresults 1001", "4001", "too large"),
        ("select * from Invoice startposition 0", "4001", "value 0 is too small. Min allowed value is 1"),
        ("select * from Invoices", "4001", "Invoices"),
        ("select * from Invoice where Active = true", "4001", "Active"),
        ("select * from Invoice where Id = '1' or Id = '2'", "4000", "or"),
        ("select * from Invoice where Id = 1", "4000", "1"),
        ("select * from Invoice, Customer", "4000", ","),
        ("select * from Invoice where MetaData.LastUpdatedTime >'", "4000", "'"),
        ("select * from Invoice where MetaData.LastUpdatedTime > 'soon'", "4001", "no time"),
        ("delete from Invoice", "4000", "delete"),
        ("", "4000", "<EOF>"),
    ],
)
def test_queries_that_the_real_one_refuses_are_refused(ask: Ask, query: str, code: str, detail: str) -> None:
    status, said, told = fault(ask(query=query))
    assert (status, said) == (400, code)
    assert detail in told


def test_changes_tell_what_is_gone_and_no_more_than_a_thousand_objects(
    ask: Ask, books: SandboxClient, moment: list[float]
) -> None:
    moment[0] += 1_800
    books.change("quickbooks.invoices", delete=2, insert=1)
    since = utc_text(NOW)
    answer = ask("cdc", entities="Invoice,Bill", changedSince=since).json()["CDCResponse"][0]["QueryResponse"]
    gone = [one for one in answer[0]["Invoice"] if one.get("status") == "Deleted"]
    assert len(gone) >= 2
    assert set(gone[0]) == {"domain", "status", "Id", "MetaData"}
    books.change("quickbooks.invoices", insert=1_200)
    full = ask("cdc", entities="Invoice,Bill", changedSince=since).json()["CDCResponse"][0]["QueryResponse"]
    assert len(full[0]["Invoice"]) == MOST_CHANGES
    assert full[1] == {}


@pytest.mark.parametrize(
    "params",
    [
        {"entities": "Invoice", "changedSince": "2026-08-01"},
        {"entities": "Invoice", "changedSince": "yesterday"},
        {"entities": "Invoice"},
        {"entities": "Invoices", "changedSince": "2026-09-20"},
        {"entities": "", "changedSince": "2026-09-20"},
    ],
)
def test_changes_beyond_a_month_or_of_nothing_are_refused(ask: Ask, params: dict[str, str]) -> None:
    assert fault(ask("cdc", **params))[:2] == (400, "2010")


def test_ten_calls_a_second_and_five_hundred_a_minute_are_all(ask: Ask) -> None:
    assert [ask(pause=0.0, query="select * from Bill").status_code for _ in range(11)] == [200] * 10 + [429]
    assert ask(pause=61.0, query="select * from Bill").status_code == 200
    statuses = [ask(pause=0.11, query="select count(*) from Bill").status_code for _ in range(500)]
    assert statuses.count(429) > 0
    assert statuses.index(429) > 480
    refused = ask(pause=0.0, query="select * from Bill")
    assert (refused.status_code, refused.json()["Fault"]["Error"][0]["code"]) == (429, "3001")
    assert "Retry-After" not in refused.headers
    assert ask(pause=61.0, query="select * from Bill").status_code == 200


def test_whoever_does_not_ask_for_json_gets_xml(
    http: requests.Session, books: SandboxClient, ask: Ask
) -> None:
    assert ask(query="select * from Bill").headers["Content-Type"].startswith("application/json")
    token = minted(http, books).json()["access_token"]
    answer = http.get(
        f"{books.url}{COMPANY}/query",
        params={"query": "select * from Bill"},
        headers={"Authorization": f"Bearer {token}", "Accept": "*/*"},
    )
    assert answer.headers["Content-Type"] == "application/xml"
    assert answer.headers["intuit_tid"]


def test_a_query_may_be_posted_as_text(http: requests.Session, books: SandboxClient) -> None:
    headers = {
        "Authorization": f"Bearer {minted(http, books).json()['access_token']}",
        "Accept": "application/json",
        "Content-Type": "application/text",
    }
    url, query = f"{books.url}{COMPANY}/query", "select * from Bill maxresults 3"
    assert len(http.post(url, data=query, headers=headers).json()["QueryResponse"]["Bill"]) == 3
    headers["Content-Type"] = "application/json"
    assert http.post(url, data=query, headers=headers).status_code == 415


def test_the_gateway_refuses_in_small_letters(http: requests.Session, books: SandboxClient) -> None:
    headers = {"Authorization": "Bearer eyJ-old", "Accept": "application/json"}
    answer = http.get(f"{books.url}{COMPANY}/query", headers=headers)
    assert (answer.status_code, answer.json()["fault"]["type"]) == (401, "AUTHENTICATION")
    assert answer.json()["fault"]["error"][0]["code"] == "3200"
    headers["Authorization"] = f"Bearer {minted(http, books).json()['access_token']}"
    elsewhere = http.get(f"{books.url}/quickbooks/v3/company/1/query", headers=headers)
    assert (elsewhere.status_code, elsewhere.json()["fault"]["error"][0]["code"]) == (403, "3100")


def test_refresh_tokens_stay_for_a_day_and_then_change(
    http: requests.Session, books: SandboxClient, moment: list[float]
) -> None:
    first = minted(http, books).json()
    assert (first["refresh_token"], first["expires_in"]) == (FIRST_REFRESH, 3600)
    assert "scope" not in first
    moment[0] += 86_401
    second = minted(http, books).json()["refresh_token"]
    assert second != FIRST_REFRESH
    late = minted(http, books)
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")
    assert minted(http, books, second).json()["refresh_token"] == second
    moment[0] += 102 * 86_400
    assert minted(http, books, second).status_code == 400


def test_an_access_token_lasts_an_hour(ask: Ask, moment: list[float]) -> None:
    assert ask(query="select * from Bill").status_code == 200
    moment[0] += 3_601
    assert ask(query="select * from Bill").status_code == 401


def test_papers_name_customers_items_and_invoices_that_exist(ask: Ask) -> None:
    def listed(entity: str) -> list[dict[str, Any]]:
        where = " where Active in (true, false)" if entity in {"Customer", "Item", "Vendor"} else ""
        answer = ask(query=f"select * from {entity}{where} maxresults 1000")
        rows: list[dict[str, Any]] = answer.json()["QueryResponse"][entity]
        return rows

    ids = {
        entity: {one["Id"] for one in listed(entity)} for entity in ("Customer", "Item", "Vendor", "Invoice")
    }
    customer_of = {one["Id"]: one["CustomerRef"]["value"] for one in listed("Invoice")}
    assert set(customer_of.values()) <= ids["Customer"]
    assert {one["VendorRef"]["value"] for one in listed("Bill")} <= ids["Vendor"]
    for payment in listed("Payment"):
        linked = [one["TxnId"] for line in payment["Line"] for one in line["LinkedTxn"]]
        assert set(linked) <= ids["Invoice"]
        assert payment["CustomerRef"]["value"] == customer_of[linked[0]]


def test_lines_add_up_to_the_subtotal(ask: Ask) -> None:
    answer = ask(query="select * from Invoice maxresults 1000")
    for invoice in answer.json()["QueryResponse"]["Invoice"]:
        sold = 0.0
        for line in invoice["Line"]:
            inner = line.get("GroupLineDetail", {}).get("Line", [line])
            sold += sum(one["Amount"] for one in inner if one["DetailType"] == "SalesItemLineDetail")
        [subtotal] = [one["Amount"] for one in invoice["Line"] if one["DetailType"] == "SubTotalLineDetail"]
        assert round(sold, 2) == subtotal
