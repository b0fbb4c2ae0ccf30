"""REST from settings alone: requests, paging, credentials, mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connectors import connect, exact_json
from connectors.base import Access, Connector, FetchRequest, Page
from connectors.errors import AuthenticationError, ConfigError, CursorExpired, RecordError, SchemaError
from connectors.http import RefusedRequest
from connectors.kinds import ContentItem, GenericRecord

PAGES = Path(__file__).parent / "pages"
LOOPBACK = Access(private_hosts=frozenset({"localhost"}))
Rest = Callable[..., Connector]


def page(name: str) -> bytes:
    return (PAGES / f"{name}.json").read_bytes()


def item(number: int) -> dict[str, int]:
    return {"id": number}


@pytest.fixture
def rest(httpserver: HTTPServer) -> Iterator[Rest]:
    """A source at /items of the test's own server, unless the settings say otherwise."""
    opened: list[Connector] = []

    def build(credentials: dict[str, str] | None = None, **config: Any) -> Connector:
        config = {"sourceIdentifier": httpserver.url_for("/items"), **config}
        connector = connect("rest", config=config, credentials=credentials or {}, access=LOOPBACK)
        opened.append(connector)
        return connector

    yield build
    for connector in opened:
        connector.close()


def fetch(connector: Connector, stream: str = "items", **request: Any) -> Page:
    return connector.fetch(connector.stream(stream), FetchRequest(**request))


def fetch_all(connector: Connector) -> list[Page]:
    pages, cursor = [], None
    for _ in range(20):
        pages.append(fetch(connector, cursor=cursor))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages
    pytest.fail("paging does not end")


def ids(pages: list[Page]) -> list[str]:
    return [record.external_id for page in pages for record in page.records]


def queries(httpserver: HTTPServer) -> list[dict[str, str]]:
    return [request.args.to_dict() for request, _ in httpserver.log]


# Records and kinds

ALBUMS = {
    "dataPath": "data.items",
    "targetTable": "content_index",
    "contentType": "music",
    "fieldMapping": {"external_id": "id", "title": "name", "artist": "artist.name", "updated_at": "changed"},
}


