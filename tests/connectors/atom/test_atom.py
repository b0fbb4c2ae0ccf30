"""The room itself: pages, conditions, tombstones, credentials, fields."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connectors import connect
from connectors.base import Access, Connector, FetchRequest, Page, Tombstone
from connectors.errors import (
    AuthenticationError,
    BadResponse,
    ConfigError,
    RecordError,
    SchemaError,
)
from connectors.kinds import ContentItem, GenericRecord

Maker = Callable[..., Connector]
XMLNS = 'xmlns="http://www.w3.org/2005/Atom"'


def feed_of(*ids: str, next_page: str = "", more: str = "", day: int = 1) -> str:
    link = f'<link rel="next" href="{next_page}"/>' if next_page else ""
    updated = f"<updated>2026-01-{day:02}T00:00:00Z</updated>"
    return f"<feed {XMLNS}>{link}{more}{''.join(f'<entry><id>{i}</id>{updated}</entry>' for i in ids)}</feed>"


@pytest.fixture
def feed(httpserver: HTTPServer) -> Maker:
    """Return a maker of a source over the test server's /feed."""

    def make(credentials: dict[str, Any] | None = None, **config: Any) -> Connector:
        settings = {"sourceIdentifier": httpserver.url_for("/feed"), **config}
        access = Access(private_hosts=frozenset({f"{httpserver.host}:{httpserver.port}"}))
        return connect("atom", config=settings, credentials=credentials or {}, access=access)

    return make


def pages_of(connector: Connector, **request: Any) -> list[Page]:
    stream = connector.streams()[0]
    pages = [connector.fetch(stream, FetchRequest(**request))]
    while pages[-1].next_cursor is not None:
        pages.append(connector.fetch(stream, FetchRequest(cursor=pages[-1].next_cursor, **request)))
    return pages


def ids_of(pages: list[Page]) -> list[list[str]]:
    return [[record.external_id for record in page.records] for page in pages]


def test_pages_are_followed_to_the_last(httpserver: HTTPServer, feed: Maker) -> None:
    httpserver.expect_request("/feed", query_string="page=2").respond_with_data(
        feed_of("3", next_page="?page=3")
    )
    httpserver.expect_request("/feed", query_string="page=3").respond_with_data(feed_of("4"))
    httpserver.expect_request("/feed").respond_with_data(feed_of("1", "2", next_page="/feed?page=2"))
    pages = pages_of(feed())
    assert ids_of(pages) == [["1", "2"], ["3"], ["4"]]
    assert pages[0].next_cursor == httpserver.url_for("/feed?page=2")


def test_records_carry_body_position_and_time_of_change(httpserver: HTTPServer, feed: Maker) -> None:
    httpserver.expect_request("/feed").respond_with_data(feed_of("x", "y", day=3))
    record = pages_of(feed())[0].records[1]
    assert json.loads(record.body) == {"id": "y", "updated": "2026-01-03T00:00:00Z"}
    assert (record.position, record.updated_at) == ("entry 2", datetime(2026, 1, 3, tzinfo=UTC))


@pytest.mark.parametrize("target", ["/feed", "?", "/feed?page=2", "/feed#again"])
def test_page_that_names_itself_or_the_first_is_kept(
    httpserver: HTTPServer, feed: Maker, target: str
) -> None:
    """Landing refuses the repetition; an error here would cost the entries of this page."""
    httpserver.expect_request("/feed").respond_with_data(feed_of("2", next_page=target))
    connector = feed()
    page = connector.fetch(connector.streams()[0], FetchRequest(cursor=httpserver.url_for("/feed?page=2")))
    assert ids_of([page]) == [["2"]]
    assert page.next_cursor is not None


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1/feed",
        "http://evil.example.com/feed",
        "//evil.example.com/feed",
        "ftp://127.0.0.1/x",
        "http://[x",
    ],
)
def test_next_page_on_another_server_is_refused(httpserver: HTTPServer, feed: Maker, target: str) -> None:
    httpserver.expect_request("/feed").respond_with_data(feed_of("1", next_page=target))
    with pytest.raises(ConfigError, match="another server"):
        pages_of(feed())


def test_unchanged_feed_is_not_sent_again(httpserver: HTTPServer, feed: Maker) -> None:
    seen: list[dict[str, str | None]] = []

    def answer(request: Request) -> Response:
        seen.append({name: request.headers.get(name) for name in ("If-None-Match", "If-Modified-Since")})
        validators = {"ETag": 'W/"v1"', "Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"}
        if request.headers.get("If-None-Match") == 'W/"v1"':
            return Response(status=304, headers=validators)
        return Response(feed_of("1"), headers=validators)

    httpserver.expect_request("/feed").respond_with_handler(answer)
    connector = feed()
    state = pages_of(connector)[0].stream_state
    (page,) = pages_of(connector, stream_state=state)
    assert (list(page.records), page.next_cursor, page.stream_state) == ([], None, state)
    assert seen == [
        {"If-None-Match": None, "If-Modified-Since": None},
        {"If-None-Match": 'W/"v1"', "If-Modified-Since": "Sun, 22 Nov 2026 10:00:00 GMT"},
    ]


