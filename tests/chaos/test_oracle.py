"""The oracle finds each thing that could be wrong, and nothing in a copy that is right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

import sandbox
from ingest.models import SourceStream
from sandbox import SandboxClient
from tests.chaos import oracle
from tests.conftest import finish
from tests.story import shops

pytestmark = pytest.mark.django_db

Datasets = dict[SourceStream, str]


@pytest.fixture
def world() -> Iterator[SandboxClient]:
    with sandbox.running(seed=7, customers=20, products=10, orders=20, items=30) as client:
        yield client


@pytest.fixture
def datasets(world: SandboxClient, settings) -> Datasets:
    """A synced copy: every object in two versions, a few that nobody can read."""
    settings.SYNC_PRIVATE_HOSTS = frozenset({"127.0.0.1"})
    shop, songs = shops.add_shop(world), shops.add_songs(world, pagings=["cursor"])
    datasets = shops.datasets_of(shop, songs)
    # Parts of others' records change with them.
    changing = [name for stream, name in datasets.items() if stream.name not in oracle.PARTS]
    for dataset in changing:
        world.change(dataset, spoil=9)
    sync(datasets)
    for dataset in changing:
        world.change(dataset, share=1, seed=1)
    sync(datasets)
    return datasets


def sync(datasets: Datasets) -> None:
    for job in shops.start_all(datasets, full=True):
        finish(job)


def found(world: SandboxClient, datasets: Datasets) -> list[str]:
    ledgers = {
        stream: world.ledger(dataset, full=True)["expected"]["newest"] for stream, dataset in datasets.items()
    }
    return [str(one) for one in oracle.differences(ledgers)]


def test_a_faithful_copy_has_no_differences(world: SandboxClient, datasets: Datasets) -> None:
    assert found(world, datasets) == []


def test_what_was_served_since_is_missed(world: SandboxClient, datasets: Datasets) -> None:
    world.change("shopify.orders", insert=1)
    world.change("api.cursor", share=1, seed=2)
    kinds = {line.split(" ")[0] for line in found(world, datasets)}
    assert kinds == {"lost:", "stale:"}


DAMAGES = {
    "a raw object removed": (
        "DELETE FROM ingest_rawrecord WHERE external_id = (SELECT max(external_id) FROM ingest_customer)",
        "lost: shop/customers raw",
    ),
    "the newest raw version removed": (
        "DELETE FROM ingest_rawrecord WHERE version = 2 AND external_id IN (SELECT external_id FROM"
        " ingest_contentitem)",
        "stale: songs/cursor raw",
    ),
    "a version stored twice": (
        "INSERT INTO ingest_rawrecord (stream_id, external_id, version, payload, body_hash, is_deleted)"
        " SELECT stream_id, external_id, 3, payload, body_hash, is_deleted"
        " FROM ingest_rawrecord WHERE version = 2 LIMIT 1",
        "doubled: raw",
    ),
    "a raw object too many": (
        "UPDATE ingest_rawrecord SET external_id = 'nobody' WHERE id ="
        " (SELECT min(id) FROM ingest_rawrecord WHERE external_id LIKE 'cursor-%')",
        "doubled: songs/cursor raw: nobody not in the ledger",
    ),
    "a refined row removed": ("DELETE FROM ingest_contentitem", "lost: songs/cursor refined"),
    "a refined row marked as gone": (
        "UPDATE ingest_contentitem SET deleted_at = now()",
        "lost: songs/cursor refined",
    ),
    "a refined row left behind": (
        "UPDATE ingest_contentitem held SET raw_id = raw.id FROM ingest_rawrecord raw"
        " WHERE raw.external_id = held.external_id AND version = 1",
        "stale: songs/cursor refined",
    ),
    "a refined row twice": (
        "ALTER TABLE ingest_contentitem DROP CONSTRAINT one_contentitem_per_external_id;"
        "UPDATE ingest_contentitem SET external_id = (SELECT max(external_id) FROM ingest_contentitem)",
        "doubled: ingest_contentitem",
    ),
    "a line removed": ("DELETE FROM ingest_orderline", "lost: shop/orders ingest_orderline"),
    "a line too many": (
        "UPDATE ingest_orderline SET external_id = '1'"
        " WHERE external_id = (SELECT max(external_id) FROM ingest_orderline)",
        "doubled: shop/orders ingest_orderline: 1",
    ),
    "a line left behind": ("UPDATE ingest_orderline SET raw_id = 0", "stale: shop/orders ingest_orderline"),
    "a variant marked as gone": (
        "UPDATE ingest_productvariant SET deleted_at = now()",
        "lost: shop/products ingest_productvariant",
    ),
    "a letter removed": ("DELETE FROM ingest_failedsync", "lost: shop/orders letters"),
    "a letter resolved": ("UPDATE ingest_failedsync SET resolved_at = now()", "lost: songs/cursor letters"),
    "a letter with an older payload": (
        'UPDATE ingest_failedsync SET raw_data = \'{"updated_at": "2020-01-01T00:00:00Z"}\'',
        "stale: songs/cursor letters",
    ),
    "a counter off": ("UPDATE ingest_collectionjob SET updated = updated + 1", "counters: job"),
    "a page counted twice": (
        "UPDATE ingest_page SET inserted = inserted + 1, fetched = fetched + 1",
        "counters: job",
    ),
    "a page that does not add up": (
        "ALTER TABLE ingest_page DROP CONSTRAINT every_record_accounted_for;"
        "UPDATE ingest_page SET fetched = fetched + 1",
        "and accounts for",
    ),
    "a page not counted": ("UPDATE ingest_page SET state = 'APPLIED'", "is still APPLIED"),
    "a metric off": ("UPDATE metrics_dailymetric SET records = records + 1", "metrics: order of"),
    "an activity off": ("UPDATE metrics_dailymetric SET new = new + 1", "metrics: order_line of"),
    "a metric removed": ("DELETE FROM metrics_dailymetric", "no row, counted again"),
    "a revenue off": ("UPDATE metrics_dailyrevenue SET amount = amount + 1", "metrics: revenue"),
    "a revenue removed": ("DELETE FROM metrics_dailyrevenue", "metrics: revenue"),
    "a job not ended": (
        "UPDATE ingest_collectionjob SET status = 'RUNNING' WHERE id ="
        " (SELECT min(id) FROM ingest_collectionjob)",
        "is still RUNNING",
    ),
    "a lease left": ("UPDATE ingest_collectionjob SET lease_until = now()", "has a lease until"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found(world: SandboxClient, datasets: Datasets, damage: str) -> None:
    sql, said = DAMAGES[damage]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else pending checks forbid to alter a table
        cursor.execute(sql)
    assert any(said in line for line in found(world, datasets)), damage
