"""The authorization server refuses what a real one refuses; simulators of providers rely on it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
import pytest

from sandbox.messages import Answer, Request
from sandbox.oauth import CODE_SECONDS, OAuthServer
from sandbox.oauth_rules import Client, Rules

BACK = "https://sync.example/back"
APP = Client(client_id="app", client_secret="s", redirect_uris=(BACK,), scopes=("read", "write"))


class Clock:
    seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def server(clock: Clock, **rules: Any) -> OAuthServer:
    return OAuthServer(APP, clock=clock, rules=Rules(**rules), passwords={"ann": "pw"})


def request(
    method: str, *, query: dict[str, str] | None = None, form: dict[str, str] | None = None
) -> Request:
    return Request(
        method=method,
        path="/",
        query=query or {},
        headers={},
        body=urlencode(form or {}).encode(),
        origin="",
        client="127.0.0.1",
    )


def ask(oauth: OAuthServer, **form: str) -> Answer:
    return oauth.token(request("POST", form={"client_id": "app", "client_secret": "s", **form}))


def body(answer: Answer) -> dict[str, Any]:
    return msgspec.json.decode(answer.body, type=dict[str, Any])


def code(oauth: OAuthServer, **asked: str) -> dict[str, str]:
    query = {"response_type": "code", "client_id": "app", "redirect_uri": BACK, "state": "s", **asked}
    answer = oauth.authorize(request("GET", query=query))
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def test_an_access_token_ends(clock: Clock) -> None:
    oauth = server(clock, access_seconds=60.0)
    token = body(ask(oauth, grant_type="client_credentials"))["access_token"]
    assert oauth.grant_of(token) is not None
    clock.seconds += 60
    assert oauth.grant_of(token) is None


def test_a_refresh_token_that_is_not_used_ends(clock: Clock) -> None:
    oauth = server(clock, refresh_seconds=100.0)
    refresh = oauth.first_refresh("app")
    clock.seconds += 99
    refresh = body(ask(oauth, grant_type="refresh_token", refresh_token=refresh))["refresh_token"]
    clock.seconds += 100
    assert body(ask(oauth, grant_type="refresh_token", refresh_token=refresh))["error"] == "invalid_grant"


def test_reuse_of_a_refresh_token_revokes_all_that_came_of_it(clock: Clock) -> None:
    oauth = server(clock)
    first = oauth.first_refresh("app")
    second = body(ask(oauth, grant_type="refresh_token", refresh_token=first))
    assert ask(oauth, grant_type="refresh_token", refresh_token=first).status == 400
    assert oauth.grant_of(second["access_token"]) is None
    assert ask(oauth, grant_type="refresh_token", refresh_token=second["refresh_token"]).status == 400
    assert oauth.calls == {"refresh_token ok": 1, "refresh_token invalid_grant": 2}


def test_a_forgiving_server_takes_the_token_before_until_its_successor_is_used(clock: Clock) -> None:
    oauth = server(clock, forgives_one=True)
    first = oauth.first_refresh("app")
    ask(oauth, grant_type="refresh_token", refresh_token=first)
    second = body(ask(oauth, grant_type="refresh_token", refresh_token=first))["refresh_token"]
    third = body(ask(oauth, grant_type="refresh_token", refresh_token=second))["refresh_token"]
    assert body(ask(oauth, grant_type="refresh_token", refresh_token=first))["error"] == "invalid_grant"
    assert body(ask(oauth, grant_type="refresh_token", refresh_token=third))["error"] == "invalid_grant"


def test_a_lost_answer_has_happened_all_the_same(clock: Clock) -> None:
    oauth = server(clock)
    first = oauth.first_refresh("app")
    oauth.lose_answers(1)
    lost = ask(oauth, grant_type="refresh_token", refresh_token=first)
    assert lost.damage is not None
    assert ask(oauth, grant_type="refresh_token", refresh_token=first).status == 400


def test_a_code_is_good_once_for_its_address_and_for_a_while(clock: Clock) -> None:
    oauth = server(clock)
    grant = {"grant_type": "authorization_code", "redirect_uri": BACK}
    answer = code(oauth)
    assert answer["state"] == "s"
    assert (
        ask(oauth, **{**grant, "redirect_uri": "https://elsewhere.example/"}, code=answer["code"]).status
        == 400
    )
    token = body(ask(oauth, **grant, code=answer["code"]))["access_token"]
    assert ask(oauth, **grant, code=answer["code"]).status == 400
    assert oauth.grant_of(token) is None  # a code used twice was stolen
    late = code(oauth)["code"]
    clock.seconds += CODE_SECONDS
    assert ask(oauth, **grant, code=late).status == 400


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"scope": "read delete", "code_challenge": "x", "code_challenge_method": "S256"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": "x", "code_challenge_method": "plain"}, "invalid_request"),
        ({}, "invalid_request"),
    ],
)
def test_what_is_asked_wrongly_comes_back_as_an_error(
    clock: Clock, asked: dict[str, str], error: str
) -> None:
    assert code(server(clock, needs_pkce=True), **asked)["error"] == error


@pytest.mark.parametrize(
    ("back", "status"),
    [
        ("http://127.0.0.1:8000/back", 302),
        ("http://127.0.0.1:31999/back", 302),
        ("http://127.0.0.1:31999/elsewhere", 400),
        ("http://127.0.0.1:31999/back?more=1", 400),
        ("https://127.0.0.1:31999/back", 400),
        ("http://localhost:8000/back", 400),
        ("http://127.0.0.1.thief.example:8000/back", 400),
        ("https://sync.example:8443/back", 400),
    ],
)
def test_on_loopback_any_port_is_the_registered_one(clock: Clock, back: str, status: int) -> None:
    app = Client(client_id="app", redirect_uris=(BACK, "http://127.0.0.1:8000/back"))
    query = {"response_type": "code", "client_id": "app", "redirect_uri": back}
    assert OAuthServer(app, clock=clock).authorize(request("GET", query=query)).status == status


def test_nobody_is_sent_to_an_address_that_is_not_registered(clock: Clock) -> None:
    query = {"response_type": "code", "client_id": "app", "redirect_uri": "https://thief.example/"}
    answer = server(clock).authorize(request("GET", query=query))
    assert (answer.status, answer.headers) == (400, {})


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "magic"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_secret": "x"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "scope": "delete"}, 400, "invalid_scope"),
        ({"grant_type": "password", "username": "ann", "password": "x"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "x"}, 400, "invalid_grant"),
    ],
)
def test_refusals_are_those_of_the_standard(
    clock: Clock, form: dict[str, str], status: int, error: str
) -> None:
    answer = ask(server(clock), **form)
    assert (answer.status, body(answer)["error"]) == (status, error)


def test_data_is_refused_in_the_words_of_the_standard(clock: Clock) -> None:
    oauth = server(clock)
    token = body(ask(oauth, grant_type="client_credentials", scope="read"))["access_token"]
    assert oauth.refusal(request("GET")) is not None
    allowed = Request(
        method="GET",
        path="/",
        query={},
        headers={"authorization": f"Bearer {token}"},
        body=b"",
        origin="",
        client="127.0.0.1",
    )
    assert oauth.refusal(allowed, scope="read") is None
    refused = oauth.refusal(allowed, scope="write")
    assert refused is not None
    assert refused.status == 403
    assert 'error="insufficient_scope", scope="write"' in refused.headers["WWW-Authenticate"]
