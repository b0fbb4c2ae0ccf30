"""The stage: processes, a Redis of their own, a world to sync from."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.story.processes import Processes
from tests.story.redis import PrivateRedis, private_redis

_REPORT = pytest.StashKey[pytest.TestReport]()
TAIL = 6_000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixtures know how the test ended, so that they show the logs of a failed one."""
    report = yield
    if report.when == "call":
        item.stash[_REPORT] = report
    return report


@pytest.fixture
def redis() -> Iterator[PrivateRedis]:
    """A Redis that may be flushed and killed."""
    with private_redis() as server:
        yield server


@pytest.fixture
def processes(
    transactional_db: None, redis: PrivateRedis, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Processes]:
    """Worker and beat on the test's database; nothing of them outlives the test."""
    environment = {
        "DATABASE_URL": _database_url(),
        "REDIS_URL": redis.url,
        "SYNC_PRIVATE_HOSTS": "127.0.0.1,localhost",
        "SYNC_FILE_ROOTS": str(tmp_path),
    }
    processes = Processes(tmp_path, environment)
    yield processes
    processes.stop()
    report = request.node.stash.get(_REPORT, None)
    if report is not None and report.failed:
        sys.stdout.write(processes.logs()[-TAIL:])


def _database_url() -> str:
    where = connection.settings_dict
    return "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(where)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Lines of measured figures, printed where people see them with -s or after a failure."""
    lines: list[str] = []
    yield lines
    with capsys.disabled():
        sys.stdout.write("".join(f"\n    {line}" for line in lines))
