"""A database of the version before goes forward with its rows, and its source syncs again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

import sandbox
from ingest.deadletters import fingerprint
from ingest.models import CollectionJob, FailedSync, Order, OrderLine, RawRecord, Source
from sandbox import SandboxClient

ALIAS = "upgraded"
BEFORE = ("ingest", "0002_storage")
LONG_AGO = datetime(2020, 1, 31, 12, tzinfo=UTC)
TOKEN = "shpat_sandbox"


@pytest.fixture(scope="module")
def shop() -> Iterator[SandboxClient]:
    with sandbox.running(seed=7, customers=20, products=10, orders=30, items=1, songs=1) as client:
        yield client


@pytest.fixture(scope="module")
def failed_order(shop: SandboxClient) -> str:
    """The id of an order that the shop has, and that we could not read before."""
    address = f"{shop.url}/shopify/admin/api/2026-10/orders.json?status=any&limit=1"
    request = urllib.request.Request(address, headers={"X-Shopify-Access-Token": TOKEN})
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["orders"][0]["id"])


@pytest.fixture(scope="module")
def upgraded(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, shop: SandboxClient, failed_order: str
) -> Iterator[None]:
    """A database of its own, under an alias of its own: rows of before, then today's migrations."""
    name = f"{connection.settings_dict['NAME']}_{ALIAS}"
    with django_db_blocker.unblock():
        _maintain(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        _maintain(f'CREATE DATABASE "{name}"')
        connections.databases[ALIAS] = {**connection.settings_dict, "NAME": name}
        try:
            call_command("migrate", *BEFORE, database=ALIAS, verbosity=0)
            _fill(f"{shop.url}/shopify", failed_order)
            call_command("migrate", database=ALIAS, verbosity=0)
            yield
        finally:
            connections[ALIAS].close()
            del connections[ALIAS], connections.databases[ALIAS]
            _maintain(f'DROP DATABASE "{name}" WITH (FORCE)')


def _maintain(sql: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(sql)


def _add_as_before(model: str, **values: Any) -> Any:
    apps = _state_of_before().apps
    return apps.get_model("ingest", model)._default_manager.using(ALIAS).create(**values)


@cache
def _state_of_before() -> Any:
    return MigrationExecutor(connections[ALIAS]).loader.project_state([BEFORE])


def _fill(base_url: str, failed_order: str) -> None:
    """Add a shop that was synced before: an order, and one that became a dead letter."""
    source = _add_as_before(
        "Source",
        name="shop",
        connector="shopify",
        config={"shop": "sandbox.myshopify.com", "base_url": base_url},
        credentials={"access_token": TOKEN},
    )
    of_source: dict[str, Any] = {"source": source, "kind": "order"}
    stream = _add_as_before("SourceStream", name="orders", page_size=250, watermark=LONG_AGO, **of_source)
    job = _add_as_before(
        "CollectionJob", source=source, stream=stream, status="PARTIAL", is_fetched=True, fetched=2
    )
    counts = {"fetched": 2, "inserted": 1, "failed": 1}
    _add_as_before("Page", job=job, number=1, cursor_digest=b"1" * 32, state="COUNTED", **counts)
    raw = _add_as_before(
        "RawRecord", stream=stream, external_id="old", version=1, payload={"id": "old"}, body_hash=b"1" * 32
    )
    seen: dict[str, Any] = {"source": source, "day": LONG_AGO.date(), "occurred_at": LONG_AGO}
    customer = _add_as_before("Customer", external_id="ann", email="ann@example.com", **seen)
    order = _add_as_before(
        "Order", external_id="old", raw_id=raw.pk, customer=customer, total_amount="12.50", **seen
    )
    _add_as_before("OrderLine", external_id="old-1", order=order, quantity=2, unit_price="6.25", **seen)
    _add_as_before(
        "FailedSync",
        stream=stream,
        job=job,
        external_id=failed_order,
        raw_data={"id": failed_order},
        error_type="refine",
        error="no currency",
        fingerprint=fingerprint(failed_order, b""),
        **of_source,
    )


@pytest.mark.usefixtures("upgraded")
def test_rows_of_before_are_whole() -> None:
    source = Source.objects.using(ALIAS).get(name="shop")
    assert source.credentials == {"access_token": TOKEN}
    assert (source.needs_reconnect_since, source.needs_reconnect_reason, source.access_version) == (
        None,
        "",
        0,
    )
    assert source.streams.get().deletion_brake == 30
    job = CollectionJob.objects.using(ALIAS).earliest("id")
    assert (job.status, job.missing_objects, job.deletions_accepted) == ("PARTIAL", None, False)
    assert job.pages.get().fetched == 2
    order = Order.objects.using(ALIAS).get(external_id="old")
    assert order.customer is not None
    assert (order.customer.email, order.total_amount, order.location_id) == (
        "ann@example.com",
        Decimal("12.5"),
        None,
    )
    line = order.lines.get()
    assert line.unit_price == Decimal("6.25")
    assert OrderLine.objects.using(ALIAS).filter(total_amount=None).count() == 1
    raw = RawRecord.objects.using(ALIAS).get(external_id="old")
    assert (raw.pk, raw.payload) == (order.raw_id, {"id": "old"})


@pytest.mark.usefixtures("upgraded")
def test_nothing_is_left_unchecked_or_half_made() -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE NOT convalidated"
            " UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
        )
        assert cursor.fetchall() == []


@pytest.mark.usefixtures("upgraded")
def test_code_of_before_still_adds_rows() -> None:
    source = _add_as_before("Source", name="other", connector="csv")
    stream = _add_as_before("SourceStream", source=source, name="rows", kind="record", page_size=10)
    job = _add_as_before("CollectionJob", source=source, stream=stream, status="FAILED")

    assert CollectionJob.objects.using(ALIAS).get(pk=job.pk).deletions_accepted is False


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("upgraded")
def test_the_source_of_before_syncs_again(failed_order: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "sync", "shop", "--stream", "orders", "--here"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": _address(), "SYNC_PRIVATE_HOSTS": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    orders = Order.objects.using(ALIAS)
    assert orders.count() == 31
    assert orders.get(external_id="old").total_amount == Decimal("12.5")
    letter = FailedSync.objects.using(ALIAS).get(external_id=failed_order)
    assert letter.resolution == FailedSync.Resolution.SYNCED


def _address() -> str:
    at = connections[ALIAS].settings_dict
    login = f"{quote(at['USER'], safe='')}:{quote(at['PASSWORD'], safe='')}"
    return f"postgres://{login}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
