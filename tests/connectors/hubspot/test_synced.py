"""HubSpot through the whole pipeline: what is served arrives, changes, and goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

import sandbox
from ingest import jobs
from ingest.models import CollectionJob, Company, Customer, Deal, Employee, SourceStream, Ticket
from sandbox.hubspot import SIMULATOR
from syncproject.demo import checking, stage
from syncproject.demo.world import DemoSource
from tests.conftest import finish

pytestmark = pytest.mark.django_db

OBJECTS = ("contacts", "companies", "deals", "tickets")


@pytest.fixture(params=[0.0])
def outside(request: pytest.FixtureRequest, settings: Settings) -> Iterator[sandbox.SandboxClient]:
    """A world of which a share cannot be stored."""
    with sandbox.running(seed=7, scale=0.3, bad_share=request.param) as client:
        settings.SYNC_PRIVATE_HOSTS = frozenset({client.url.removeprefix("http://")})
        yield client


@pytest.fixture
def source(outside: sandbox.SandboxClient) -> DemoSource:
    offer = SIMULATOR.offer(outside.url)
    return DemoSource(
        name="crm",
        connector="hubspot",
        config=offer.config,
        datasets=offer.datasets,
        credentials=offer.credentials,
    )


def sync(streams: list[SourceStream], *, full: bool = False) -> list[CollectionJob]:
    """Run each stream to its end."""
    for one in streams:
        one.refresh_from_db()
    started = [jobs.start(one, trigger=CollectionJob.Trigger.COMMAND, full=full)[0] for one in streams]
    return [finish(job) for job in started]


def check(source: DemoSource, outside: sandbox.SandboxClient) -> Any:
    found = checking.check([source], outside)
    assert found.differences == []
    assert found.lost == 0
    return found


@pytest.mark.parametrize("outside", [0.04], indirect=True)
def test_everything_arrives_and_every_relation_is_found(
    source: DemoSource, outside: sandbox.SandboxClient
) -> None:
    ended = sync(stage.make_sources([source]), full=True)
    assert {job.status for job in ended} <= {"SUCCEEDED", "PARTIAL"}
    found = check(source, outside)
    assert found.streams == 7
    assert found.dead_letters > 10
    for model, relation in (
        (Deal, "company"),
        (Deal, "customer"),
        (Ticket, "customer"),
        (Customer, "company"),
    ):
        named = model._default_manager.exclude(**{f"{relation}_external_id": None})
        waiting = named.filter(**{relation: None}).values_list(f"{relation}_external_id", flat=True)
        target = {"company": Company, "customer": Customer}[relation]
        assert named.filter(**{f"{relation}__isnull": False}).count() > 20
        assert not target._default_manager.filter(external_id__in=list(waiting)).exists()
    assert Employee.objects.filter(is_active=False).exists()
    assert Deal.objects.filter(owner__isnull=False).exists()


def test_what_changes_and_goes_is_found_by_the_next_run(
    source: DemoSource, outside: sandbox.SandboxClient
) -> None:
    streams = stage.make_sources([source])
    sync(streams, full=True)
    for name in OBJECTS:
        outside.change(f"hubspot.{name}", share=0.3, insert=40, delete=12)
    asked = outside.requests()["total"]
    ended = sync([one for one in streams if one.name in OBJECTS])
    assert {job.status for job in ended} == {"SUCCEEDED"}
    assert all(job.window_start for job in ended)
    check(source, outside)
    assert outside.requests()["total"] - asked < 60
    for name, model in (("contacts", Customer), ("deals", Deal)):
        deleted = set(outside.ledger(f"hubspot.{name}")["deleted"])
        gone = model._default_manager.filter(deleted_at__isnull=False).values_list("external_id", flat=True)
        assert set(gone) <= deleted
        assert len(gone) >= 10


def test_lies_lose_nothing_once_they_end(source: DemoSource, outside: sandbox.SandboxClient) -> None:
    streams = stage.make_sources([source])
    outside.lie(0.2, seed=5)
    for _ in range(3):
        sync(streams, full=True)
    assert outside.requests()["lies"]
    outside.honest()
    sync(streams, full=True)
    check(source, outside)
