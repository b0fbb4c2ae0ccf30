"""PostgreSQL dies, refuses, or hangs up: nothing is lost, nothing good becomes a dead letter."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

import sandbox
from ingest.models import FailedSync, SourceStream
from local.errors import ServerError
from sandbox import SandboxClient
from tests.faults.conftest import environment, on_stage
from tests.faults.endings import assert_exact
from tests.faults.postgres import PrivatePostgres
from tests.faults.stage import SMALL_STEPS, Stage
from tests.story import shops
from tests.story.processes import wait_for
from tests.story.redis import PrivateRedis

OUTAGE = 12.0
RESUMES_WITHIN = 45.0
HANGUPS = 12
# What libpq says of it, depending on whether PostgreSQL's own word was read before the end of the link.
HUNG_UP = ("terminating connection due to administrator command", "server closed the connection unexpectedly")
DATABASE = 'ALTER DATABASE "{}" {}'

pytestmark = [pytest.mark.thorough, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


@pytest.fixture
def world() -> Iterator[SandboxClient]:
    with sandbox.running(seed=33, customers=100, products=20, orders=400, latency_ms=100) as client:
        yield client


def start(world: SandboxClient) -> dict[SourceStream, str]:
    """Begin with a shop's orders and customers."""
    shop = shops.add_shop(world, page_size=10)
    shop.streams.exclude(name__in=["orders", "customers"]).delete()
    found = shops.datasets_of(shop, None)
    shops.start_all(found)
    return found


def run_sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def set_database(words: str) -> None:
    run_sql(DATABASE.format(connection.settings_dict["NAME"], words))


def hang_up() -> None:
    """End every session but ours, as a failover does."""
    run_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.fixture
def postgres(transactional_db: None) -> Iterator[PrivatePostgres]:
    """A server of our own, migrated, in place of the one the tests use."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # where we are root, the server runs as another user
        try:
            server = PrivatePostgres(Path(folder))
        except ServerError as error:
            pytest.skip(str(error))
        server.start()
        usual = dict(connection.settings_dict)
        connection.close()
        connection.settings_dict.update(server.settings)
        try:
            call_command("migrate", verbosity=0)
            yield server
        finally:
            connection.close()
            connection.settings_dict.update(usual)
            server.kill()


@pytest.fixture
def stage_of_its_own(postgres: PrivatePostgres, redis: PrivateRedis, tmp_path: Path) -> Iterator[Stage]:
    redis.flush()
    with on_stage(tmp_path, environment(redis)) as stage:
        yield stage


def test_postgres_killed_and_away(
    stage_of_its_own: Stage, postgres: PrivatePostgres, world: SandboxClient, shown: list[str]
) -> None:
    datasets = start(world)
    stage_of_its_own.beat()
    worker = stage_of_its_own.worker(**SMALL_STEPS)
    wait_for(lambda: shops.pages_landed() >= 6, seconds=60, what="pages land")
    landed = shops.pages_landed()
    connection.close()
    postgres.kill()
    time.sleep(OUTAGE)
    postgres.start()
    resumed = wait_for(
        lambda: shops.pages_landed() > landed + 3, seconds=RESUMES_WITHIN, what="pages land again"
    )
    ended = wait_for(shops.all_ended, seconds=60, what="every job ends")

    stale = worker.log_text().count("InterfaceError")
    shown.append(
        f"PostgreSQL killed, {OUTAGE:.0f} s away: pages landed {resumed:.1f} s after it was back, "
        f"all ended {ended:.1f} s later, {stale} InterfaceErrors"
    )
    assert_exact(world, datasets)
    assert not FailedSync.objects.exists()
    assert worker.is_running
    assert stale <= 4, "dead connections are used again and again"


@pytest.mark.parametrize(
    ("refuse", "allow", "said"),
    [
        (
            "SET default_transaction_read_only = on",
            "RESET default_transaction_read_only",
            "in a read-only transaction",
        ),
        ("CONNECTION LIMIT 1", "CONNECTION LIMIT -1", "too many connections"),
    ],
)
def test_postgres_refuses_for_a_while(
    stage: Stage, world: SandboxClient, refuse: str, allow: str, said: str, shown: list[str]
) -> None:
    datasets = start(world)
    stage.beat()
    worker = stage.worker(**SMALL_STEPS)
    wait_for(lambda: shops.pages_landed() >= 6, seconds=60, what="pages land")
    try:
        set_database(refuse)
        hang_up()
        wait_for(lambda: worker.log_text().count(said) >= 3, seconds=60, what=f"the worker meets {said!r}")
        assert not shops.all_ended()
    finally:
        set_database(allow)
        hang_up()
    ended = wait_for(shops.all_ended, seconds=60, what="every job ends")

    shown.append(f"PostgreSQL answered {said!r} for a while: all ended {ended:.1f} s afterwards")
    assert_exact(world, datasets)
    assert not FailedSync.objects.exists()


def test_sessions_ended_at_random(stage: Stage, world: SandboxClient, shown: list[str]) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    dice = random.Random(seed)
    datasets = start(world)
    stage.beat()
    worker = stage.worker(**SMALL_STEPS)
    wait_for(lambda: shops.pages_landed() >= 2, seconds=60, what="pages land")
    for _ in range(HANGUPS):
        time.sleep(dice.random())
        hang_up()
    took = wait_for(shops.all_ended, seconds=90, what="every job ends")

    log = worker.log_text()
    hit = sum(log.count(words) for words in HUNG_UP)
    shown.append(f"seed {seed}: {HANGUPS} times all sessions ended: all jobs ended {took:.1f} s afterwards")
    assert hit, "no session was in use: the test shows nothing"
    assert_exact(world, datasets)
    assert not FailedSync.objects.exists()