def test_validators_belong_to_their_address(httpserver: HTTPServer, feed: Maker) -> None:
    httpserver.expect_request("/feed").respond_with_data(feed_of("1"), headers={"ETag": '"v1"'})
    httpserver.expect_request("/other").respond_with_data(feed_of("2"), headers={"ETag": '"v1"'})
    state = pages_of(feed())[0].stream_state
    other = feed(sourceIdentifier=httpserver.url_for("/other"))
    assert ids_of(pages_of(other, stream_state=state)) == [["2"]]
    assert "If-None-Match" not in httpserver.log[-1][0].headers


def test_304_nobody_asked_for_is_no_page(httpserver: HTTPServer, feed: Maker) -> None:
    httpserver.expect_request("/feed").respond_with_data("", status=304)
    with pytest.raises(BadResponse):
        pages_of(feed())


def test_later_pages_leave_the_state_alone(httpserver: HTTPServer, feed: Maker) -> None:
    httpserver.expect_request("/feed", query_string="p=2").respond_with_data(
        feed_of("2"), headers={"ETag": '"b"'}
    )
    httpserver.expect_request("/feed").respond_with_data(
        feed_of("1", next_page="?p=2"), headers={"ETag": '"a"'}
    )
    first, second = pages_of(feed())
    assert first.stream_state == {"url": httpserver.url_for("/feed"), "etag": '"a"'}
    assert second.stream_state is None


def test_deleted_entries_are_tombstones(httpserver: HTTPServer, feed: Maker) -> None:
    gone = (
        '<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref=" tag:x,1 "'
        ' when="2026-01-02T03:04:05Z"/>'
        '<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="tag:x,2" when="long ago"/>'
        '<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" when="2026-01-02T03:04:05Z"/>'
    )
    httpserver.expect_request("/feed").respond_with_data(feed_of("1", more=gone))
    (page,) = pages_of(feed())
    assert page.tombstones == [
        Tombstone(external_id="tag:x,1", deleted_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        Tombstone(external_id="tag:x,2"),
    ]


@pytest.mark.parametrize(
    ("config", "expected"),
    [({}, [["5"], ["3"], ["1"]]), ({"newestFirst": True}, [["5"], ["3"]])],
)
def test_old_pages_are_left_out_only_where_the_feed_is_sorted(
    httpserver: HTTPServer, feed: Maker, config: dict[str, Any], expected: list[list[str]]
) -> None:
    httpserver.expect_request("/feed", query_string="p=2").respond_with_data(
        feed_of("3", day=3, next_page="?p=3")
    )
    httpserver.expect_request("/feed", query_string="p=3").respond_with_data(feed_of("1", day=1))
    httpserver.expect_request("/feed").respond_with_data(feed_of("5", day=5, next_page="?p=2"))
    connector = feed(**config)
    assert connector.streams()[0].is_incremental == bool(config)
    assert ids_of(pages_of(connector, window_start=datetime(2026, 1, 4, tzinfo=UTC))) == expected
    assert ids_of(pages_of(connector)) == [["5"], ["3"], ["1"]]


def test_entry_without_usable_id_is_a_problem_among_good_ones(httpserver: HTTPServer, feed: Maker) -> None:
    httpserver.expect_request("/feed").respond_with_data(feed_of("1", "", "x" * 256, "é" * 255))
    good, blank, long, longest = pages_of(feed())[0].records
    assert (good.problem, longest.problem) == ("", "")
    assert (blank.problem, blank.external_id) == ("entry 2 has no id", "")
    assert (long.problem, long.external_id) == ("entry 3: its id is longer than 255 characters", "")


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        ({"token": "hunter2"}, "Bearer hunter2"),
        ({"username": "ann", "password": "hunter2é"}, "Basic " + b64encode("ann:hunter2é".encode()).decode()),
    ],
)
def test_credentials_are_sent_and_never_shown(
    httpserver: HTTPServer, feed: Maker, credentials: dict[str, str], header: str
) -> None:
    httpserver.expect_request("/feed").respond_with_data(f"you sent {header} hunter2é", status=401)
    connector = feed(credentials)
    with pytest.raises(AuthenticationError) as caught:
        pages_of(connector)
    assert httpserver.log[-1][0].headers["Authorization"] == header
    assert "hunter2" not in str(caught.value)
    assert header.partition(" ")[2] not in str(caught.value)
    assert "hunter2" not in repr(connector.credentials)


