"""Statements planned once per connection: when they are, and that a plan made early stays a good one."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from ingest import versions
from tests.ingest.steps import Run, StreamNamed, counts
from tests.scripted import Script, record

pytestmark = pytest.mark.django_db(transaction=True)

UNTIL_KEPT = 6  # PostgreSQL makes five plans for the values at hand before it keeps one for all


@pytest.fixture(autouse=True)
def _fresh_connection(transactional_db: None) -> None:
    """What earlier tests prepared is not asked about."""
    connection.close()


def prepared() -> dict[str, int]:
    """Return, by name, how often each was run on this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, generic_plans + custom_plans FROM pg_prepared_statements")
        return dict(cursor.fetchall())


def ask(stream_id: int) -> None:
    with transaction.atomic():
        versions.differing(stream_id, {"1": bytes(32)})


def test_a_run_prepares_its_statements_once(script: Script, run: Run) -> None:
    script.says("orders", *[[record(str(number), total=3)] for number in range(UNTIL_KEPT + 4)])

    job = run("orders")

    assert counts(job) == {"fetched": 10, "inserted": 10}
    assert prepared() == {"differing_versions": 10, "move_checkpoint": 10}


def test_a_plan_made_over_an_empty_table_goes_by_the_index(stream: StreamNamed) -> None:
    orders = stream("orders").pk
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE ingest_rawrecord")  # of which the planner then knows that it is empty
    for _ in range(UNTIL_KEPT):
        ask(orders)

    with transaction.atomic(), connection.cursor() as cursor:
        versions.differing(orders, {"1": bytes(32)})
        cursor.execute(
            "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'ingest_rawrecord'"
        )
        scans, probes = cursor.fetchone()

    assert scans == 0
    assert probes > 0


def test_a_new_connection_plans_for_itself(stream: StreamNamed) -> None:
    orders = stream("orders").pk
    ask(orders)
    connection.close()
    assert prepared() == {}

    ask(orders)

    assert prepared() == {"differing_versions": 1}


def test_a_transaction_undone_leaves_what_it_planned(stream: StreamNamed) -> None:
    orders = stream("orders").pk
    with transaction.atomic():
        ask(orders)
        transaction.set_rollback(True)

    ask(orders)

    assert prepared() == {"differing_versions": 2}


def test_behind_a_pool_of_transactions_nothing_is_left_on_a_connection(
    script: Script, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    script.says("orders", [record("1", total=3)], [record("2", total=3)])

    job = run("orders")

    assert counts(job) == {"fetched": 2, "inserted": 2}
    assert prepared() == {}
