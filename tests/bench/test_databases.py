"""The benchmark's databases: made and dropped though somebody is in them for a moment, and none is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from django.db import connection
from psycopg2.errors import InsufficientPrivilege

from bench import databases
from bench.databases import Database

REFUSED = "DO $$ BEGIN RAISE insufficient_privilege USING MESSAGE = '{}'; END $$"

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database of the benchmark beside the test's."""
    where = connection.settings_dict
    monkeypatch.setenv("DATABASE_URL", "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(where))
    made = Database("first")
    yield made
    databases.sweep()


def exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return cursor.fetchone() is not None


def test_a_template_in_use_is_copied_once_it_is_free(
    first: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(psycopg2.connect(first.url)) as link:
        monkeypatch.setattr("bench.databases.time.sleep", lambda seconds: link.close())
        copy = Database("copy", template=first.name)

        assert link.closed, "nobody waited: the test shows nothing"
    assert exists(copy.name)


def test_a_template_that_stays_in_use_is_named_with_the_reason(
    first: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "IN_USE_SECONDS", 0.0)
    with (
        closing(psycopg2.connect(first.url)),
        pytest.raises(TimeoutError, match=f"(?s){first.name}.*being accessed by other users"),
    ):
        Database("copy", template=first.name)


def test_a_session_that_only_the_superuser_may_end_is_waited_for(
    first: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "IN_USE_SECONDS", 0.0)
    server = first.url.rpartition("/")[0]

    with pytest.raises(TimeoutError, match="terminate process"):
        databases._maintain(server, REFUSED.format("permission denied to terminate process"))
    with pytest.raises(InsufficientPrivilege):  # waiting would not help
        databases._maintain(server, REFUSED.format("permission denied to create database"))


def test_a_database_with_sessions_is_dropped(first: Database) -> None:
    with closing(psycopg2.connect(first.url)):
        first.drop()

    assert not exists(first.name)


def test_what_a_killed_benchmark_left_is_swept_and_nothing_else(first: Database) -> None:
    Database("second")

    assert sorted(databases.sweep()) == [first.name, first.name.replace("first", "second")]
    assert not exists(first.name)
    assert exists(connection.settings_dict["NAME"])
    assert databases.sweep() == []
