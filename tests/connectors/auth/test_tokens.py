"""Getting tokens and using them, against an authorization server that forgives nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors import connect
from connectors.auth.endpoint import TokenEndpoint
from connectors.auth.grants import (
    AuthorizationCode,
    ClientCredentials,
    JwtBearer,
    PasswordGrant,
    RefreshTokenGrant,
)
from connectors.auth.schemes import ApiKey, BasicAuth, BearerToken, OAuthToken
from connectors.auth.tokens import MemoryTokens, Token, token_from
from connectors.base import Access, Connector, FetchRequest
from connectors.errors import (
    AuthenticationError,
    BadResponse,
    ConfigError,
    MissingScope,
    NeedsReconnect,
    TransientError,
)
from connectors.http import HttpSession, token_session
from sandbox.messages import Answer, Request, json_answer
from sandbox.oauth import OAuthServer
from tests.connectors.auth.conftest import Clock
from tests.oauth_site import SECRET, Site

BACK = "http://testserver/admin/ingest/source/connected/"
LOOPBACK = Access(private_hosts=frozenset({"127.0.0.1"}))
Make = Callable[..., TokenEndpoint]


@pytest.fixture
def endpoint(site: Site, clock: Clock) -> Iterator[Make]:
    http = token_session(connector="shop", access=LOOPBACK, secrets=[SECRET])

    def make(**settings: Any) -> TokenEndpoint:
        known = {"client_id": "app", "client_secret": SECRET, **settings}
        return TokenEndpoint(connector="shop", http=http, url=f"{site.url}/token", now=clock.now, **known)

    yield make
    http.close()


def is_good(site: Site, token: Token) -> bool:
    return site.oauth.grant_of(token.access) is not None


# Grants


@pytest.mark.parametrize("client_auth", ["body", "basic"])
def test_client_credentials_give_a_token_with_its_end_and_scopes(
    site: Site, clock: Clock, endpoint: Make, client_auth: str
) -> None:
    grant = ClientCredentials(endpoint=endpoint(client_auth=client_auth), scope="items.read")
    token = grant.mint(None)
    assert is_good(site, token)
    assert token.scopes == ("items.read",)
    assert token.expires_at is not None
    assert (token.expires_at - clock.now()).total_seconds() == 3600


def test_a_client_that_has_to_show_itself_by_basic_is_refused_in_the_body(site: Site, endpoint: Make) -> None:
    site.oauth.rules = replace(site.oauth.rules, client_auth="basic")
    with pytest.raises(AuthenticationError, match="invalid_client") as caught:
        ClientCredentials(endpoint=endpoint(client_auth="body")).mint(None)
    assert not isinstance(caught.value, NeedsReconnect)
    ClientCredentials(endpoint=endpoint(client_auth="basic")).mint(None)


def test_a_password_gives_a_token_each_time_whatever_was_held(site: Site, endpoint: Make) -> None:
    grant = PasswordGrant(endpoint=endpoint(), username="ann", password="password-canary")
    first = grant.mint(None)
    assert is_good(site, grant.mint(replace(first, refresh="used up by somebody else")))


def test_a_wrong_password_needs_a_person_and_is_not_shown(endpoint: Make) -> None:
    grant = PasswordGrant(endpoint=endpoint(), username="ann", password="wrong-canary")
    with pytest.raises(NeedsReconnect, match="invalid_grant") as caught:
        grant.mint(None)
    assert "wrong-canary" not in str(caught.value)


def test_a_refresh_token_that_rotates_is_followed(site: Site, endpoint: Make) -> None:
    grant = RefreshTokenGrant(endpoint=endpoint(), refresh_token=site.oauth.first_refresh("app"))
    held = grant.mint(None)
    for _ in range(3):
        later = grant.mint(held)
        assert later.refresh != held.refresh
        held = later
    assert is_good(site, held)


def test_a_refresh_token_that_does_not_rotate_is_kept(site: Site, endpoint: Make) -> None:
    site.oauth.rules = replace(site.oauth.rules, rotates=False)
    first = site.oauth.first_refresh("app")
    grant = RefreshTokenGrant(endpoint=endpoint(), refresh_token=first)
    assert grant.mint(grant.mint(None)).refresh == first


def test_a_refresh_token_used_twice_needs_a_person(site: Site, endpoint: Make) -> None:
    grant = RefreshTokenGrant(endpoint=endpoint(), refresh_token=site.oauth.first_refresh("app"))
    successor = grant.mint(None)
    with pytest.raises(NeedsReconnect, match="used before"):
        grant.mint(None)
    assert not is_good(site, successor)  # the server took the family back


def test_without_any_refresh_token_the_person_is_told_to_connect(endpoint: Make) -> None:
    with pytest.raises(NeedsReconnect, match="press Connect"):
        RefreshTokenGrant(endpoint=endpoint()).mint(None)


def test_what_the_room_wants_kept_of_the_answer_stays_through_renewals(site: Site, endpoint: Make) -> None:
    site.oauth.rules = replace(site.oauth.rules, answer={"hub_id": 77, "other": "x"})
    held = Token(access="old", refresh=site.oauth.first_refresh("app"), extra={"realm": "9"})
    token = RefreshTokenGrant(endpoint=endpoint(keeps=("hub_id", "absent"))).mint(held)
    assert token.extra == {"realm": "9", "hub_id": "77"}


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"access_token": 7}', b'{"access_token": "a", "expires_in": "soon"}'],
)
def test_an_answer_without_a_usable_token_is_a_bad_response(site: Site, endpoint: Make, body: bytes) -> None:
    site.before = lambda request: Answer(body=body)
    with pytest.raises(BadResponse, match="no usable access_token"):
        ClientCredentials(endpoint=endpoint()).mint(None)


@pytest.mark.parametrize("scope", ["a b", "a,b", ["a", "b"]])
def test_scopes_are_read_however_they_are_written(site: Site, endpoint: Make, scope: Any) -> None:
    site.before = lambda request: json_answer({"access_token": "t", "scope": scope})
    assert ClientCredentials(endpoint=endpoint()).mint(None).scopes == ("a", "b")


def test_a_token_endpoint_in_trouble_is_to_be_asked_again_later(site: Site, endpoint: Make) -> None:
    site.before = lambda request: json_answer({"error": "oops"}, status=503)
    with pytest.raises(TransientError):
        ClientCredentials(endpoint=endpoint()).mint(None)


def rsa_key() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def test_a_service_account_signs_for_itself(site: Site, clock: Clock, endpoint: Make) -> None:
    private, public = rsa_key()
    site.oauth = OAuthServer(clock=clock, service_accounts={"bot@project": public})
    grant = JwtBearer(endpoint=endpoint(), issuer="bot@project", private_key=private, scope="sheets drive")
    token = grant.mint(None)
    assert token.scopes == ("sheets", "drive")
    assert is_good(site, token)
    with pytest.raises(NeedsReconnect, match="Invalid JWT Signature"):
        replace(grant, private_key=rsa_key()[0]).mint(None)


def test_a_key_that_is_none_is_named_without_being_shown(endpoint: Make) -> None:
    with pytest.raises(ConfigError, match="private_key is no RSA key") as caught:
        JwtBearer(endpoint=endpoint(), issuer="bot", private_key="canary-key").mint(None)
    assert "canary-key" not in str(caught.value)


# Authorization code


def consent(site: Site, page: str) -> dict[str, str]:
    """Open the provider's page as a person does who says yes; return what the way back holds."""
    address = urlsplit(page)
    asked = Request(
        method="GET",
        path=address.path,
        query=dict(parse_qsl(address.query)),
        headers={},
        body=b"",
        origin="",
        client="127.0.0.1",
    )
    location = site.oauth.authorize(asked).headers["Location"]
    assert location.startswith(BACK)
    return dict(parse_qsl(urlsplit(location).query))