def test_the_example_of_the_source_documents_works(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items").respond_with_data(page("albums_1"), content_type="application/json")
    connector = rest(**ALBUMS)
    answer = fetch(connector)
    assert [record.external_id for record in answer.records] == ["9007199254740993", "b-2"]
    first = connector.stream("items").refine(exact_json.loads(answer.records[0].body))
    assert first == ContentItem(
        external_id="9007199254740993",
        title="Café Bleu",
        artist="Ana Ruíz",
        content_type="music",
        updated_at=datetime(2026, 4, 1, 10, tzinfo=UTC),
    )
    assert answer.records[0].updated_at == first.updated_at
    assert b'"price": 12.10' in answer.records[0].body


def test_settings_may_be_written_in_snake_case(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items").respond_with_data(page("albums_1"))
    connector = rest(data_path="data.items", target_table="content_item", field_mapping={"title": "name"})
    assert len(fetch(connector).records) == 2


def test_a_record_without_mapping_has_its_id_and_nothing_guessed(rest: Rest) -> None:
    refined = rest().stream("items").refine({"id": 5, "title": "not asked for"})
    assert refined == GenericRecord(external_id="5")


def test_a_record_that_does_not_fit_its_kind_is_a_record_error(rest: Rest) -> None:
    stream = rest(targetTable="catalog_items", fieldMapping={"price": "cost"}).stream("items")
    with pytest.raises(RecordError, match="price: 'dear' is not a number"):
        stream.refine({"id": 1, "cost": "dear"})


def test_several_streams_share_what_stands_at_the_top(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/albums").respond_with_json({"rows": [item(1)]})
    httpserver.expect_request("/songs").respond_with_json({"rows": [item(2)]})
    connector = rest(
        dataPath="rows",
        streams={
            "albums": {"sourceIdentifier": httpserver.url_for("/albums")},
            "songs": {"sourceIdentifier": httpserver.url_for("/songs"), "targetTable": "content_index"},
        },
    )
    assert [(stream.name, stream.kind) for stream in connector.streams()] == [
        ("albums", "record"),
        ("songs", "content_item"),
    ]
    assert ids([fetch(connector, "albums"), fetch(connector, "songs")]) == ["1", "2"]


def test_the_only_stream_may_have_a_name(rest: Rest) -> None:
    assert [stream.name for stream in rest(name="issues").streams()] == ["issues"]


# Requests


def test_headers_and_parameters_are_sent(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request(
        "/items", query_string={"q": "a b", "all": "true", "n": "3"}, headers={"X-Tenant": "acme"}
    ).respond_with_json([])
    page = fetch(rest(params={"q": "a b", "all": True, "n": 3}, headers={"X-Tenant": "acme"}))
    assert list(page.records) == []


def test_a_listing_may_be_a_post_with_its_parameters_in_the_body(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(
        "/items", method="POST", json={"filter": "x", "page": 1, "size": 2}
    ).respond_with_json([item(1), item(2)])
    httpserver.expect_oneshot_request(
        "/items", method="POST", json={"filter": "x", "page": 2, "size": 2}
    ).respond_with_json([])
    pagination = {"type": "page", "limitParam": "size", "limit": 2}
    connector = rest(method="POST", params={"filter": "x"}, pagination=pagination)
    cursor = fetch(connector, page_size=2).next_cursor
    assert fetch(connector, page_size=2, cursor=cursor).next_cursor is None
    assert queries(httpserver) == [{}, {}]


@pytest.mark.parametrize(
    ("time_format", "since", "until"),
    [
        ("iso", "2026-01-02T03:04:05Z", "2026-01-02T03:04:07Z"),
        ("epoch_s", "1767323045", "1767323047"),
        ("epoch_ms", "1767323045500", "1767323046001"),
    ],
)
def test_the_window_is_sent_in_the_format_asked_for_and_never_narrowed(
    time_format: str, since: str, until: str, rest: Rest, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/items").respond_with_json([])
    connector = rest(incremental={"param": "since", "untilParam": "until", "format": time_format})
    assert connector.stream("items").is_incremental
    fetch(
        connector,
        window_start=datetime(2026, 1, 2, 3, 4, 5, 500_900, tzinfo=UTC),
        window_end=datetime(2026, 1, 2, 3, 4, 6, 900, tzinfo=UTC),
    )
    assert queries(httpserver) == [{"since": since, "until": until}]


def test_a_full_refresh_sends_no_window(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items").respond_with_json([])
    fetch(rest(incremental={"param": "since"}))
    assert queries(httpserver) == [{}]


def test_the_time_of_change_of_a_record_is_read_and_refined(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items").respond_with_json([{"id": 1, "sys": {"at": "2026-01-02T03:04:05Z"}}])
    connector = rest(incremental={"param": "since", "field": "sys.at"})
    [record] = fetch(connector).records
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert record.updated_at == moment
    assert connector.stream("items").refine(exact_json.loads(record.body)).updated_at == moment


# Paging


def test_pages_are_read_to_the_total_and_the_total_is_told(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request("/items", query_string={"page": "1", "limit": "2"}).respond_with_data(
        page("albums_1")
    )
    httpserver.expect_oneshot_request("/items", query_string={"page": "2", "limit": "2"}).respond_with_data(
        page("albums_2")
    )
    pagination = {
        "enabled": True,
        "type": "page",
        "limitParam": "limit",
        "pageParam": "page",
        "limit": 2,
        "totalPath": "meta.total",
    }
    connector = rest(**ALBUMS, pagination=pagination)
    stream = connector.stream("items")
    assert (stream.page_size, stream.is_safely_resumable) == (2, False)
    first = fetch(connector, page_size=2)
    second = fetch(connector, page_size=2, cursor=first.next_cursor)
    assert ids([first, second]) == ["9007199254740993", "b-2", "b-3"]
    assert (first.expected_total, second.next_cursor) == (3, None)


def test_offsets_are_read_to_the_empty_page(rest: Rest, httpserver: HTTPServer) -> None:
    for offset, numbers in {0: [1, 2], 2: [3, 4], 4: []}.items():
        httpserver.expect_request("/items", query_string={"skip": str(offset)}).respond_with_json(
            [item(number) for number in numbers]
        )
    pages = fetch_all(rest(pagination={"type": "offset", "offsetParam": "skip"}))
    assert ids(pages) == ["1", "2", "3", "4"]


def test_cursors_are_followed(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items", query_string={"after": "c2"}).respond_with_data(page("albums_2"))
    httpserver.expect_request("/items", query_string={}).respond_with_data(page("albums_1"))
    pagination = {
        "type": "cursor",
        "cursorParam": "after",
        "cursorPath": "data.next",
        "hasMorePath": "meta.more",
    }
    connector = rest(**ALBUMS, pagination=pagination)
    assert ids(fetch_all(connector)) == ["9007199254740993", "b-2", "b-3"]
    assert connector.stream("items").is_safely_resumable


def test_next_urls_are_followed_without_our_own_parameters(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items", query_string={"q": "x"}).respond_with_json(
        {"rows": [item(1)], "next": "/items?token=t2"}
    )
    httpserver.expect_request("/items", query_string={"token": "t2"}).respond_with_json(
        {"rows": [item(2)], "next": None}
    )
    connector = rest(dataPath="rows", params={"q": "x"}, pagination={"type": "next"})
    assert ids(fetch_all(connector)) == ["1", "2"]


def test_link_headers_are_followed_and_a_total_header_is_told(rest: Rest, httpserver: HTTPServer) -> None:
    link = (
        f'<{httpserver.url_for("/items")}?page=2>; rel="next", <{httpserver.url_for("/items")}>; rel="first"'
    )
    httpserver.expect_request("/items", query_string={"scope": "all"}).respond_with_data(
        page("issues_1"), headers={"link": link, "x-total": "200"}
    )
    httpserver.expect_request("/items", query_string={"page": "2"}).respond_with_json([item(33)])
    connector = rest(
        params={"scope": "all"},
        pagination={"type": "link"},
        totalHeader="x-total",
        incremental={"param": "updated_after", "field": "updated_at"},
        fieldMapping={"title": "title", "url": "web_url"},
    )
    pages = fetch_all(connector)
    assert ids(pages) == ["31", "32", "33"]
    assert pages[0].expected_total == 200
    assert pages[0].records[0].updated_at == datetime(2026, 5, 1, 0, 0, 0, 123_000, tzinfo=UTC)


def test_a_link_to_another_host_is_refused(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items").respond_with_json(
        [item(1)], headers={"Link": '<https://evil.example/>; rel="next"'}
    )
    with pytest.raises(ConfigError, match=r"evil\.example"):
        fetch(rest(pagination={"type": "link"}))


def test_max_pages_stops_and_the_total_still_tells(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items").respond_with_json({"rows": [item(1)], "total": 9})
    pagination = {"type": "page", "maxPages": 2, "totalPath": "total"}
    pages = fetch_all(rest(dataPath="rows", pagination=pagination))
    assert len(pages) == 2
    assert pages[-1].expected_total == 9


def test_disabled_pagination_reads_one_answer(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items").respond_with_json([item(1)])
    assert len(fetch_all(rest(pagination={"enabled": False, "type": "page"}))) == 1
    assert queries(httpserver) == [{}]


def test_a_page_past_the_end_may_be_missing(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items", query_string={"page": "1"}).respond_with_json([item(1)])
    httpserver.expect_request("/items", query_string={"page": "2"}).respond_with_json(
        {"detail": "Invalid page."}, 404
    )
    assert ids(fetch_all(rest(pagination={"type": "page"}))) == ["1"]


def test_a_first_page_that_is_missing_is_an_error(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items").respond_with_json({}, 404)
    with pytest.raises(RefusedRequest):
        fetch(rest(pagination={"type": "page"}))


def test_a_missing_page_below_the_total_is_an_error(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items", query_string={"page": "1"}).respond_with_json(
        {"rows": [item(1)], "n": 5}
    )
    httpserver.expect_request("/items", query_string={"page": "2"}).respond_with_json({}, 404)
    with pytest.raises(RefusedRequest):
        fetch_all(rest(dataPath="rows", pagination={"type": "page", "totalPath": "n"}))


@pytest.mark.parametrize(
    ("status", "body"), [(410, ""), (400, '{"error": "cursor expired"}'), (422, "Invalid CURSOR")]
)
def test_a_cursor_nobody_remembers_is_expired(
    status: int, body: str, rest: Rest, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/items").respond_with_data(body, status)
    connector = rest(pagination={"type": "cursor", "cursorPath": "next"})
    with pytest.raises(CursorExpired):
        fetch(connector, cursor="old")
    with pytest.raises(RefusedRequest):
        fetch(connector)


@pytest.mark.parametrize("total", ["many", -1, 1.5, True, [3]])
def test_a_total_that_is_no_count_is_a_schema_error(total: Any, rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items").respond_with_json({"rows": [], "total": total})
    with pytest.raises(SchemaError, match="the total at 'total'"):
        fetch(rest(dataPath="rows", pagination={"type": "page", "totalPath": "total"}))


# Credentials


@pytest.mark.parametrize(
    ("auth", "credentials", "headers", "query"),
    [
        ({"type": "none"}, {}, {}, {}),
        ({"type": "bearer"}, {"token": "t0k"}, {"Authorization": "Bearer t0k"}, {}),
        ({"type": "api_key"}, {"api_key": "k3y"}, {"X-API-Key": "k3y"}, {}),
        ({"type": "api_key", "header": "X-Auth"}, {"apiKey": "k3y"}, {"X-Auth": "k3y"}, {}),
        ({"type": "api_key", "param": "key"}, {"api_key": "k3y"}, {}, {"key": "k3y"}),
        (
            {"type": "basic"},
            {"username": "ann", "password": "p:w"},
            {"Authorization": "Basic YW5uOnA6dw=="},
            {},
        ),
    ],
    ids=["none", "bearer", "api_key", "other header", "parameter", "basic"],
)
def test_credentials_are_sent_as_the_auth_type_says(
    auth: dict[str, str],
    credentials: dict[str, str],
    headers: dict[str, str],
    query: dict[str, str],
    rest: Rest,
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request("/items", headers=headers, query_string=query).respond_with_json([item(1)])
    assert ids([fetch(rest(credentials, auth=auth))]) == ["1"]


@pytest.mark.parametrize(
    ("auth", "credentials", "missing"),
    [
        ("bearer", {}, "token"),
        ("bearer", {"token": ""}, "token"),
        ("api_key", {"token": "x"}, "api_key"),
        ("basic", {"username": "ann"}, "password"),
        ("oauth2", {"client_id": "a", "client_secret": "b"}, "token_url"),
    ],
)
def test_a_missing_credential_is_named(
    auth: str, credentials: dict[str, str], missing: str, rest: Rest
) -> None:
    with pytest.raises(ConfigError, match=f"auth type {auth} needs {missing}: give it with --credentials"):
        rest(credentials, auth={"type": auth})


@pytest.mark.parametrize(
    "name", ["token", "apiKey", "api_key", "password", "clientSecret", "client_secret", "key"]
)
def test_a_secret_in_the_config_is_refused_without_showing_it(name: str, rest: Rest) -> None:
    with pytest.raises(
        ConfigError, match=f"{name} must not be in the config: give it with --credentials"
    ) as caught:
        rest(auth={"type": "bearer", name: "canary-7"})
    assert "canary-7" not in str(caught.value)


@pytest.mark.parametrize("header", ["Authorization", "authorization", "Cookie"])
def test_a_secret_header_in_the_config_is_refused(header: str, rest: Rest) -> None:
    with pytest.raises(ConfigError, match="use auth and --credentials"):
        rest(headers={header: "Bearer canary"})


def test_a_key_the_source_puts_into_its_links_is_not_kept_in_the_cursor(
    rest: Rest, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/items", query_string={"key": "k3y"}).respond_with_json(
        {"rows": [item(1)], "next": httpserver.url_for("/items?page=2&key=k3y")}
    )
    httpserver.expect_request("/items", query_string={"page": "2", "key": "k3y"}).respond_with_json(
        {"rows": [item(2)]}
    )
    connector = rest(
        {"api_key": "k3y"},
        auth={"type": "api_key", "param": "key"},
        dataPath="rows",
        pagination={"type": "next"},
    )
    first = fetch(connector)
    assert "k3y" not in (first.next_cursor or "")
    assert ids([fetch(connector, cursor=first.next_cursor)]) == ["2"]


def test_a_key_in_the_path_is_neither_kept_in_the_cursor_nor_shown(
    rest: Rest, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/v1/k3y-canary/items", query_string="").respond_with_json(
        {"rows": [item(1)], "next": "/v1/k3y-canary/items?page=2"}
    )
    httpserver.expect_request("/v1/k3y-canary/items", query_string="page=2").respond_with_data("no", 400)
    connector = rest(
        {"api_key": "k3y-canary"},
        sourceIdentifier=httpserver.url_for("/v1/{api_key}/items"),
        auth={"type": "api_key", "path": True},
        dataPath="rows",
        pagination={"type": "next"},
    )
    first = fetch(connector)
    assert ids([first]) == ["1"]
    assert first.next_cursor == httpserver.url_for("/v1/{api_key}/items?page=2")
    with pytest.raises(RefusedRequest) as refusal:
        fetch(connector, cursor=first.next_cursor)
    assert "/v1/[secret]/items" in str(refusal.value)
    assert "k3y-canary" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "auth"),
    [
        ("http://example.com/items", {"type": "api_key", "path": True}),
        ("http://example.com/{api_key}/items", {"type": "api_key"}),
        ("http://example.com/{api_key}/items", {"type": "bearer", "path": True}),
        ("http://example.com/{api_key}/items", {"type": "api_key", "param": "key", "path": True}),
    ],
)
def test_a_key_in_the_path_has_its_place_there(url: str, auth: dict[str, Any], rest: Rest) -> None:
    with pytest.raises(ConfigError, match="path"):
        rest({"api_key": "k", "token": "t"}, sourceIdentifier=url, auth=auth)


@pytest.mark.parametrize("echo", ["k3y-canary", "cmVz", "YW5uOnB3LWNhbmFyeQ=="])
def test_credentials_a_source_echoes_are_left_out_of_the_message(
    echo: str, rest: Rest, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/items").respond_with_data(f"bad credentials {echo}!", 400)
    credentials = {"api_key": "k3y-canary", "token": "cmVz", "username": "ann", "password": "pw-canary"}
    with pytest.raises(RefusedRequest, match=r"bad credentials \[secret\]!"):
        fetch(rest(credentials, auth={"type": "api_key"}))


OAUTH = {"client_id": "app", "client_secret": "s3cret-canary"}


def test_an_oauth_token_is_fetched_once_and_used(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(
        "/token",
        method="POST",
        data="grant_type=client_credentials&scope=read",
        headers={"Authorization": "Basic YXBwOnMzY3JldC1jYW5hcnk="},
    ).respond_with_json({"access_token": "at-1", "expires_in": 3600, "token_type": "bearer"})
    httpserver.expect_request("/items", headers={"Authorization": "Bearer at-1"}).respond_with_json([item(1)])
    credentials = {**OAUTH, "token_url": httpserver.url_for("/token")}
    connector = rest(credentials, auth={"type": "oauth2", "scope": "read"})
    assert ids([fetch(connector), fetch(connector)]) == ["1", "1"]


def test_a_token_that_is_refused_is_renewed_once_and_the_page_asked_again(
    rest: Rest, httpserver: HTTPServer
) -> None:
    for token in ("at-1", "at-2"):
        httpserver.expect_ordered_request("/token").respond_with_json({"access_token": token})
        status = 401 if token == "at-1" else 200
        httpserver.expect_ordered_request(
            "/items", headers={"Authorization": f"Bearer {token}"}
        ).respond_with_json([item(1)], status)
    connector = rest({**OAUTH, "token_url": httpserver.url_for("/token")}, auth={"type": "oauth2"})
    assert ids([fetch(connector)]) == ["1"]


def test_a_second_refusal_is_an_authentication_error(rest: Rest, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/token").respond_with_json({"access_token": "at-canary"})
    httpserver.expect_request("/items").respond_with_data("no to at-canary", 401)
    connector = rest({**OAUTH, "token_url": httpserver.url_for("/token")}, auth={"type": "oauth2"})
    with pytest.raises(AuthenticationError, match=r"no to \[secret\]"):
        fetch(connector)
    assert len(httpserver.log) == 4


def test_a_client_the_token_door_refuses_is_an_authentication_error(
    rest: Rest, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/token").respond_with_json({"error": "invalid_client"}, 400)
    connector = rest({**OAUTH, "token_url": httpserver.url_for("/token")}, auth={"type": "oauth2"})
    with pytest.raises(AuthenticationError, match=r"/token: answered 400.*invalid_client"):
        fetch(connector)


@pytest.mark.parametrize(
    "body", ["<html>", "[]", "{}", '{"access_token": 5}', '{"access_token": "", "expires_in": 1}']
)
def test_a_token_answer_without_a_token_is_a_schema_error(
    body: str, rest: Rest, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/token").respond_with_data(body)
    connector = rest({**OAUTH, "token_url": httpserver.url_for("/token")}, auth={"type": "oauth2"})
    with pytest.raises(SchemaError, match="no usable access_token"):
        fetch(connector)


# Settings


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sourceIdentifier": "ftp://x.example/"}, "sourceIdentifier: .*http or https"),
        ({"sourceIdentifier": "https://ann:pw@x.example/"}, "sourceIdentifier: .*--credentials"),
        ({"sourceIdentifier": None}, "sourceIdentifier"),
        ({"method": "DELETE"}, "method"),
        ({"auth": {"type": "magic"}}, r"auth\.type"),
        ({"pagination": {"type": "spiral"}}, r"pagination\.type"),
        ({"pagination": {}}, "pagination: .*give type"),
        ({"pagination": {"type": "cursor"}}, "cursorPath"),
        ({"pagination": {"type": "page", "limit": 0}}, r"pagination\.limit"),
        ({"pagination": {"type": "page", "maxPages": 0}}, r"pagination\.maxPages"),
        ({"pagination": {"type": "page", "pageparam": "p"}}, r"pagination\.pageparam"),
        ({"dataPath": "data[0].items"}, "dataPath.*dotted path"),
        ({"incremental": {"format": "iso"}}, r"incremental\.param"),
        ({"incremental": {"param": "s", "format": "stardate"}}, r"incremental\.format"),
        ({"colour": "red"}, "colour"),
        ({"streams": {}}, "streams"),
        ({"streams": {"a": 5}}, r"streams\.a"),
        ({"targetTable": "nothing"}, "nothing"),
        ({"fieldMapping": {"titel": "x"}}, "titel"),
        ({"fieldMapping": {"title": "a-b"}}, "title"),
        ({"fieldMapping": {"external_id": "ids[0]"}}, "external_id: .*plain dotted path"),
    ],
)
def test_a_setting_that_is_not_usable_is_named(config: dict[str, Any], message: str, rest: Rest) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        rest(**config)
    assert "ann:pw" not in str(caught.value)
