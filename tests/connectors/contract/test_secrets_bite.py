"""The checks of secrets can fail: with nothing left out of messages, every secret that is sent is found."""

from __future__ import annotations

import logging

import pytest
from pytest_httpserver import HTTPServer

from connectors.redaction import Redactor
from tests.connectors.contract import test_secrets as secrets
from tests.connectors.contract.test_secrets import said_back
from tests.connectors.contract.ways import SIGN, WAYS, each_way, has_secret

#: Nothing to hide, or a key that only signs, or credentials for another of the room's configs.
SENDS_NONE = {
    ("atom", "none"),
    ("csv", "none"),
    ("csv", "s3"),
    ("csv", "store none"),
    ("csv", "store signed_link"),
}
#: Where each secret of a way goes; all others send theirs in headers, and OAuth in bodies, too.
IN_QUERY = {("csv", "signed_link"), ("csv", "store s3"), ("rest", "key in the query")}


@pytest.fixture
def tactless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Redactor, "redact", lambda self, text: text)
    monkeypatch.setattr(secrets, "ANSWERS", ())


@each_way
@pytest.mark.usefixtures("tactless")
def test_a_secret_said_back_is_found_wherever_it_was_sent(
    name: str, way: str, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    leaks, sent = said_back(name, way, httpserver, caplog)
    assert {leak.rpartition(" ")[2] for leak in leaks} == sent
    assert bool(sent) == ((name, way) not in SENDS_NONE)
    assert ("query" in sent) == ((name, way) in IN_QUERY)


def test_every_place_and_room_has_a_way_that_goes_there() -> None:
    assert {*IN_QUERY, *SENDS_NONE} <= set(WAYS)
    assert {name for name, _ in set(WAYS) - SENDS_NONE} == {name for name, _ in WAYS}


def test_addresses_in_the_logs_of_a_library_are_found(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("urllib3"), "level", logging.DEBUG)
    logging.getLogger("urllib3")._cache.clear()  # type: ignore[attr-defined]
    leaks, _ = said_back("rest", "key in the query", httpserver, caplog)
    assert leaks


@pytest.mark.parametrize("text", [SIGN, f"k={SIGN}", "Y2FuYXJ5N29mOXNlY3JldHM=", "OmNhbmFyeTdvZjlzZWNyZXRz"])
def test_a_secret_is_known_in_any_spelling(text: str) -> None:
    assert has_secret(text)
    assert not has_secret(text[: len(text) // 2])
