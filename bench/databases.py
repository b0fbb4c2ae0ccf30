"""Databases of the benchmark's own, beside the one that DATABASE_URL names."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg2
from psycopg2.errors import InsufficientPrivilege, ObjectInUse

from local import servers

# Where PostgreSQL lets everyone in; nothing is written there.
MAINTENANCE = "postgres"
# A worker of autovacuum is the superuser's: we may not end it, but it is soon done.
NOT_OURS = "permission denied to terminate process"
IN_USE_SECONDS = 30.0
AGAIN_SECONDS = 0.5
KEPT = ("django_migrations", "django_content_type", "auth_permission", "ingest_source", "ingest_sourcestream")


class Database:
    """One database, made afresh: empty, or a copy of another that nobody is connected to."""

    def __init__(self, suffix: str, *, template: str = "template1") -> None:
        """:raises SystemExit: if no server is known"""
        self._server, prefix = _place()
        self.name = prefix + suffix
        self.url = f"{self._server}/{self.name}"
        self._template = template
        self.make()

    def make(self) -> None:
        """
        Make it anew, whatever is left of an earlier run.

        :raises TimeoutError: if somebody stays in it or in its template
        """
        self.drop()
        _maintain(self._server, f'CREATE DATABASE "{self.name}" TEMPLATE "{self._template}"')

    def drop(self) -> None:
        """:raises TimeoutError: if somebody stays in it"""
        _drop(self._server, self.name)

    def empty(self) -> None:
        """Empty every table of ours but those that say what is synced from where."""
        found = self.rows("SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public'")
        tables = ", ".join(f'"{name}"' for (name,) in found if name not in KEPT)
        self.run(f"TRUNCATE {tables} RESTART IDENTITY")
        self.run("UPDATE ingest_sourcestream SET watermark = NULL, state = '{}'")

    def cursor(self) -> AbstractContextManager[Any]:
        """Return a cursor of a connection that ends with the `with`; each statement commits."""
        return _connected(self.url)

    def rows(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        with self.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def run(self, sql: str, values: Any = None) -> None:
        with self.cursor() as cursor:
            cursor.execute(sql, values)


def sweep() -> list[str]:
    """
    Drop what a benchmark that was killed left here; return the names.

    :raises TimeoutError: if somebody stays in one
    """
    server, prefix = _place()
    with _connected(f"{server}/{MAINTENANCE}") as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
        left = [name for (name,) in cursor.fetchall()]
    for name in left:
        _drop(server, name)
    return left


def _place() -> tuple[str, str]:
    """
    Return the server's address, and how the names of our databases there begin.

    :raises SystemExit: if no server is known
    """
    given = os.environ.get("DATABASE_URL") or servers.database_url()
    if not given:
        raise SystemExit("DATABASE_URL is not set and no private PostgreSQL runs here. Use `make bench`.")
    server, _, name = given.rpartition("/")
    return server, f"{name}_bench_"


def _drop(server: str, name: str) -> None:
    _maintain(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _maintain(server: str, sql: str) -> None:
    """:raises TimeoutError: if the database is in use by somebody whom we cannot send away"""
    end = time.monotonic() + IN_USE_SECONDS
    with _connected(f"{server}/{MAINTENANCE}") as cursor:
        while True:
            try:
                cursor.execute(sql)
            except (InsufficientPrivilege, ObjectInUse) as error:
                if isinstance(error, InsufficientPrivilege) and NOT_OURS not in str(error):
                    raise
                if time.monotonic() > end:
                    raise TimeoutError(f"Not within {IN_USE_SECONDS:.0f} s: {sql}: {error}") from error
                time.sleep(AGAIN_SECONDS)
            else:
                return


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    # Not `with psycopg2.connect(...)`, which leaves the connection open.
    link = psycopg2.connect(url)
    link.autocommit = True
    try:
        with link.cursor() as cursor:
            yield cursor
    finally:
        link.close()
