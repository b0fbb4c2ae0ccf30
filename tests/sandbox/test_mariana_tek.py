"""The pretended Mariana Tek refuses what the real one refuses."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox import SandboxClient, running
from sandbox.mariana_tek_api import API_KEY, CONFIDENTIAL, PASSWORD, PREFIX, SECRET, USERNAME
from tests.sandbox.conftest import NOW

BEARER = {"Authorization": f"Bearer {API_KEY}"}
JSON_API = {**BEARER, "Accept": "application/vnd.api+json"}


def get(
    http: requests.Session, world: SandboxClient, path: str, headers: Any = None, **params: Any
) -> requests.Response:
    return http.get(f"{world.url}{PREFIX}/api/{path}", headers=headers or JSON_API, params=params)


def ids(answer: requests.Response) -> list[int]:
    return [int(one["id"]) for one in answer.json()["data"]]


@pytest.mark.parametrize(
    ("headers", "status", "said"),
    [
        ({"Accept": "application/vnd.api+json"}, 401, "Authentication credentials were not provided."),
        ({**JSON_API, "Authorization": "Bearer guess"}, 401, "Authentication credentials were not provided."),
        ({**BEARER, "Accept": "application/json"}, 406, "Could not satisfy the request Accept header."),
    ],
)
def test_strangers_and_other_formats_are_refused(
    headers: dict[str, str], status: int, said: str, world: SandboxClient, http: requests.Session
) -> None:
    answer = get(http, world, "users", headers)
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (status, said)


def test_a_list_is_json_api_in_numbered_pages(world: SandboxClient, http: requests.Session) -> None:
    answer = get(http, world, "reservations", page_size=30, page=2, ordering="-id")
    assert answer.headers["Content-Type"] == "application/vnd.api+json"
    told = answer.json()["meta"]["pagination"]
    assert (told["page"], told["per_page"]) == (2, 30)
    assert told["pages"] == -(-told["count"] // 30)
    found = ids(answer)
    assert found == sorted(found, reverse=True)
    assert len(found) == 30


def test_pages_are_cut_down_to_500_in_silence(world: SandboxClient, http: requests.Session) -> None:
    answer = get(http, world, "reservations", page_size=5_000)
    assert len(ids(answer)) == answer.json()["meta"]["pagination"]["per_page"] == 500


@pytest.mark.parametrize("page", ["0", "9999", "first"])
def test_a_page_that_is_none_is_404(page: str, world: SandboxClient, http: requests.Session) -> None:
    answer = get(http, world, "users", page=page)
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (404, "Invalid page.")


def test_filters_are_honoured_here_and_ignored_there(world: SandboxClient, http: requests.Session) -> None:
    later = {"min_updated_datetime": "2040-01-01T00:00:00Z"}
    assert ids(get(http, world, "orders", **later)) == []
    assert ids(get(http, world, "class_sessions", **later))
    assert len(ids(get(http, world, "orders", colour="blue", page_size=7))) == 7
    assert get(http, world, "orders", min_updated_datetime="soon").status_code == 422
    some = ids(get(http, world, "orders", page_size=3))
    assert ids(get(http, world, "orders", **{"filter[id]": ",".join(map(str, some[:2]))})) == some[:2]


def test_only_one_order_shows_its_items(world: SandboxClient, http: requests.Session) -> None:
    [order] = ids(get(http, world, "orders", page_size=1))
    listed = get(http, world, "orders", page_size=1).json()["data"][0]["attributes"]
    shown = get(http, world, f"orders/{order}").json()["data"]["attributes"]
    assert "purchased_items" not in listed
    assert {"order_line_id", "price", "price_incl_tax"} <= shown["purchased_items"][0].keys()
    assert get(http, world, "orders/1").status_code == 404


def test_calls_beyond_the_limit_are_throttled(http: requests.Session) -> None:
    now = [float(NOW)]
    with running(now=NOW, clock=lambda: now[0], scale=0.01, leak_rate=5.0) as world:
        statuses = [get(http, world, "locations").status_code for _ in range(41)]
        assert statuses == [200] * 40 + [429]
        assert get(http, world, "locations").headers["Retry-After"] == "1"
        now[0] += 0.4
        assert [get(http, world, "locations").status_code for _ in range(3)] == [200, 200, 429]


def test_tokens_end_after_a_week_and_refresh_tokens_with_their_use(http: requests.Session) -> None:
    now = [float(NOW)]
    with running(now=NOW, clock=lambda: now[0], scale=0.01) as world:
        client = {"client_id": CONFIDENTIAL.client_id, "client_secret": SECRET}
        granted = token(http, world, grant_type="password", username=USERNAME, password=PASSWORD, **client)
        assert granted.json()["expires_in"] == 604_800
        bearer = {**JSON_API, "Authorization": f"Bearer {granted.json()['access_token']}"}
        assert get(http, world, "users", bearer).status_code == 200
        now[0] += 604_801
        assert get(http, world, "users", bearer).status_code == 401
        again = {"grant_type": "refresh_token", "refresh_token": granted.json()["refresh_token"], **client}
        assert token(http, world, **again).status_code == 200
        assert token(http, world, **again).json()["error"] == "invalid_grant"


def token(http: requests.Session, world: SandboxClient, **form: str) -> requests.Response:
    return http.post(f"{world.url}{PREFIX}/o/token/", data=form)


def test_the_token_endpoint_has_a_slash_and_knows_its_clients(
    world: SandboxClient, http: requests.Session
) -> None:
    assert http.post(f"{world.url}{PREFIX}/o/token", data={}).status_code == 404
    assert token(http, world, grant_type="client_credentials").json()["error"] == "unsupported_grant_type"
    form = {"grant_type": "password", "username": USERNAME, "password": PASSWORD, "client_id": "guess"}
    assert token(http, world, **form).status_code == 401


def test_a_report_takes_its_time_and_its_link_wants_no_token(http: requests.Session) -> None:
    now = [float(NOW)]
    with running(now=NOW, clock=lambda: now[0], scale=0.05) as world:
        asked = {"id": "353", "slug": "orders-utc"}
        job = get(http, world, "async_table_report_data", **asked).json()["data"][0]["id"]
        status = "async_table_report_data/job_status"
        assert get(http, world, status, id=job).json() == {"data": {"status": "processing", "s3_link": None}}
        now[0] += 1
        link = get(http, world, status, id=job).json()["data"]["s3_link"]
        assert http.get(link, headers=BEARER).status_code == 400
        told = http.get(link).json()
        assert told["total_records"] == len(told["rows"]) > 0
        assert {len(row) for row in told["rows"]} == {len(told["headers"])}
        now[0] += 301
        assert http.get(link).status_code == 403


def test_reports_at_once_hold_500_rows(http: requests.Session) -> None:
    with running(now=NOW, scale=0.5) as world:
        asked = {"id": "353", "slug": "orders-utc", "page_size": 5_000}
        told = get(http, world, "table_report_data", **asked).json()["data"]["attributes"]
        assert (len(told["rows"]), told["max_results_exceeded"]) == (500, True)


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"id": "353", "slug": "reservations"}, 404),
        ({"id": "1", "slug": "orders-utc"}, 404),
        ({"id": "353", "slug": "orders-utc", "min_transaction_date": "x", "max_transaction_date": "y"}, 422),
    ],
)
def test_a_report_that_is_none_is_refused(
    params: dict[str, str], status: int, world: SandboxClient, http: requests.Session
) -> None:
    assert get(http, world, "table_report_data", **params).status_code == status
    assert get(http, world, "async_table_report_data", **params).status_code == status
