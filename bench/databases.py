"""Databases of the benchmark's own, beside the one that DATABASE_URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg2

from local import servers

# Where PostgreSQL lets everyone in; nothing is written there.
MAINTENANCE = "postgres"
KEPT = ("django_migrations", "django_content_type", "auth_permission", "ingest_source", "ingest_sourcestream")


class Database:
    """One database, made afresh: empty, or a copy of another that nobody is connected to."""

    def __init__(self, suffix: str, *, template: str = "template1") -> None:
        """:raises SystemExit: if no server is known"""
        given = os.environ.get("DATABASE_URL") or servers.database_url()
        if not given:
            raise SystemExit("DATABASE_URL is not set and no private PostgreSQL runs here. Use `make bench`.")
        self._server, _, name = given.rpartition("/")
        self.name = f"{name}_bench_{suffix}"
        self.url = f"{self._server}/{self.name}"
        self._template = template
        self.make()

    def make(self) -> None:
        """Make it anew, whatever is left of an earlier run."""
        self.drop()
        self._maintain(f'CREATE DATABASE "{self.name}" TEMPLATE "{self._template}"')

    def drop(self) -> None:
        self._maintain(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

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

    def _maintain(self, sql: str) -> None:
        with _connected(f"{self._server}/{MAINTENANCE}") as cursor:
            cursor.execute(sql)


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
