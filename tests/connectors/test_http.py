"""The guarded session against real sockets that misbehave."""

from __future__ import annotations

import gzip
import logging
import re
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connectors.base import Access
from connectors.errors import (
    AuthenticationError,
    BadResponse,
    ConfigError,
    ConnectorError,
    RateLimited,
    TransientError,
)
from connectors.http import HttpSession, RefusedRequest, Timeouts
from connectors.redaction import shown_url
from connectors.refusals import retry_after
from connectors.sockets import MAX_HEADER_BYTES, is_public

LOOPBACK = Access(private_hosts=frozenset({"127.0.0.1", "localhost"}))
SECRET = "s3cr3t/+ key"

RawServer = Callable[[bytes], str]


@pytest.fixture
def http() -> Iterator[HttpSession]:
    session = HttpSession(
        connector="shop",
        access=LOOPBACK,
        headers={"X-Api-Key": "canary"},
        secrets=[SECRET],
        timeout=Timeouts(connect=2, read=2, total=5),
    )
    yield session
    session.close()


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    """Answer one connection with exactly these bytes, then close it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def serve(answer: bytes) -> str:
            thread = threading.Thread(target=_answer_once, args=(listener, answer))
            thread.start()
            threads.append(thread)
            return f"http://127.0.0.1:{listener.getsockname()[1]}/page"

        yield serve
        for thread in threads:
            thread.join(10)


def _answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        try:
            connection.sendall(answer)
        except OSError:
            return  # the client has seen enough


# Plain sailing


def test_answer_holds_status_headers_and_whole_body(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/items", query_string={"page": "2"}).respond_with_data(
        b"[1]", headers={"X-Total": "7"}
    )
    answer = http.request("GET", httpserver.url_for("/items"), params={"page": 2})
    assert (answer.status, answer.body, answer.headers["x-total"]) == (200, b"[1]", "7")


def test_only_gzip_is_asked_for_and_it_is_unpacked(http: HttpSession, httpserver: HTTPServer) -> None:
    body = b"".join(b"record %d, " % number for number in range(150_000))
    httpserver.expect_request("/", headers={"Accept-Encoding": "gzip"}).respond_with_data(
        gzip.compress(body[:1_000_000]) + gzip.compress(body[1_000_000:]),
        headers={"Content-Encoding": "gzip"},
    )
    assert http.request("GET", httpserver.url_for("/")).body == body


def test_json_and_form_bodies_are_sent_as_such(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/json", method="POST", json={"big": 9007199254740993}).respond_with_data("ok")
    httpserver.expect_request("/form", method="POST", data="a=b+c").respond_with_data("ok")
    assert (
        http.request("POST", httpserver.url_for("/json"), json_body={"big": 9007199254740993}).status == 200
    )
    assert http.request("POST", httpserver.url_for("/form"), form={"a": "b c"}).status == 200


def test_no_netrc_replaces_our_credentials(
    http: HttpSession, httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login thief password thief")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    httpserver.expect_request("/", headers={"Authorization": "Bearer ours"}).respond_with_data("ok")
    assert (
        http.request("GET", httpserver.url_for("/"), headers={"Authorization": "Bearer ours"}).status == 200
    )


def test_a_header_of_the_call_replaces_the_session_s_however_it_is_spelled(
    http: HttpSession, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/", headers={"X-Api-Key": "other"}).respond_with_data("ok")
    assert http.request("GET", httpserver.url_for("/"), headers={"x-api-key": "other"}).status == 200


def test_cookies_are_not_carried_from_call_to_call(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/").respond_with_data("ok", headers={"Set-Cookie": "canary=1"})
    httpserver.expect_ordered_request("/").respond_with_data("ok")
    for _ in range(2):
        http.request("GET", httpserver.url_for("/"))
    assert [("Cookie" in request.headers) for request, _ in httpserver.log] == [False, False]


def test_no_proxy_of_the_environment_is_used(
    http: HttpSession, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    httpserver.expect_request("/").respond_with_data("ok")
    assert http.request("GET", httpserver.url_for("/")).status == 200


# Redirects


def test_redirect_on_the_same_host_is_followed_with_our_headers(
    http: HttpSession, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/old").respond_with_data("", 301, headers={"Location": "/new"})
    httpserver.expect_request("/new", headers={"X-Api-Key": "canary"}).respond_with_data("moved")
    answer = http.request("GET", httpserver.url_for("/old"))
    assert (answer.body, answer.url) == (b"moved", httpserver.url_for("/new"))


def test_redirect_to_another_host_is_refused_and_sends_nothing_there(
    http: HttpSession, httpserver: HTTPServer
) -> None:
    with HTTPServer() as elsewhere:
        httpserver.expect_request("/").respond_with_data(
            "", 302, headers={"Location": elsewhere.url_for("/x")}
        )
        with pytest.raises(ConfigError, match=rf"redirected to http://localhost:{elsewhere.port}/x"):
            http.request("GET", httpserver.url_for("/"))
        assert elsewhere.log == []


@pytest.mark.parametrize(
    "location",
    ["https://localhost/x", "//evil.example/x", "ftp://localhost/", "http://a@localhost/"],
)
def test_redirect_to_another_scheme_or_host_is_refused(
    location: str, http: HttpSession, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data("", 302, headers={"Location": location})
    with pytest.raises(ConfigError):
        http.request("GET", httpserver.url_for("/"))
    assert len(httpserver.log) == 1


def test_redirect_to_no_url_at_all_is_refused(http: HttpSession, raw_server: RawServer) -> None:
    with pytest.raises(ConfigError, match="no URL"):
        http.request("GET", raw_server(b"HTTP/1.1 302 Found\r\nLocation: http://[/\r\n\r\n"))


def test_redirects_in_a_circle_end_after_three(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", 302, headers={"Location": "/"})
    with pytest.raises(ConfigError, match="more than 3 times"):
        http.request("GET", httpserver.url_for("/"))
    assert len(httpserver.log) == 4


def test_post_is_never_redirected(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/old").respond_with_data("", 307, headers={"Location": "/new"})
    with pytest.raises(ConfigError, match="redirected to"):
        http.request("POST", httpserver.url_for("/old"), json_body={})


# Bounds and truncation


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_truncated_body_is_refused(cut: int, http: HttpSession, raw_server: RawServer) -> None:
    url = raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" + b'[{"id":1},{"id":"22"}]'[:cut])
    with pytest.raises(TransientError, match="broke off"):
        http.request("GET", url)


def test_truncated_chunked_body_is_refused(http: HttpSession, raw_server: RawServer) -> None:
    url = raw_server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[{}]\n\r\n")
    with pytest.raises(TransientError, match="broke off"):
        http.request("GET", url)


@pytest.mark.parametrize("cut", [5, 15, 40, -1])
def test_gzip_without_its_end_is_refused_even_without_a_length(
    cut: int, http: HttpSession, raw_server: RawServer
) -> None:
    packed = gzip.compress(bytes(range(256)) * 10, mtime=0)
    url = raw_server(b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + packed[:cut])
    with pytest.raises(TransientError, match="gzip stream"):
        http.request("GET", url)


def test_garbage_declared_as_gzip_is_refused(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("no gzip", headers={"Content-Encoding": "gzip"})
    with pytest.raises(BadResponse, match="cannot be unpacked"):
        http.request("GET", httpserver.url_for("/"))


def test_an_encoding_nobody_asked_for_is_refused(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("x", headers={"Content-Encoding": "br"})
    with pytest.raises(BadResponse, match="'br'"):
        http.request("GET", httpserver.url_for("/"))


def test_gzip_bomb_is_refused_before_it_fills_the_memory(http: HttpSession, httpserver: HTTPServer) -> None:
    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    httpserver.expect_request("/").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    with pytest.raises(BadResponse, match=r"gzip bomb|larger than"):
        http.request("GET", httpserver.url_for("/"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000


@pytest.mark.parametrize("is_announced", [True, False])
def test_body_over_the_cap_is_refused(is_announced: bool, http: HttpSession, raw_server: RawServer) -> None:
    length = b"Content-Length: 5000\r\n" if is_announced else b""
    url = raw_server(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + b"x" * 5000)
    with pytest.raises(BadResponse, match="larger than 1000 bytes; ask for smaller pages"):
        http.request("GET", url, max_bytes=1000)


def test_endless_headers_are_refused(http: HttpSession, raw_server: RawServer) -> None:
    header = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 60_000) for n in range(20))
    assert len(header) > 4 * MAX_HEADER_BYTES
    with pytest.raises(BadResponse, match="headers are longer"):
        http.request("GET", raw_server(b"HTTP/1.1 200 OK\r\n" + header + b"Content-Length: 0\r\n\r\n"))


def test_something_other_than_http_is_a_transient_error(http: HttpSession, raw_server: RawServer) -> None:
    with pytest.raises(TransientError, match="broke off"):
        http.request("GET", raw_server(b"SSH-2.0-OpenSSH_9\r\n"))


def test_a_connection_closed_without_a_word_is_a_transient_error(
    http: HttpSession, raw_server: RawServer
) -> None:
    with pytest.raises(TransientError, match="broke off"):
        http.request("GET", raw_server(b""))


@pytest.mark.parametrize(
    "prefix", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"]
)
def test_a_drip_ends_at_the_total_deadline_in_headers_and_body(prefix: bytes) -> None:
    http = HttpSession(connector="shop", access=LOOPBACK, timeout=Timeouts(connect=1, read=1, total=0.6))
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_drip, args=(listener, prefix, is_over))
        thread.start()
        try:
            with pytest.raises(TransientError, match=r"not complete after 0\.6 s"):
                http.request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/")
        finally:
            is_over.set()
            thread.join(10)
    http.close()


def _drip(listener: socket.socket, prefix: bytes, is_over: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(prefix)
        while not is_over.wait(0.05):
            try:
                connection.sendall(b"x")
            except OSError:
                return


def test_silence_is_a_transient_error() -> None:
    http = HttpSession(connector="shop", access=LOOPBACK, timeout=Timeouts(connect=1, read=0.2, total=5))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(TransientError, match=r"no data for 0\.2 s"),
    ):
        http.request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/")
    http.close()


def test_silence_ends_at_the_total_deadline_where_that_comes_first() -> None:
    http = HttpSession(connector="shop", access=LOOPBACK, timeout=Timeouts(connect=1, read=60, total=0.2))
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_say_nothing, args=(listener, is_over))
        thread.start()
        with pytest.raises(TransientError, match=r"not complete after 0\.2 s"):
            http.request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/")
        is_over.set()
        thread.join(10)
    http.close()


def _say_nothing(listener: socket.socket, is_over: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        is_over.wait(5)


def test_nobody_listening_is_a_transient_error_naming_the_host(http: HttpSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransientError, match=f"cannot connect to 127.0.0.1 port {port}"):
        http.request("GET", f"http://127.0.0.1:{port}/")


# Statuses


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (429, {}, RateLimited),
        (429, {"Retry-After": "2.0"}, RateLimited),
        (503, {"Retry-After": "5"}, RateLimited),
        (503, {}, TransientError),
        (503, {"Retry-After": "soon"}, TransientError),
        (408, {}, TransientError),
        (425, {}, TransientError),
        (500, {}, TransientError),
        (502, {}, TransientError),
        (599, {}, TransientError),
        (401, {}, AuthenticationError),
        (400, {}, RefusedRequest),
        (402, {}, RefusedRequest),
        (403, {}, RefusedRequest),
        (404, {}, RefusedRequest),
        (405, {}, RefusedRequest),
        (410, {}, RefusedRequest),
        (422, {}, RefusedRequest),
        (204, {}, BadResponse),
        (206, {}, BadResponse),
        (304, {}, BadResponse),
    ],
)
def test_status_becomes_the_error_that_says_what_happens_next(
    status: int,
    headers: dict[str, str],
    error: type[ConnectorError],
    http: HttpSession,
    httpserver: HTTPServer,
) -> None:
    httpserver.expect_request("/items").respond_with_data("why not", status, headers=headers)
    with pytest.raises(
        ConnectorError, match=rf"^shop: GET localhost:\d+/items\?page=\.\.\.: answered {status}"
    ) as caught:
        http.request("GET", httpserver.url_for("/items?page=secret-ish"))
    assert type(caught.value) is error


def test_refusal_keeps_what_the_provider_said(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data('{"errors": "page_info is stale"}', 400)
    with pytest.raises(RefusedRequest, match="page_info is stale") as caught:
        http.request("GET", httpserver.url_for("/"))
    assert (caught.value.status, caught.value.body) == (400, b'{"errors": "page_info is stale"}')


def test_accepted_statuses_are_answers(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", 304, headers={"ETag": '"a"'})
    answer = http.request("GET", httpserver.url_for("/"), accept=frozenset({200, 304}))
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", '"a"')


DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.0"}, 1.0),
        ({"Retry-After": " 2.5 "}, 2.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "1000000000"}, 900.0),
        ({"Retry-After": "9" * 5000}, 900.0),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT", "Date": DATE}, 30.0),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:00 GMT", "Date": DATE}, 900.0),
        ({"Retry-After": "Sun, 22 Nov 2026 09:00:00 GMT", "Date": DATE}, None),
        ({"Retry-After": "Fri, 01 Jan 1999 00:00:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_every_spelling(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_rate_limit_carries_the_wait(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("", 429, headers={"Retry-After": "2.0"})
    with pytest.raises(RateLimited) as caught:
        http.request("GET", httpserver.url_for("/"))
    assert caught.value.retry_after == 2.0


# Secrets


@pytest.mark.parametrize(
    "echo", ["s3cr3t/+ key", "s3cr3t/%2B%20key", "s3cr3t%2F%2B%20key", "s3cr3t%2F%2B+key", "czNjcjN0Lysga2V5"]
)
def test_a_secret_the_provider_echoes_is_not_in_the_message(
    echo: str, http: HttpSession, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data(f"key {echo} is wrong", 400)
    with pytest.raises(RefusedRequest) as caught:
        http.request("GET", httpserver.url_for("/"))
    assert echo not in str(caught.value)
    assert "key [secret] is wrong" in str(caught.value)


def test_a_secret_in_the_path_or_query_is_not_in_the_message(
    http: HttpSession, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(re.compile("/hook/")).respond_with_data("", 404)
    with pytest.raises(ConnectorError) as caught:
        http.request("GET", httpserver.url_for("/hook/") + "s3cr3t/+%20key?key=s3cr3t/%2B+key&q=mail@x")
    text = str(caught.value)
    assert "s3cr3t" not in text
    assert "mail" not in text
    assert "?key=...&q=..." in text


def test_a_secret_learned_later_is_left_out_too(http: HttpSession, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("bad token abc-xyz", 400)
    http.keep_secret("abc-xyz")
    with pytest.raises(RefusedRequest, match=r"bad token \[secret\]"):
        http.request("GET", httpserver.url_for("/"))


def test_a_refused_redirect_does_not_show_the_query_of_its_target(
    http: HttpSession, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data(
        "", 302, headers={"Location": "https://sso.example/in?t=token9"}
    )
    with pytest.raises(ConfigError) as caught:
        http.request("GET", httpserver.url_for("/"))
    assert "sso.example" in str(caught.value)
    assert "token9" not in str(caught.value)


def test_connection_logs_hold_no_urls(
    http: HttpSession, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request("/").respond_with_data("ok")
    with caplog.at_level(logging.DEBUG):
        http.request("GET", httpserver.url_for("/"), params={"api_key": "in-the-query"})
    ours = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]
    assert not any("in-the-query" in message for message in ours)


def test_a_header_http_cannot_carry_is_a_config_error_without_its_value(
    http: HttpSession, httpserver: HTTPServer
) -> None:
    for value in ("line\nbreak-xyzzy", "euro-€-xyzzy"):
        with pytest.raises(ConfigError, match="character HTTP does not allow") as caught:
            http.request("GET", httpserver.url_for("/"), headers={"X-Token": value})
        assert "xyzzy" not in str(caught.value)


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "shop.example/items",
        "http://",
        "http://user:hunter2@shop.example/",
        "http://shop.example\\@127.0.0.1/",
        "http://shop.example/a b",
        "http://shop.example/\r\nX-Evil: 1",
        "http://shop.example:99999/",
        "http://[::1/",
        "javascript:alert(1)",
    ],
)
def test_a_bad_url_is_a_config_error(url: str, http: HttpSession) -> None:
    with pytest.raises(ConfigError) as caught:
        http.request("GET", url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "0", "0.0.0.0", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.53",
        "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
        "100.64.0.1", "100.127.255.255", "169.254.169.254", "169.254.0.1", "192.0.0.1", "192.0.2.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
        "255.255.255.255", "localhost", "localhost.", "LOCALHOST",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]",
        "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]",
        "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1:0:0:80ff:fffe]",
        "[fc00::1]", "[fd00:ec2::254]",
        "[fe80::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[100::1]",
    ],
)  # fmt: skip
def test_private_address_is_refused_in_every_spelling(host: str) -> None:
    http = HttpSession(connector="shop", access=Access(), timeout=Timeouts(connect=0.2, read=0.2, total=1))
    with pytest.raises(ConfigError, match=r"not a public address.*SYNC_PRIVATE_HOSTS"):
        http.request("GET", f"http://{host}:9/")
    http.close()


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def test_a_private_host_is_allowed_by_name_and_port_only(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("ok")
    url = f"http://127.0.0.1:{httpserver.port}/"
    allowed = HttpSession(
        connector="x", access=Access(private_hosts=frozenset({f"127.0.0.1:{httpserver.port}"}))
    )
    other = HttpSession(
        connector="x", access=Access(private_hosts=frozenset({f"127.0.0.1:{httpserver.port + 1}"}))
    )
    assert allowed.request("GET", url).body == b"ok"
    with pytest.raises(ConfigError, match="not a public address"):
        other.request("GET", url)
    allowed.close()
    other.close()


def _resolver(*answers: str) -> Callable[..., list[tuple[Any, ...]]]:
    """Pretend to be a name server that gives another address at each question."""
    left = list(answers)

    def resolve(host: str, port: int, *args: object, **kwargs: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (left.pop(0), port))]

    return resolve


def test_a_name_that_turns_private_at_the_second_look_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[str] = []

    class Dial(socket.socket):
        def connect(self, address: Any) -> None:
            dialled.append(address[0])
            raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", _resolver("93.184.216.34", "127.0.0.1"))
    monkeypatch.setattr(socket, "socket", Dial)
    http = HttpSession(connector="shop", access=Access())
    with pytest.raises(TransientError, match="cannot connect"):
        http.request("GET", "http://rebind.example/")
    assert dialled == ["93.184.216.34"]


def test_a_name_with_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
        for address in ("93.184.216.34", "10.0.0.7")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: both)
    http = HttpSession(connector="shop", access=Access())
    with pytest.raises(ConfigError, match=r"mixed\.example stands for 10\.0\.0\.7"):
        http.request("GET", "http://mixed.example/")


def test_host_header_is_the_name_although_an_address_is_dialled(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts: list[str] = []

    def note(request: Request) -> Response:
        hosts.append(request.host)
        return Response("ok")

    httpserver.expect_request("/").respond_with_handler(note)
    monkeypatch.setattr(socket, "getaddrinfo", _resolver("127.0.0.1"))
    http = HttpSession(connector="shop", access=Access(private_hosts=frozenset({"intranet.example"})))
    http.request("GET", f"http://intranet.example:{httpserver.port}/")
    assert hosts == [f"intranet.example:{httpserver.port}"]
    http.close()


def test_a_name_nobody_knows_is_a_transient_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    http = HttpSession(connector="shop", access=Access())
    with pytest.raises(TransientError, match=r"cannot resolve the host no\.example .*spelled right"):
        http.request("GET", "https://no.example/")


def test_tls_with_an_unknown_certificate_is_refused(tls_port: int) -> None:
    http = HttpSession(connector="shop", access=LOOPBACK)
    with pytest.raises(ConfigError, match=r"certificate is not trusted"):
        http.request("GET", f"https://localhost:{tls_port}/")
    http.close()


def test_tls_asks_for_the_name_of_the_url_and_not_the_address(
    tls_port: int, tls_names: list[str | None]
) -> None:
    http = HttpSession(connector="shop", access=LOOPBACK)
    with pytest.raises(ConfigError):
        http.request("GET", f"https://localhost:{tls_port}/")
    assert tls_names == ["localhost"]
    http.close()


@pytest.fixture
def tls_names() -> list[str | None]:
    return []


@pytest.fixture
def tls_port(tmp_path: Path, tls_names: list[str | None]) -> Iterator[int]:
    """Accept one TLS connection with a certificate nobody knows; note the name it is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_self_signed(tmp_path))
    context.sni_callback = lambda sock, name, _: tls_names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_shake_hands, args=(listener, context))
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def _self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2090, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


def _shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with connection:
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            return  # the client has hung up, as it should


def test_host_and_parameter_names_are_shown_but_no_values() -> None:
    assert (
        shown_url("https://u:p@shop.example:8443/a/b?key=1&key2=&x=y#z")
        == "shop.example:8443/a/b?key=...&key2=...&x=..."
    )
