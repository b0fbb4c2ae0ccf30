"""A file behind a URL is read by ranges where the server knows them; a cut one is never taken for whole."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connectors import connect, downloads
from connectors.base import Access, Connector, FetchRequest
from connectors.errors import ConfigError, CursorExpired, SchemaError, TransientError
from tests.connectors.csv.conftest import pages_of, records_of

Maker = Callable[..., Connector]
Shelves = Callable[..., "tuple[Shelf, Connector]"]
TEXT = "a,b\n" + "".join(f'{number},"x\n{number}"\n' for number in range(400))


class Shelf:
    """A server's file, with the habits of one kind of server."""

    def __init__(self, body: bytes, **habits: Any) -> None:
        self.body = body
        self.headers = habits.get("headers", {})
        self.next_headers = habits.get("next_headers")
        self.knows_ranges = habits.get("knows_ranges", True)
        self.names_total = habits.get("names_total", True)
        self.most_bytes = habits.get("most_bytes", 1 << 30)
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Response:
        answer = self._answer(request)
        self.headers = self.next_headers or self.headers
        return answer

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        etag = self.headers.get("ETag")
        if etag and request.headers.get("If-None-Match") == etag:
            return Response(status=304, headers=self.headers)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        validators = {self.headers.get("ETag"), self.headers.get("Last-Modified"), None}
        if not wanted or not self.knows_ranges or request.headers.get("If-Range") not in validators:
            return Response(self.body, headers=self.headers)
        first, last = (
            int(wanted[1]),
            min(int(wanted[2]), len(self.body) - 1, int(wanted[1]) + self.most_bytes - 1),
        )
        total = len(self.body) if self.names_total else "*"
        if first >= len(self.body):
            return Response(status=416, headers={**self.headers, "Content-Range": f"bytes */{total}"})
        span = {"Content-Range": f"bytes {first}-{last}/{total}"}
        return Response(self.body[first : last + 1], status=206, headers={**self.headers, **span})


@pytest.fixture
def shelf(httpserver: HTTPServer, source: Maker, monkeypatch: pytest.MonkeyPatch) -> Shelves:
    """Return a maker of a served file and the source that reads it, in small ranges."""
    monkeypatch.setattr(downloads, "MIN_CHUNK_BYTES", 700)

    def make(
        body: bytes | str = TEXT, config: dict[str, Any] | None = None, **habits: Any
    ) -> tuple[Shelf, Connector]:
        made = Shelf(body.encode() if isinstance(body, str) else body, **habits)
        httpserver.expect_request("/file.csv").respond_with_handler(made.answer)
        settings = {
            "sourceIdentifier": httpserver.url_for("/file.csv"),
            "targetTable": "record",
            **(config or {}),
        }
        return made, source(**settings)

    return make


@pytest.mark.parametrize(
    "habits",
    [
        {"headers": {"ETag": '"v1"'}},
        {"headers": {"ETag": 'W/"v1"'}},
        {"headers": {"Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"}},
        {},
        {"headers": {"ETag": '"v1"'}, "names_total": False},
        {"headers": {"ETag": '"v1"'}, "most_bytes": 100},
        {"headers": {"ETag": '"v1"'}, "knows_ranges": False},
        {"knows_ranges": False},
    ],
)
@pytest.mark.parametrize("page_size", [7, 100, 500])
def test_every_kind_of_server_gives_the_same_records(
    shelf: Shelves, table: Maker, habits: dict[str, Any], page_size: int
) -> None:
    expected = records_of(table(TEXT))
    _, connector = shelf(**habits)
    assert records_of(connector, page_size=page_size) == expected
    assert len(expected) == 400