@pytest.mark.parametrize(
    "credentials",
    [{"username": "ann"}, {"password": "x"}, {"token": "t", "username": "ann", "password": "x"}],
)
def test_credentials_that_do_not_fit_together_are_refused(feed: Maker, credentials: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="atom credentials"):
        feed(credentials)


def test_broken_feed_names_its_address_without_its_parameters(httpserver: HTTPServer, feed: Maker) -> None:
    httpserver.expect_request("/feed").respond_with_data("<feed><entry></feed>")
    with pytest.raises(SchemaError, match=r"atom: .*/feed\?key=\.\.\.: ill-formed XML at line 1") as caught:
        pages_of(feed(sourceIdentifier=httpserver.url_for("/feed?key=hunter2")))
    assert "hunter2" not in str(caught.value)


def test_charset_of_the_answer_is_used(httpserver: HTTPServer, feed: Maker) -> None:
    httpserver.expect_request("/feed").respond_with_data(
        feed_of("é").encode("latin-1"), content_type="application/atom+xml; charset=ISO-8859-1"
    )
    assert ids_of(pages_of(feed())) == [["é"]]


ENTRY: dict[str, Any] = {
    "id": "tag:x,1",
    "title": "Title",
    "authors": [{"name": "Ann"}, {"name": "Bob"}],
    "categories": [{"term": "news", "label": "News"}],
    "links": [
        {"rel": "self", "href": "https://e.example.com/s"},
        {"rel": "alternate", "href": "https://e.example.com/a"},
    ],
    "published": "Sun, 22 Nov 2026 10:00:00 +0100",
    "updated": "2026-11-23T10:00:00Z",
    "extensions": {"{urn:y}score": "5"},
}


def test_entry_becomes_a_content_item(feed: Maker) -> None:
    stream = feed(contentType="article").streams()[0]
    assert (stream.name, stream.kind) == ("entries", "content_item")
    assert stream.refine(ENTRY) == ContentItem(
        external_id="tag:x,1",
        content_type="article",
        title="Title",
        artist="Ann",
        genre="News",
        url="https://e.example.com/a",
        occurred_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, 10, tzinfo=UTC),
    )


def test_poor_entry_becomes_a_poor_item(feed: Maker) -> None:
    entry = {"id": "1", "categories": [{"term": "news"}], "updated": "2026-11-23T10:00:00Z"}
    moment = datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert feed().streams()[0].refine(entry) == ContentItem(
        external_id="1", genre="news", occurred_at=moment, updated_at=moment
    )


def test_fields_may_be_mapped_otherwise(feed: Maker) -> None:
    stream = feed(
        targetTable="record", fieldMapping={"title": 'extensions."{urn:y}score"', "email": "authors[1].name"}
    ).streams()[0]
    assert stream.refine(ENTRY) == GenericRecord(
        external_id="tag:x,1",
        title="5",
        email="Bob",
        url="https://e.example.com/a",
        occurred_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, 10, tzinfo=UTC),
    )


def test_unreadable_date_is_the_record_s_own_error(feed: Maker) -> None:
    with pytest.raises(RecordError, match="updated_at: 'soon' is not a date"):
        feed().streams()[0].refine({"id": "1", "published": "2026-11-23", "updated": "soon"})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"fieldMapping": {"external_id": "title"}}, "external_id is always"),
        ({"fieldMapping": {"titel": "title"}}, "no field titel"),
        ({"fieldMapping": {"title": "a["}}, "is not a path"),
        ({"targetTable": "songs"}, "no kind 'songs'"),
        ({"newest": True}, "newest"),
        ({"sourceIdentifier": None}, "sourceIdentifier"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_at_once(
    feed: Maker, config: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        feed(**config)


def test_address_that_is_no_url_is_refused(feed: Maker) -> None:
    with pytest.raises(ConfigError, match="not a valid http"):
        pages_of(feed(sourceIdentifier="/etc/passwd"))


def test_several_feeds_are_several_streams(httpserver: HTTPServer, feed: Maker) -> None:
    connector = feed(
        contentType="article",
        streams={"a": {}, "b": {"sourceIdentifier": httpserver.url_for("/b"), "targetTable": "record"}},
    )
    assert [(stream.name, stream.kind) for stream in connector.streams()] == [
        ("a", "content_item"),
        ("b", "record"),
    ]
    httpserver.expect_request("/b").respond_with_data(feed_of("1"))
    page = connector.fetch(connector.stream("b"), FetchRequest())
    assert [record.external_id for record in page.records] == ["1"]
