"""Files behind signed links and in an S3-compatible store that refuses what the real ones refuse."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

import sandbox
from connectors import connect
from connectors.auth.presigning import StoreKey
from connectors.base import Access, Connector
from connectors.errors import AuthenticationError, ConfigError
from connectors.providers.csv import access as csv_access
from sandbox.files import music_table
from tests.connectors.csv.conftest import pages_of, payloads_of, records_of

KEY = {"accessKeyId": "AKIDSANDBOX", "secretAccessKey": "sandbox-store-secret"}
STORE_KEY = StoreKey(key_id="AKIDSANDBOX", secret="sandbox-store-secret", region="us-east-1")
SONGS = 43


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with sandbox.running(seed=11, songs=SONGS, catalog=5, scale=0.01) as client:
        yield client.url


def reader(url: str, identifier: str, credentials: dict[str, str], **settings: Any) -> Connector:
    clock = settings.pop("clock", lambda: datetime.fromtimestamp(time.time(), UTC))
    access = Access(private_hosts=frozenset({url.removeprefix("http://")}), clock=clock)
    config = {**music_table(identifier), "s3Endpoint": f"{url}/s3", **settings}
    return connect("csv", config=config, credentials=credentials, access=access)


# The signature


def test_a_link_is_signed_as_amazon_s_own_example() -> None:
    """The example of "Authenticating Requests: Using Query Parameters" in the Amazon S3 API reference."""
    key = StoreKey(
        key_id="AKIAIOSFODNN7EXAMPLE",
        secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
    )
    link = key.link(
        "https://examplebucket.s3.amazonaws.com/test.txt",
        now=datetime(2013, 5, 24, tzinfo=UTC),
        seconds=86400,
    )
    assert link.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    assert "wJalr" not in repr(key)


# Objects


@pytest.mark.parametrize("name", ["music.csv", "music.csv.gz", "all files.zip"])
def test_an_object_is_read_by_pages_however_it_is_packed(store: str, name: str) -> None:
    plain = records_of(reader(store, f"{store}/files/music.csv", {}))
    connector = reader(store, f"s3://exports/{name}", KEY, zipMember="music*" * name.endswith("zip"))
    assert records_of(connector, page_size=10) == plain
    assert len(plain) == SONGS
    assert [check for check in connector.probe() if not check.is_ok] == []


def test_temporary_keys_come_with_a_token(store: str) -> None:
    connector = reader(store, "s3://exports/music.csv", {**KEY, "sessionToken": "a/temporary+token="})
    assert len(records_of(connector)) == SONGS


def test_an_unchanged_object_is_not_read_again(store: str) -> None:
    state = pages_of(reader(store, "s3://exports/music.csv.gz", KEY))[-1].stream_state
    assert state
    assert records_of(reader(store, "s3://exports/music.csv.gz", KEY), state=state) == []


@pytest.mark.parametrize(
    ("credentials", "settings", "said"),
    [
        ({**KEY, "secretAccessKey": "canary-of-a-secret"}, {}, "SignatureDoesNotMatch"),
        ({**KEY, "accessKeyId": "AKIDOTHER"}, {}, "InvalidAccessKeyId"),
        (KEY, {"s3Region": "eu-central-1"}, "expecting 'us-east-1'"),
        (KEY, {"clock": lambda: datetime.now(UTC) - timedelta(days=1)}, "Request has expired"),
        (KEY, {"clock": lambda: datetime.now(UTC) + timedelta(days=1)}, "not valid yet"),
    ],
)
def test_what_the_store_refuses_is_told(
    store: str,
    credentials: dict[str, str],
    settings: dict[str, Any],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    connector = reader(store, "s3://exports/music.csv", credentials, **settings)
    with pytest.raises(ConfigError, match=said) as refusal:
        pages_of(connector)
    assert credentials["secretAccessKey"] not in f"{refusal.value}{caplog.text}{connector.credentials!r}"


def test_an_object_that_is_not_there_is_told(store: str) -> None:
    with pytest.raises(ConfigError, match="NoSuchKey"):
        pages_of(reader(store, "s3://exports/nothing.csv", KEY))


def test_an_object_needs_a_key(store: str) -> None:
    with pytest.raises(ConfigError, match="needs credentials"):
        reader(store, "s3://exports/music.csv", {})


@pytest.mark.parametrize(
    "given", ["s3://exports", "s3://exports/", "s3:///a.csv", "s3://exports/../a.csv", "s3://a b/c.csv"]
)
def test_what_names_no_object_is_told(store: str, given: str) -> None:
    with pytest.raises(ConfigError, match="give s3://BUCKET/NAME"):
        reader(store, given, KEY)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("s3://exports/a b/ü.csv", "https://exports.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC.csv"),
        ("s3://my.exports/a.csv", "https://s3.eu-west-1.amazonaws.com/my.exports/a.csv"),
    ],
)
def test_without_an_endpoint_it_is_amazon(given: str, address: str) -> None:
    config = {**music_table(given), "s3Region": "eu-west-1"}
    connector = connect("csv", config=config, credentials=KEY, access=Access())
    [settings] = connector.config.streams.values()
    asked = csv_access.address(settings, connector.credentials, now=datetime.now(UTC))
    connector.close()
    assert asked.partition("?")[0] == address
    assert "X-Amz-Credential=AKIDSANDBOX%2F" in asked


# Signed links


@pytest.fixture
def link(store: str) -> str:
    return STORE_KEY.link(f"{store}/s3/exports/music.csv", now=datetime.now(UTC), seconds=60)


def test_a_signed_link_is_a_secret_given_whole_or_in_part(store: str, link: str) -> None:
    address, _, query = link.partition("?")
    for signature in (link, query, f"?{query}"):
        connector = reader(store, address, {"signature": signature})
        assert len(payloads_of(connector, page_size=10)) == SONGS
        assert query not in repr(connector.credentials)


def test_a_link_that_has_ended_asks_for_another(store: str) -> None:
    address = f"{store}/s3/exports/music.csv"
    ended = STORE_KEY.link(address, now=datetime.now(UTC) - timedelta(hours=1), seconds=60)
    with pytest.raises(AuthenticationError, match=r"Request has expired.*give a new one") as refusal:
        pages_of(reader(store, address, {"signature": ended}))
    assert ended.rpartition("=")[2] not in str(refusal.value)


def test_a_link_that_leads_elsewhere_is_told_and_not_shown(store: str, link: str) -> None:
    plain = f"{store}/a.csv"
    for address, signature in [(f"{store}/other.csv", link), (link, link), (plain, plain)]:
        with pytest.raises(ConfigError, match=r"leads elsewhere|belongs to the credentials") as refusal:
            reader(store, address, {"signature": signature})
        assert "X-Amz-Signature" not in str(refusal.value)


def test_a_signature_does_not_show_where_the_answer_repeats_it(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a.csv").respond_with_data("bad sig canary-signature-0123", status=400)
    url = httpserver.url_for("").rstrip("/")
    with pytest.raises(ConfigError, match=r"bad sig \[secret\]"):
        pages_of(reader(url, f"{url}/a.csv", {"signature": "se=1&sig=canary-signature-0123"}))
