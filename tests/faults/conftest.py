"""Redis, workers and beat of the tests of faults."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from tests.faults.stage import Stage
from tests.story.conftest import shown
from tests.story.redis import PrivateRedis, private_redis

__all__ = ["shown"]

TAIL = 6_000


@pytest.fixture(scope="module")
def redis() -> Iterator[PrivateRedis]:
    """A Redis that may be killed, one for all tests of a file."""
    with private_redis() as server:
        yield server


@pytest.fixture(scope="module")
def kept_stage(
    django_db_setup: None, redis: PrivateRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Processes that stay for all tests of a file."""
    with on_stage(tmp_path_factory.mktemp("stage"), environment(redis)) as stage:
        yield stage


@pytest.fixture
def stage(transactional_db: None, redis: PrivateRedis, tmp_path: Path) -> Iterator[Stage]:
    """Processes that end with the test."""
    redis.flush()
    with on_stage(tmp_path, environment(redis)) as stage:
        yield stage


@contextmanager
def on_stage(folder: Path, environment: Mapping[str, str]) -> Iterator[Stage]:
    """Stop all processes in the end and leave their logs where a failed test shows them."""
    stage = Stage(folder, environment)
    try:
        yield stage
    finally:
        stage.stop()
        sys.stdout.write(stage.logs()[-TAIL:])


def environment(redis: PrivateRedis) -> dict[str, str]:
    where = connection.settings_dict
    return {
        "DATABASE_URL": "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(where),
        "REDIS_URL": redis.url,
        "SYNC_PRIVATE_HOSTS": "127.0.0.1,localhost",
    }
