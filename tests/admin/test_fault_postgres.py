"""The web without PostgreSQL: 503 and one line in the log, however it is away; our own mistakes stay 500."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, ProgrammingError, close_old_connections, connection
from django.test import Client

from ingest.models import CollectionJob
from local.processes import free_port
from tests.admin.conftest import browser_of
from tests.admin.pages import list_of

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ("/admin/", list_of(CollectionJob), f"{list_of(CollectionJob)}live/?ids=1")


@pytest.fixture
def staff() -> Iterator[Client]:
    client = browser_of(User.objects.create_superuser("boss", "boss@example.org", "secret"))
    client.raise_request_exception = False
    yield client
    connection.close()  # it may be broken, and others use it next


def execute_elsewhere(statement: str) -> None:
    """Say something to the server over a connection of its own, from a database beside ours."""
    where = {name.lower(): connection.settings_dict[name] for name in ("HOST", "PORT", "USER", "PASSWORD")}
    with closing(psycopg2.connect(dbname="postgres", **where)) as link:
        link.autocommit = True
        link.cursor().execute(statement)


@contextmanager
def nobody_listens() -> Iterator[str]:
    usual = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = free_port()
    try:
        yield "Connection refused"
    finally:
        connection.settings_dict["PORT"] = usual


@contextmanager
def no_connection_left() -> Iterator[str]:
    database = connection.settings_dict["NAME"]
    connection.close()
    execute_elsewhere(f'ALTER DATABASE "{database}" CONNECTION LIMIT 0')
    try:
        yield "too many connections"
    finally:
        execute_elsewhere(f'ALTER DATABASE "{database}" CONNECTION LIMIT -1')


@contextmanager
def session_ends_before_each_query() -> Iterator[str]:
    def hang_up(execute: Callable[..., Any], *query: Any) -> Any:
        execute_elsewhere(f"SELECT pg_terminate_backend({connection.connection.info.backend_pid})")
        return execute(*query)

    with connection.execute_wrapper(hang_up):
        yield "terminating connection|closed the connection"


@contextmanager
def session_is_closed_already() -> Iterator[str]:
    def close(*_: Any) -> Any:
        connection.connection.close()
        return connection.cursor()

    with connection.execute_wrapper(close):
        yield "connection already closed"


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "outage_of",
    [nobody_listens, no_connection_left, session_ends_before_each_query, session_is_closed_already],
)
def test_postgres_away_is_503_and_one_line(
    outage_of: Callable[[], AbstractContextManager[str]],
    page: str,
    staff: Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with outage_of() as said:
        answer = staff.get(page)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "PostgreSQL cannot be reached" in answer.text
    (line,) = (record for record in caplog.records if record.name == "django.request")
    assert re.search(said, vars(line)["reason"])
    assert not line.exc_info
    close_old_connections()  # between requests Django does, but not for its test client
    assert staff.get(page).status_code == 200


def test_login_is_503_too_and_health_as_before(staff: Client) -> None:
    with nobody_listens():
        login = Client(raise_request_exception=False).post(
            "/admin/login/", {"username": "boss", "password": "secret"}
        )
        health, readiness = staff.get("/healthz"), staff.get("/readyz")

    assert login.status_code == 503
    assert (health.status_code, readiness.status_code) == (200, 503)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT nothing FROM nowhere", ProgrammingError),
        ("SET statement_timeout = 1; SELECT pg_sleep(1)", OperationalError),
    ],
)
def test_what_postgres_says_to_a_statement_stays_500_with_its_traceback(
    statement: str, error: type[Exception], staff: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def spoil(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        return execute(statement, None, *rest[1:])

    with connection.execute_wrapper(spoil):
        answer = staff.get("/admin/")

    assert answer.status_code == 500
    (line,) = (record for record in caplog.records if record.name == "django.request")
    assert line.exc_info
    assert isinstance(line.exc_info[1], error)