def test_only_the_bytes_needed_are_asked_for(shelf: Shelves) -> None:
    made, connector = shelf(headers={"ETag": '"v1"'})
    page = connector.fetch(connector.streams()[0], FetchRequest(page_size=10))
    assert [request.headers["Range"] for request in made.requests] == ["bytes=0-699"]
    assert made.requests[0].headers["Accept-Encoding"] == "identity"
    connector.fetch(connector.streams()[0], FetchRequest(cursor=page.next_cursor, page_size=10))
    offset = len("a,b\n") + sum(len(f'{number},"x\n{number}"\n') for number in range(10))
    assert made.requests[1].headers["Range"].startswith(f"bytes={offset}-")
    assert made.requests[1].headers["If-Range"] == '"v1"'


@pytest.mark.parametrize("knows_ranges", [True, False])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ETag": '"v1"'}, {"ETag": '"v2"'}),
        ({"ETag": 'W/"v1"'}, {"ETag": 'W/"v2"'}),
        (
            {"Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"},
            {"Last-Modified": "Sun, 22 Nov 2026 10:00:01 GMT"},
        ),
    ],
)
def test_file_changed_on_the_server_is_read_again(
    shelf: Shelves, before: dict[str, str], after: dict[str, str], *, knows_ranges: bool
) -> None:
    made, connector = shelf(headers=before, knows_ranges=knows_ranges)
    stream = connector.streams()[0]
    page = connector.fetch(stream, FetchRequest(page_size=10))
    made.headers = after
    other_worker = type(connector)(
        config=connector.config, credentials=connector.credentials, access=connector.access
    )
    with pytest.raises(CursorExpired, match="changed"):
        other_worker.fetch(stream, FetchRequest(cursor=page.next_cursor, page_size=10))
    other_worker.close()


def test_file_that_shrank_is_read_again(shelf: Shelves) -> None:
    made, connector = shelf()
    stream = connector.streams()[0]
    page = connector.fetch(stream, FetchRequest(page_size=10))
    made.body = made.body[:20]
    with pytest.raises(CursorExpired, match="changed"):
        connector.fetch(stream, FetchRequest(cursor=page.next_cursor, page_size=10))


def test_file_that_changes_within_a_page_is_read_again(shelf: Shelves) -> None:
    made, connector = shelf(headers={"ETag": '"v1"'}, next_headers={"ETag": '"v2"'})
    with pytest.raises(CursorExpired, match="changed on the server"):
        pages_of(connector)
    assert len(made.requests) == 2


def test_unchanged_file_is_not_sent_again(shelf: Shelves) -> None:
    made, connector = shelf(headers={"ETag": '"v1"'})
    state = pages_of(connector)[-1].stream_state
    made.requests.clear()
    (page,) = pages_of(connector, state=state)
    assert (list(page.records), page.stream_state) == ([], state)
    assert [request.headers["If-None-Match"] for request in made.requests] == ['"v1"']


def test_server_that_ignores_conditions_is_seen_through(shelf: Shelves) -> None:
    _, connector = shelf(knows_ranges=False)
    state = pages_of(connector)[-1].stream_state
    assert state
    assert records_of(connector, state=state) == []


def test_equal_length_alone_does_not_count_as_unchanged(shelf: Shelves) -> None:
    _, connector = shelf()
    state = pages_of(connector)[-1].stream_state
    assert len(records_of(connector, state=state)) == 400


def test_empty_file_is_named(shelf: Shelves) -> None:
    for knows_ranges in (True, False):
        _, connector = shelf("", knows_ranges=knows_ranges)
        with pytest.raises(SchemaError, match="has not even a header row"):
            pages_of(connector)


def test_declared_charset_is_used(shelf: Shelves) -> None:
    headers = {"Content-Type": "text/csv; charset=ISO-8859-1"}
    _, connector = shelf("a\né\n".encode("latin-1"), headers=headers)
    assert [record.body for record in records_of(connector)] == ['{"a":"é"}'.encode()]


def test_mark_outranks_the_declared_charset(shelf: Shelves) -> None:
    headers = {"Content-Type": "text/csv; charset=ISO-8859-1"}
    _, connector = shelf("a\né\n".encode("utf-8-sig"), headers=headers)
    assert [record.body for record in records_of(connector)] == ['{"a":"é"}'.encode()]