@pytest.fixture
def code_grant(site: Site, endpoint: Make) -> AuthorizationCode:
    site.oauth.rules = replace(site.oauth.rules, needs_pkce=True, callback={"realmId": "9"})
    return AuthorizationCode(
        endpoint=endpoint(), authorize_url=f"{site.url}/authorize", scopes=("items.read",)
    )


def test_a_code_is_exchanged_with_its_verifier_and_renewed_from_then_on(
    site: Site, code_grant: AuthorizationCode
) -> None:
    grant = replace(code_grant, check=lambda answer: {"realm": answer["realmId"]})
    answer = consent(site, grant.page(state="s 1", verifier="v" * 43, redirect_uri=BACK))
    assert answer["state"] == "s 1"
    token = grant.exchange(answer, verifier="v" * 43, redirect_uri=BACK)
    assert (token.scopes, token.extra) == (("items.read",), {"realm": "9"})
    assert is_good(site, grant.mint(token))


def test_a_code_with_another_verifier_or_used_twice_is_refused(
    site: Site, code_grant: AuthorizationCode
) -> None:
    answer = consent(site, code_grant.page(state="s", verifier="v" * 43, redirect_uri=BACK))
    with pytest.raises(NeedsReconnect, match="code_verifier"):
        code_grant.exchange(answer, verifier="w" * 43, redirect_uri=BACK)
    code_grant.exchange(answer, verifier="v" * 43, redirect_uri=BACK)
    with pytest.raises(NeedsReconnect, match="used before"):
        code_grant.exchange(answer, verifier="v" * 43, redirect_uri=BACK)


# In use


@pytest.fixture
def items(site: Site, clock: Clock) -> Iterator[Connector]:
    connector = connect(
        "rest",
        config=site.config(),
        credentials=site.credentials(refresh_token=site.oauth.first_refresh("app")),
        access=replace(LOOPBACK, clock=clock.now),
    )
    yield connector
    connector.close()


def fetch(connector: Connector) -> int:
    return len(connector.fetch(connector.stream("items"), FetchRequest(page_size=5)).records)


def test_one_token_serves_many_calls(site: Site, items: Connector) -> None:
    assert [fetch(items) for _ in range(3)] == [5, 5, 5]
    assert site.oauth.calls == {"refresh_token ok": 1}


