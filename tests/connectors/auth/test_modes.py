"""Which way in stored credentials take, and what testing it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from connectors import connect
from connectors.base import Access, AuthMode, Connector, NoCredentials, Stream
from connectors.checks import Check
from connectors.errors import ConfigError
from connectors.kinds import GenericRecord, Kind
from connectors.modes import credentials_of
from sandbox.messages import Answer, Request, json_answer
from tests.connectors.auth.conftest import Clock
from tests.oauth_site import Site


class Key(AuthMode):
    mode = "key"
    title = "API key"
    api_key: SecretStr


class User(AuthMode):
    mode = "user"
    title = "User"
    username: str
    password: SecretStr


class Twin(AuthMode):
    mode = "twin"
    title = "Another user"
    username: str
    password: SecretStr


def chosen(values: dict[str, str], *modes: type[AuthMode]) -> AuthMode:
    return credentials_of(modes or (Key, User), values, "shop credentials")


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        ({"api_key": "k"}, Key),
        ({"username": "ann", "password": "p"}, User),
        ({"mode": "user", "username": "ann", "password": "p"}, User),
    ],
)
def test_credentials_are_taken_as_the_mode_they_fit(values: dict[str, str], mode: type[AuthMode]) -> None:
    assert type(chosen(values)) is mode


def test_two_modes_that_fit_are_told_apart_by_name() -> None:
    values = {"username": "ann", "password": "p"}
    with pytest.raises(ConfigError, match="fit several modes: user, twin"):
        chosen(values, User, Twin)
    assert type(chosen({**values, "mode": "twin"}, User, Twin)) is Twin


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "fit none of the modes.*key .api_key .required.*user .username"),
        ({"mode": "magic", "api_key": "k"}, "no such mode. Known: key, user"),
        ({"username": "ann"}, "password: Field required"),
        ({"api_key": "canary-7", "usrname": "x"}, "usrname: there is no such setting"),
        ({"mode": "key", "password": "canary-7"}, "api_key: Field required"),
    ],
)
def test_credentials_that_do_not_fit_are_told_without_being_shown(values: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        chosen(values)
    assert "canary-7" not in str(caught.value)


# Testing the connection


def source_at(site: Site, clock: Clock, grant: str = "refresh_token", **credentials: Any) -> Connector:
    if grant == "refresh_token":
        credentials = {"refresh_token": site.oauth.first_refresh("app"), **credentials}
    access = Access(private_hosts=frozenset({"127.0.0.1"}), clock=clock.now)
    return connect(
        "rest", config=site.config(grant), credentials=site.credentials(**credentials), access=access
    )


def probed(connector: Connector) -> dict[str, Check]:
    try:
        return {check.name: check for check in connector.probe()}
    finally:
        connector.close()


def test_a_test_gets_a_fresh_token_and_asks_for_data_at_once(site: Site, clock: Clock) -> None:
    checks = probed(source_at(site, clock))
    assert list(checks) == ["credentials", "stored token", "fresh token", "data: items"]
    assert all(check.is_ok for check in checks.values())
    assert "items.read" in checks["fresh token"].told
    assert checks["data: items"].told == "answered, with records"


def test_each_test_gets_a_token_of_its_own(site: Site, clock: Clock) -> None:
    connector = source_at(site, clock)
    for _ in range(3):
        list(connector.probe())
    connector.close()
    assert site.oauth.calls == {"refresh_token ok": 3}


def test_a_stored_token_that_ended_is_called_stale(site: Site, clock: Clock) -> None:
    connector = source_at(site, clock)
    list(connector.probe())
    clock.seconds += 7200
    checks = probed(connector)
    assert "stale: it ended 60 min ago" in checks["stored token"].told
    assert checks["data: items"].is_ok


def test_a_token_endpoint_that_answers_is_no_proof(site: Site, clock: Clock) -> None:
    def refuse(request: Request) -> Answer | None:
        return json_answer({"error": "use an admin key"}, status=401) if request.path == "/items" else None

    site.before = refuse
    checks = probed(source_at(site, clock))
    assert checks["fresh token"].is_ok
    assert not checks["data: items"].is_ok
    assert checks["data: items"].told.startswith("Wrong kind of key: ")


def test_a_missing_scope_is_told_as_one(site: Site, clock: Clock) -> None:
    site.needed_scope = "items.delete"
    checks = probed(source_at(site, clock))
    assert checks["data: items"].told.startswith("Missing scope: ")


def test_scopes_needed_are_compared_with_those_granted(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = source_at(site, clock)
    wanting = tuple(replace(one, scopes=("items.read", "items.delete")) for one in connector.streams())
    monkeypatch.setattr(connector, "streams", lambda: wanting)
    check = probed(connector)["scopes"]
    assert not check.is_ok
    assert "Missing scope: items.delete (granted: items.read, items.write;" in check.told


def test_a_revoked_refresh_token_ends_the_test_there(site: Site, clock: Clock) -> None:
    connector = source_at(site, clock)
    site.oauth.revoke()
    checks = probed(connector)
    assert list(checks) == ["credentials", "stored token", "fresh token"]
    assert checks["fresh token"].told.startswith("Needs reconnecting: ")


def test_a_fixed_token_that_is_refused_may_be_stale_or_of_the_wrong_kind(site: Site) -> None:
    config = {"sourceIdentifier": f"{site.url}/items", "dataPath": "items", "auth": {"type": "bearer"}}
    access = Access(private_hosts=frozenset({"127.0.0.1"}))
    checks = probed(connect("rest", config=config, credentials={"token": "canary-7"}, access=access))
    assert checks["data: items"].told.startswith("Stale token or wrong kind of key: ")
    assert "canary-7" not in checks["data: items"].told


def test_a_client_secret_in_the_place_of_a_token_is_recognised() -> None:
    shop = connect(
        "shopify",
        config={"shop": "a.myshopify.com", "base_url": "http://127.0.0.1:9"},
        credentials={"access_token": "shpss_0123"},
        access=Access(private_hosts=frozenset({"127.0.0.1"})),
    )
    assert probed(shop)["credentials"].told.startswith("Wrong kind of key: shpss_")


def test_a_stream_that_would_start_a_report_proves_nothing() -> None:
    class Reports(Connector):
        def streams(self) -> tuple[Stream, ...]:
            return (Stream(name="sales", kind="record", refine=as_record, ways=("report",)),)

    checks = probed(Reports(config=None, credentials=NoCredentials(), access=Access()))
    assert list(checks) == ["credentials", "stream: sales"]
    assert "not tried: it is read by report only" in checks["stream: sales"].told
    assert [check.is_taken for check in checks.values()] == [True, False]


def as_record(payload: Any) -> Kind:
    return GenericRecord(external_id=payload["id"])
