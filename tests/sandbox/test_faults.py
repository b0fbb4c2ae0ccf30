"""Misbehaviour on request."""

import http.client
import itertools
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sandbox import SandboxClient, SandboxError
from tests.sandbox.conftest import API_TOKEN, SHOP, SHOPIFY_TOKEN, walk_shop

LIST = f"{SHOP}/orders.json"


def orders(
    http: requests.Session, world: SandboxClient, query: str = "status=any&limit=10"
) -> requests.Response:
    return http.get(f"{world.url}{LIST}?{query}", headers=SHOPIFY_TOKEN, allow_redirects=False)


def following(answer: requests.Response, http: requests.Session) -> requests.Response:
    return http.get(answer.links["next"]["url"], headers=SHOPIFY_TOKEN)


def test_status_comes_the_next_n_times_only(world: SandboxClient, http: requests.Session) -> None:
    world.misbehave("/shopify", "status", status=429, times=2, retry_after="soon")
    answers = [orders(http, world) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "soon"
    assert world.requests()["faults"] == {"status": 2}


def test_status_may_be_one_that_no_standard_names(world: SandboxClient, http: requests.Session) -> None:
    world.misbehave(LIST, "status", status=477, times=1)
    answers = [orders(http, world) for _ in range(2)]
    assert [(answer.status_code, answer.reason) for answer in answers] == [(477, ""), (200, "OK")]
    assert answers[0].json() == {"errors": "sandbox fault: 477"}


def test_status_has_no_hint_unless_asked(world: SandboxClient, http: requests.Session) -> None:
    world.misbehave("/shopify", "status")
    answer = orders(http, world)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, False)


def test_fault_strikes_at_page_three_of_its_path_only(world: SandboxClient, http: requests.Session) -> None:
    world.misbehave(LIST, "status", skip=2, times=1)
    walk_shop(http, world, "products", limit=5)
    first = orders(http, world)
    second = following(first, http)
    assert [second.status_code, following(second, http).status_code] == [200, 503]
    assert following(second, http).status_code == 200


