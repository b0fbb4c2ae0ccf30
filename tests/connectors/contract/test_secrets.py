"""No room shows a secret of any of its ways in, wherever it sends it and whatever it is answered."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import quote

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connectors.auth.schemes import OAuthToken
from connectors.base import Connector, FetchRequest, Stream
from connectors.errors import ConfigError, ConnectorError
from tests.connectors.contract.rooms import NOWHERE
from tests.connectors.contract.ways import HELD, Way, each_way, has_secret, shown_by, ways_into

Shape = Callable[[str], str]
Mood = tuple[str, int, Shape]
PLACES: dict[str, Callable[[Request], str]] = {
    "query": lambda request: request.url,
    "headers": lambda request: "\n".join(value for name, value in request.headers if name != "Host"),
    "body": lambda request: request.get_data(as_text=True),
}


def _as_words(said: str) -> str:
    return f"<html>{said}"


def _as_error(said: str) -> str:
    errors = [{"message": said, "detail": said, "code": "E1"}]
    fault = {"Error": [{"Message": said, "Detail": said, "code": "100"}], "type": "ValidationFault"}
    return json.dumps({"errors": errors, "Fault": fault, "error": said, "error_description": said})


def _as_object(said: str) -> str:
    return json.dumps({"error": {"message": said, "type": said, "code": said}, "errors": said, "data": said})


#: How an answer may look; only those that rooms look into come in every shape.
ANSWERS = (
    *((status, _as_words) for status in (200, 302, 401, 403, 404, 429, 500)),
    *product((200, 400), (_as_error, _as_object)),
)


@dataclass
class Echo:
    """A provider that says back what it is sent, from one place of the request."""

    place: str = "query"
    status: int = 200
    shape: Shape = _as_words
    #: The places where secrets came.
    seen: set[str] = field(default_factory=set)

    def answer(self, request: Request) -> Response:
        self.seen |= {name for name, part in PLACES.items() if has_secret(part(request))}
        said = " ".join(PLACES[self.place](request).split())
        headers = {"Location": f"http://elsewhere.example/?{quote(said)}"} if self.status == 302 else {}
        if self.status == 403:
            headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{said}"'
        return Response(self.shape(said), self.status, headers, content_type="application/json")

    def moods(self) -> Iterator[str]:
        """Say back each place once, then those where secrets came in all ways."""
        first = [(place, 400, _as_words) for place in PLACES]
        yield from self._in_moods(first)
        yield from self._in_moods((place, *answer) for place in sorted(self.seen) for answer in ANSWERS)

    def _in_moods(self, moods: Iterable[Mood]) -> Iterator[str]:
        for self.place, self.status, self.shape in moods:
            yield f"{self.status} {self.shape.__name__} with the {self.place}"


@each_way
def test_no_secret_is_shown_though_the_provider_says_it_back(
    name: str, way: str, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    leaks, _ = said_back(name, way, httpserver, caplog)
    assert leaks == []


@each_way
def test_no_secret_is_shown_where_nobody_answers(
    name: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown, _ = _told(name, ways_into(name, NOWHERE)[way], NOWHERE, is_first=False)
    assert not has_secret("\n".join([*shown, *_logged(caplog)]))


def said_back(
    name: str, way: str, site: HTTPServer, caplog: pytest.LogCaptureFixture
) -> tuple[list[str], set[str]]:
    """Return the moods of the provider in which a secret is shown, and the places where secrets are sent."""
    caplog.set_level(logging.DEBUG)
    echo = Echo()
    site.expect_request(re.compile(".*")).respond_with_handler(echo.answer)
    url = site.url_for("").rstrip("/")
    leaks = []
    for mood in echo.moods():
        caplog.clear()
        is_first = (echo.status, echo.shape) != (400, _as_error)
        shown, errors = _told(name, ways_into(name, url)[way], url, is_first=is_first)
        assert errors or echo.status == 200, f"{mood}: nobody is told"
        if has_secret("\n".join([*shown, *_logged(caplog)])):
            leaks.append(mood)
    return leaks, echo.seen


def _told(name: str, way: Way, url: str, *, is_first: bool) -> tuple[list[str], int]:
    """Return what is shown of each stream or of the first, by a new source and by one with a token."""
    shown: list[str] = []
    errors = 0
    for token in (None, HELD):
        try:
            connector = way.opened(name, url, token=token)
        except ConfigError as error:
            # These credentials are not for such a config; being told so, too, must not show them.
            return [*shown, shown_by(error)], errors + 1
        try:
            if token is not None and not _has_token(connector):
                break
            shown += [repr(connector), repr(connector.credentials)]
            for stream in connector.streams()[: 1 if is_first else None]:
                for one in _asked(connector, stream):
                    shown.append(one)
                    errors += 1
        finally:
            connector.close()
    return shown, errors


def _has_token(connector: Connector) -> bool:
    return any(isinstance(one, OAuthToken) for one in connector.authorizers())


def _asked(connector: Connector, stream: Stream) -> Iterator[str]:
    try:
        connector.fetch(stream, FetchRequest())
    except ConnectorError as error:
        yield shown_by(error)


def _logged(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    for record in caplog.records:
        # The provider's own log, which runs in this process.
        if record.name != "werkzeug":
            yield f"{record.getMessage()} {record.__dict__}"