@pytest.mark.parametrize("span", ["bytes 5-9/100", "bytes 0-x/100", "bytes */100", "", "items 0-9/100"])
def test_wrong_range_is_refused(httpserver: HTTPServer, source: Maker, span: str) -> None:
    httpserver.expect_request("/file.csv").respond_with_data(
        "0123456789", status=206, headers={"Content-Range": span}
    )
    with pytest.raises(SchemaError, match=r"206|asked for the bytes from 0"):
        pages_of(source(sourceIdentifier=httpserver.url_for("/file.csv")))


def test_range_shorter_than_announced_is_refused(httpserver: HTTPServer, source: Maker) -> None:
    headers = {"Content-Range": "bytes 0-99/200"}
    httpserver.expect_request("/file.csv").respond_with_data("0123456789", status=206, headers=headers)
    with pytest.raises(TransientError, match="10 bytes came where bytes 0-99/200"):
        pages_of(source(sourceIdentifier=httpserver.url_for("/file.csv")))


def test_missing_file_names_its_address_without_its_signature(httpserver: HTTPServer, source: Maker) -> None:
    httpserver.expect_request("/file.csv").respond_with_data("gone", status=404)
    with pytest.raises(ConfigError, match=r"/file\.csv") as caught:
        pages_of(source(sourceIdentifier=httpserver.url_for("/file.csv?signature=hunter2")))
    assert "hunter2" not in str(caught.value)


def test_error_in_the_file_does_not_show_the_signature(httpserver: HTTPServer, source: Maker) -> None:
    httpserver.expect_request("/file.csv").respond_with_data("x\n1\n")
    with pytest.raises(ConfigError, match=r"/file\.csv: line 1") as caught:
        pages_of(source(sourceIdentifier=httpserver.url_for("/file.csv?signature=hunter2"), externalId="y"))
    assert "hunter2" not in str(caught.value)


@contextmanager
def _raw_server(answer: bytes) -> Iterator[int]:
    """Serve exactly these bytes, then close the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\na,b\n1,2\n3,4",
        b"HTTP/1.0 200 OK\r\n\r\na,b\n1,2\n3",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\na,b\n1,2\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\na,b\n1,2\n\r\n",
    ],
)
def test_cut_body_is_never_a_whole_file(answer: bytes) -> None:
    with _raw_server(answer) as port:
        connector = connect(
            "csv",
            config={"sourceIdentifier": f"http://127.0.0.1:{port}/file.csv", "targetTable": "record"},
            credentials={},
            access=Access(private_hosts=frozenset({f"127.0.0.1:{port}"})),
        )
        with pytest.raises(TransientError):
            pages_of(connector)
        connector.close()


def test_whole_body_of_unannounced_length_is_taken_when_its_last_line_ends() -> None:
    with _raw_server(b"HTTP/1.0 200 OK\r\n\r\na,b\n1,2\n") as port:
        connector = connect(
            "csv",
            config={"sourceIdentifier": f"http://127.0.0.1:{port}/file.csv", "targetTable": "record"},
            credentials={},
            access=Access(private_hosts=frozenset({f"127.0.0.1:{port}"})),
        )
        assert len(records_of(connector)) == 1
        connector.close()


def test_server_without_ranges_sends_the_file_once(shelf: Shelves) -> None:
    made, connector = shelf(knows_ranges=False)
    assert len(records_of(connector, page_size=10)) == 400
    assert len(made.requests) == 1


def test_new_run_asks_such_a_server_again(shelf: Shelves) -> None:
    made, connector = shelf(knows_ranges=False)
    records_of(connector, page_size=10)
    made.body = b"a,b\n1,2\n"
    assert [record.body for record in records_of(connector)] == [b'{"a":"1","b":"2"}']
