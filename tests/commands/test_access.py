"""testconnection and rotate-keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from cryptography.fernet import Fernet
from django.db import connection

from connectors.auth.tokens import Token
from ingest import rotating, tokens
from ingest.connecting import lay_out_streams
from ingest.models import Source, SourceToken
from ingest.tokens import SourceTokens
from tests.commands.commanding import run
from tests.oauth_site import Site, serving

# Testing the connection


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site()) as site:
        yield site


@pytest.fixture
def source(db: None, site: Site, settings: Any) -> Source:
    settings.SYNC_PRIVATE_HOSTS = frozenset({"127.0.0.1"})
    source = Source.objects.create(
        name="items",
        connector="rest",
        config=site.config(),
        credentials=site.credentials(refresh_token=site.oauth.first_refresh("app")),
    )
    lay_out_streams(source)
    return source


@pytest.mark.usefixtures("source")
def test_each_step_is_told_with_its_time() -> None:
    done = run("testconnection", "items")
    assert done.code == 0
    steps = [line.partition(" (")[0] for line in done.out.splitlines()]
    assert steps == ["ok     credentials", "ok     stored token", "ok     fresh token", "ok     data: items"]


def test_steps_that_fail_end_it_with_1(source: Source, site: Site) -> None:
    site.oauth.revoke()
    done = run("testconnection", "items", "--json")
    assert done.code == 1
    last = json.loads(done.out.splitlines()[-1])
    assert (last["name"], last["is_ok"]) == ("fresh token", False)
    assert last["told"].startswith("Needs reconnecting: ")


def test_a_source_marked_by_mistake_is_let_ask_again_once_its_data_answers(source: Source) -> None:
    tokens.needs_reconnect(source.pk, "Refused in passing.")
    assert run("sync", "items", "--here").code == 2
    assert run("testconnection", "items").code == 0
    assert run("sync", "items", "--here").code == 0


def test_a_sync_of_a_marked_source_says_why_not(source: Source) -> None:
    tokens.needs_reconnect(source.pk, "The refresh token was used up.")
    done = run("sync", "items")
    assert done.code == 2
    assert "The refresh token was used up." in done.err
    assert "needs reconnecting" in run("sources").out


def test_a_sync_here_ends_when_a_person_is_needed(source: Source, site: Site) -> None:
    site.oauth.revoke()
    assert run("sync", "items", "--here").code == 1
    source.refresh_from_db()
    assert source.needs_reconnect_since is not None


def test_settings_that_do_not_fit_are_a_step_that_failed(source: Source) -> None:
    Source.objects.update(config={})
    done = run("testconnection", "items")
    assert done.code == 1
    assert "sourceIdentifier: Field required" in done.out


# Rotating keys


OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def sources(transactional_db: None, settings: Any) -> list[Source]:
    """Seven sources and a token, written with the old key."""
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    made = [
        Source.objects.create(name=f"s{n}", connector="rest", credentials={"token": f"t{n}"})
        for n in range(7)
    ]
    SourceTokens(made[0].pk, credentials={}).keep(Token(access="a"))
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    return made


def test_after_rotating_the_old_key_is_not_needed(sources: list[Source], settings: Any) -> None:
    done = run("rotate-keys", "--batch", "3")
    assert done.code == 0
    assert "8 of 8 secrets encrypted anew" in done.out
    assert "source credentials: 3 looked at, 3 encrypted anew" in done.err
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert [one.credentials["token"] for one in Source.objects.order_by("pk")] == [f"t{n}" for n in range(7)]
    assert SourceToken.objects.get().token["token"]["access"] == "a"


def test_rotating_that_was_interrupted_goes_on_with_the_rest(sources: list[Source], settings: Any) -> None:
    first = next(rotating.rotate(batch_size=3))
    assert first.changed == 3
    assert "5 of 8 secrets encrypted anew" in run("rotate-keys").out
    assert "0 of 8 secrets encrypted anew" in run("rotate-keys").out


def test_a_row_somebody_holds_is_rotated_when_it_is_let_go(sources: list[Source], settings: Any) -> None:
    other = psycopg2.connect(**{**connection.get_connection_params(), "cursor_factory": None})
    cursor = other.cursor()
    cursor.execute("SELECT 1 FROM ingest_sourcetoken FOR UPDATE")
    timer = threading.Timer(1.0, other.rollback)
    timer.start()
    assert "8 of 8 secrets encrypted anew" in run("rotate-keys").out
    timer.join()
    other.close()
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert SourceToken.objects.get().token["token"]["access"] == "a"


def test_secrets_that_no_key_reads_are_named(sources: list[Source], settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    Source.objects.create(name="late", connector="rest", credentials={"token": "t"})
    done = run("rotate-keys")
    assert done.code == 1
    assert f"None of the keys reads these: source credentials {sources[0].pk}" in done.out
    assert Source.objects.get(name="late").credentials == {"token": "t"}


def test_workers_read_while_keys_are_rotated(sources: list[Source]) -> None:
    for _ in rotating.rotate(batch_size=1):
        assert [one.credentials["token"] for one in Source.objects.order_by("pk")] == [
            f"t{n}" for n in range(7)
        ]