def test_probability_is_seeded(world: SandboxClient, http: requests.Session) -> None:
    runs = []
    for _ in range(2):
        world.behave()
        world.misbehave("/shopify", "status", probability=0.5)
        runs.append([orders(http, world).status_code for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


@pytest.mark.parametrize("keep", [0.5, 0.0])
@pytest.mark.parametrize("mode", ["length", "chunked"])
def test_truncated_body_is_noticed_by_any_client(
    world: SandboxClient, http: requests.Session, mode: str, keep: float
) -> None:
    world.misbehave(LIST, "truncated", mode=mode, keep=keep, times=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
        orders(http, world)
    assert orders(http, world).status_code == 200


@pytest.mark.parametrize("mode", ["close", "gzip"])
def test_truncated_body_without_a_length_looks_whole(world: SandboxClient, mode: str) -> None:
    world.misbehave("/files", "truncated", mode=mode, keep=0.25)
    connection = http.client.HTTPConnection(urlsplit(world.url).netloc)
    connection.request("GET", "/files/music.csv")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.getheader("Content-Length") is None
    assert answer.getheader("Content-Encoding") == ("gzip" if mode == "gzip" else None)
    assert 0 < len(body) < 3_000


def test_repeated_cursor_leads_to_the_same_page(world: SandboxClient, http: requests.Session) -> None:
    world.misbehave(LIST, "repeat_cursor")
    first = orders(http, world)
    second = following(first, http)
    assert second.json() == first.json()
    assert second.links["next"] == first.links["next"]


def test_cycling_cursor_leads_back_and_forth(world: SandboxClient, http: requests.Session) -> None:
    a = orders(http, world)
    b = following(a, http)
    world.misbehave(LIST, "cycle_cursor", times=1)
    again = http.get(a.links["next"]["url"], headers=SHOPIFY_TOKEN)
    assert again.json() == b.json()
    assert following(again, http).json() == a.json()


def test_endless_cursors_are_all_different_with_the_same_rows(
    world: SandboxClient, http: requests.Session
) -> None:
    world.misbehave(LIST, "endless_cursor")
    answers = [orders(http, world)]
    for _ in range(20):
        answers.append(following(answers[-1], http))
    assert len({answer.links["next"]["url"] for answer in answers}) == 21
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("paging", ["page", "offset"])
def test_counted_pages_repeat_their_first_rows(
    world: SandboxClient, http: requests.Session, paging: str
) -> None:
    world.misbehave("/api", "repeat_cursor")
    url = f"{world.url}/api/{paging}/items?limit=10&{paging}="
    bodies = [http.get(f"{url}{start}", headers=API_TOKEN).json()["data"] for start in (1, 5)]
    assert bodies[0] == bodies[1]


def test_expired_cursor_strikes_follow_ups_only(world: SandboxClient, http: requests.Session) -> None:
    world.misbehave("/", "expired_cursor")
    answer = following(orders(http, world), http)
    assert (answer.status_code, answer.json()) == (400, {"errors": {"page_info": "Invalid value."}})
    first = http.get(f"{world.url}/api/next/items", headers=API_TOKEN)
    assert http.get(first.json()["meta"]["next"], headers=API_TOKEN).status_code == 410


@pytest.mark.parametrize(
    ("kind", "settings", "status", "content_type"),
    [
        ("html", {}, 200, "text/html; charset=utf-8"),
        ("no_content", {}, 204, None),
        ("redirect", {"location": "http://10.0.0.1/x"}, 302, None),
    ],
)
def test_other_answers_than_json(
    world: SandboxClient,
    http: requests.Session,
    kind: str,
    settings: dict[str, Any],
    status: int,
    content_type: str | None,
) -> None:
    world.misbehave(LIST, kind, **settings)
    answer = orders(http, world)
    assert (answer.status_code, answer.headers.get("Content-Type")) == (status, content_type)
    assert answer.headers.get("Location") == settings.get("location")


def test_empty_list_hides_the_records(world: SandboxClient, http: requests.Session) -> None:
    world.misbehave("/", "empty_list")
    assert (orders(http, world).json(), orders(http, world).links) == ({"orders": []}, {})
    assert http.get(f"{world.url}/api/page/items", headers=API_TOKEN).json()["data"] == {"items": []}
    assert b"<entry>" not in http.get(f"{world.url}/feeds/articles.atom").content


def test_empty_page_says_that_more_follows_and_skips_nothing(
    world: SandboxClient, http: requests.Session
) -> None:
    first = orders(http, world)
    second = following(first, http)
    world.misbehave(LIST, "empty_page", times=1)
    empty = following(first, http)
    assert empty.json() == {"orders": []}
    assert empty.links["next"]["url"] != first.links["next"]["url"]
    assert following(empty, http).json() == second.json()


def test_doubled_record_comes_twice_within_its_page(world: SandboxClient, http: requests.Session) -> None:
    whole = orders(http, world).json()["orders"]
    world.misbehave(LIST, "doubled_record", times=1)
    assert orders(http, world).json()["orders"] == [*whole, whole[5]]


def test_gzip_bomb_is_small_on_the_wire(world: SandboxClient) -> None:
    world.misbehave(LIST, "gzip_bomb", megabytes=30)
    connection = http.client.HTTPConnection(urlsplit(world.url).netloc)
    connection.request("GET", LIST, headers=SHOPIFY_TOKEN)
    answer = connection.getresponse()
    assert answer.getheader("Content-Encoding") == "gzip"
    assert len(answer.read()) < 60_000
    connection.close()


def test_dripping_body_arrives_whole_in_the_end(world: SandboxClient, http: requests.Session) -> None:
    world.misbehave(f"{SHOP}/orders/count", "drip", milliseconds=1)
    answer = http.get(f"{world.url}{SHOP}/orders/count.json?status=any", headers=SHOPIFY_TOKEN)
    assert answer.json() == {"count": 120}


def test_latency_delays_the_answer(world: SandboxClient, http: requests.Session) -> None:
    world.misbehave(LIST, "latency", milliseconds=200)
    assert orders(http, world).elapsed.total_seconds() >= 0.2


def test_latency_counts_from_the_request_our_own_work_included(
    world: SandboxClient, http: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = itertools.count(step=60)  # one passes between the request and its answer
    monkeypatch.setattr("sandbox.server.time", SimpleNamespace(monotonic=lambda: next(minutes)))
    world.misbehave(LIST, "latency", milliseconds=60_000)
    assert orders(http, world).elapsed.total_seconds() < 30


@pytest.mark.parametrize(("kind", "settings"), [("bad_record", {}), ("drift", {"drift": "type"})])
def test_spoilt_answer_is_in_the_ledger(
    world: SandboxClient, http: requests.Session, kind: str, settings: dict[str, str]
) -> None:
    world.misbehave(LIST, kind, times=1, **settings)
    before = orders(http, world).content
    assert orders(http, world).content == before
    newest = world.ledger("shopify.orders", full=True)["expected"]["newest"].values()
    marks = [version["bad"] for version in newest], [version["drift"] for version in newest]
    assert (marks[0].count("nul"), marks[1].count("type")) == ((1, 0) if kind == "bad_record" else (0, 10))


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("earthquake", {}, "earthquake"),
        ("status", {"status": 200}, ">= 400"),
        ("status", {"oftne": 1}, "oftne"),
    ],
)
def test_unknown_fault_is_refused_by_name(
    world: SandboxClient, kind: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(SandboxError, match=said):
        world.misbehave("/", kind, **settings)