def test_a_token_near_its_end_is_renewed_before_it_is_used(
    site: Site, clock: Clock, items: Connector
) -> None:
    fetch(items)
    clock.seconds += 3600 - 61
    fetch(items)
    assert site.oauth.calls["refresh_token ok"] == 1
    clock.seconds += 1.5
    fetch(items)
    assert site.oauth.calls["refresh_token ok"] == 2
    assert site.items_asked == 3  # none was refused


def test_a_token_that_lives_a_minute_is_not_renewed_before_every_call(
    site: Site, clock: Clock, items: Connector
) -> None:
    site.oauth.rules = replace(site.oauth.rules, access_seconds=60.0)
    for _ in range(5):
        fetch(items)
        clock.seconds += 5
    assert site.oauth.calls["refresh_token ok"] == 1


def test_a_token_that_is_refused_is_renewed_once_and_the_call_repeated(site: Site, items: Connector) -> None:
    fetch(items)
    site.oauth.end_access()
    assert fetch(items) == 5
    assert site.oauth.calls["refresh_token ok"] == 2


def test_a_fresh_token_that_is_refused_needs_a_person(site: Site, items: Connector) -> None:
    def refuse(request: Request) -> Answer | None:
        return json_answer({"error": "no"}, status=401) if request.path == "/items" else None

    site.before = refuse
    with pytest.raises(NeedsReconnect, match="renewed a moment ago is refused, too") as caught:
        fetch(items)
    assert site.oauth.calls["refresh_token ok"] == 2
    assert "at_" not in str(caught.value)


def test_a_missing_scope_is_named_and_nothing_is_renewed(site: Site, items: Connector) -> None:
    site.needed_scope = "items.delete"
    with pytest.raises(MissingScope, match=r"lack a scope \(items\.delete\)") as caught:
        fetch(items)
    assert caught.value.needed == ("items.delete",)
    assert site.oauth.calls["refresh_token ok"] == 1


def test_once_a_person_is_needed_nobody_is_asked_again(site: Site, items: Connector) -> None:
    site.oauth.revoke()
    for _ in range(3):
        with pytest.raises(NeedsReconnect):
            fetch(items)
    assert sum(site.oauth.calls.values()) == 1


# Tokens, keys


def test_a_token_survives_being_stored(clock: Clock) -> None:
    token = Token(
        access="a",
        expires_at=clock.now(),
        received_at=clock.now(),
        refresh="r",
        scopes=("s",),
        extra={"realm": "9"},
    )
    assert token_from(token.stored()) == token


def test_no_secret_shows_in_what_holds_it() -> None:
    shown = [
        Token(access="canary", refresh="canary"),
        ApiKey(name="X-Key", value="canary"),
        BearerToken("canary"),
        BasicAuth(username="ann", password="canary"),
        PasswordGrant(endpoint=None, username="ann", password="canary"),  # type: ignore[arg-type]
    ]
    assert not [one for one in shown if "canary" in repr(one)]


def test_a_store_mints_for_the_first_who_asks_and_hands_that_to_the_others() -> None:
    store = MemoryTokens(Token(access="old"))
    stale = store.held()
    minted = [store.renew(stale, lambda held: Token(access="new")) for _ in range(3)]
    assert {token.access for token in minted} == {"new"}


@pytest.mark.parametrize(
    ("auth", "headers", "params"),
    [
        (ApiKey(name="X-Key", value="k"), {"X-Key": "k"}, {}),
        (ApiKey(name="key", value="k", place="query"), {}, {"key": "k"}),
        (ApiKey(name="Authorization", value="k", prefix="Token "), {"Authorization": "Token k"}, {}),
        (BearerToken("t"), {"Authorization": "Bearer t"}, {}),
        (BasicAuth(username="ann", password="pw"), {"Authorization": "Basic YW5uOnB3"}, {}),
    ],
)
def test_credentials_go_where_the_provider_wants_them(
    auth: ApiKey, headers: dict[str, str], params: dict[str, str]
) -> None:
    assert (auth.headers(), auth.params(), auth.renew()) == (headers, params, False)


def test_a_key_may_stand_in_the_path() -> None:
    key = ApiKey(name="key", value="a/b c", place="path")
    assert (key.headers(), key.params()) == ({}, {})
    called = key.address("https://example.com/v1/{key}/items?{other}")
    assert called == "https://example.com/v1/a%2Fb%20c/items?{other}"
    assert key.without_key(called) == "https://example.com/v1/{key}/items?{other}"


def test_a_token_the_session_learnt_late_is_left_out_of_its_messages(site: Site, clock: Clock) -> None:
    class Grant:
        def mint(self, _held: Token | None, /) -> Token:
            return Token(access="late-canary")

    site.before = lambda request: json_answer({"said": request.headers["authorization"]}, status=400)
    auth = OAuthToken(store=MemoryTokens(), grant=Grant(), now=clock.now)
    http = HttpSession(connector="shop", access=LOOPBACK, auth=auth)
    with pytest.raises(ConfigError, match=r"Bearer \[secret\]"):
        http.request("GET", f"{site.url}/items")
    http.close()
