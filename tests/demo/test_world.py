from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from django.contrib.auth import authenticate
from pytest_django import Settings

import sandbox
from connectors import all_connectors
from ingest.models import CollectionJob, ContentItem, Customer, Order, OrderLine, Source
from sandbox.__main__ import _options, _parser
from syncproject.demo import checking, stage, world
from syncproject.demo.world import DemoSource
from tests.conftest import finish

pytestmark = pytest.mark.django_db


def test_the_demo_keeps_its_password_and_its_world(tmp_path: Path) -> None:
    first, second = world.facts(tmp_path), world.facts(tmp_path)
    assert (first.password, first.epoch) == (second.password, second.epoch)
    assert (first.is_new, second.is_new) == (True, False)
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600


def test_the_files_on_disk_are_those_the_sandbox_serves(tmp_path: Path) -> None:
    known = world.facts(tmp_path)
    world.write_files(known, tmp_path)
    options = _options(_parser().parse_args(shlex.split(world.sandbox_arguments(known))))
    served = sandbox.World(options).files.write(tmp_path / "served")
    assert [path.read_bytes() for path in served] == [(tmp_path / path.name).read_bytes() for path in served]


def test_the_user_gets_its_password_back() -> None:
    stage.make_user("first")
    stage.make_user("second")
    user = authenticate(username="demo", password="second")
    assert user is not None
    assert user.is_staff


@pytest.fixture
def small(tmp_path: Path, settings: Settings) -> Iterator[sandbox.SandboxClient]:
    """The demo's sandbox, but small and with many bad records."""
    amounts: dict[str, Any] = {
        "customers": 60,
        "products": 40,
        "orders": 120,
        "items": 60,
        "songs": 60,
        "catalog": 40,
        "articles": 40,
        "scale": 0.2,
    }
    with sandbox.running(seed=world.SEED, bad_share=0.05, **amounts) as client:
        for name in ("music", "catalog"):
            with urlopen(f"{client.url}/files/{name}.csv") as answer:
                (tmp_path / f"{name}.csv").write_bytes(answer.read())
        settings.SYNC_PRIVATE_HOSTS = frozenset({client.url.removeprefix("http://")})
        settings.SYNC_FILE_ROOTS = [tmp_path]
        yield client


#: Enough to tell what would be found if something were lost.
FEW = {"demo-shop", "demo-api", "demo-files", "demo-download", "demo-news"}


def sync(sources: list[DemoSource]) -> list[CollectionJob]:
    return [finish(job) for job in stage.start_jobs(stage.make_sources(sources))]


@pytest.fixture
def synced(small: sandbox.SandboxClient) -> list[DemoSource]:
    sources = [one for one in world.sources(url=small.url) if one.name in FEW]
    sync(sources)
    return sources


@pytest.mark.timeout(900)
def test_every_record_of_every_provider_is_accounted_for(small: sandbox.SandboxClient) -> None:
    synced = world.sources(url=small.url)
    assert {one.connector for one in synced} == set(all_connectors())
    sync(synced)
    sums = checking.check(synced, small)
    assert "\n".join(sums.differences) == ""
    served = sum(small.ledger(name)["expected"]["count"] for one in synced for name in one.datasets.values())
    assert sums.records + sums.dead_letters == served
    assert sums.dead_letters > 20
    streams = sum(len(one.datasets) for one in synced)
    assert [one.stream for one in sums.each] == [
        f"{one.name}/{name}" for one in synced for name in one.datasets
    ]
    assert all(one.expected == one.records + one.dead_letters and not one.lost for one in sums.each)
    assert sums.line == (
        f"demo: ok, {sums.records} records, {streams} streams, {sums.dead_letters} dead letters, 0 lost"
    )


def test_a_lost_row_is_found(synced: list[DemoSource], small: sandbox.SandboxClient) -> None:
    lost = Customer.objects.latest("external_id")
    lost.delete()
    sums = checking.check(synced, small)
    assert sums.lost == 1
    assert f"demo-shop/customers: 1 records missing, such as {lost.external_id}" in sums.differences


def test_a_change_that_was_missed_is_found(synced: list[DemoSource], small: sandbox.SandboxClient) -> None:
    small.change("shopify.orders", share=0.02, seed=1)
    small.change("files.music", share=0.02, seed=1)
    small.change("feeds.news", share=0.03, seed=1)
    differences = "\n".join(checking.check(synced, small).differences)
    assert "demo-shop/orders: 2 records of other content than served" in differences
    assert "demo-files/music: 1 records missing" in differences
    assert "demo-news/news: 1 records of other content than served" in differences


def test_a_second_demo_changes_nothing(synced: list[DemoSource], small: sandbox.SandboxClient) -> None:
    assert {(job.inserted, job.updated) for job in sync(synced)} == {(0, 0)}
    assert checking.check(synced, small).differences == []


def test_clearing_removes_the_demo_and_nothing_else(synced: list[DemoSource]) -> None:
    own = Source.objects.create(name="own", connector="csv")
    ContentItem.objects.create(source=own, external_id="mine", day="2026-01-01")
    stage.clear()
    assert list(Source.objects.values_list("name", flat=True)) == ["own"]
    assert not Order.objects.exists()
    assert not OrderLine.objects.exists()
    assert ContentItem.objects.get().external_id == "mine"
