"""From Stripe's lists and events to rows, and that these are what Stripe has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from ingest import jobs
from ingest.connecting import lay_out_streams
from ingest.models import (
    BalanceTransaction,
    CollectionJob,
    Customer,
    Dispute,
    FailedSync,
    Invoice,
    InvoiceLine,
    Payment,
    Payout,
    RawRecord,
    Refund,
    Source,
    SourceStream,
)
from sandbox import SandboxClient
from syncproject.demo.checking import check
from syncproject.demo.world import DemoSource
from tests.conftest import finish
from tests.connectors.stripe.conftest import KEY, NOW, Clock

pytestmark = pytest.mark.django_db

LISTED = (
    "customers", "products", "prices", "subscriptions", "invoices", "payment_intents", "charges", "refunds",
    "disputes", "payouts", "balance_transactions",
)  # fmt: skip


@pytest.fixture
def source(world: SandboxClient, clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Source:
    settings.SYNC_PRIVATE_HOSTS = frozenset({world.url.removeprefix("http://")})
    monkeypatch.setattr(timezone, "now", lambda: datetime.fromtimestamp(max(clock(), NOW), UTC))
    made = Source.objects.create(
        name="pay",
        connector="stripe",
        config={"base_url": f"{world.url}/stripe", "calls_per_second": 1_000, "burst": 500},
        credentials={"secret_key": KEY},
    )
    lay_out_streams(made)
    return made


def sync(source: Source, *names: str, full: bool = False) -> dict[str, CollectionJob]:
    streams = SourceStream.objects.filter(source=source, name__in=names or (*LISTED, "invoice_lines"))
    trigger = CollectionJob.Trigger.COMMAND
    return {one.name: finish(jobs.start(one, trigger=trigger, full=full)[0]) for one in streams}


def unlike(source: Source, world: SandboxClient) -> list[str]:
    """Return what differs between the newest raw versions of live objects and what Stripe has."""
    found = []
    for name in LISTED:
        expected = newest(world, name)
        rows = RawRecord.objects.filter(stream__source=source, stream__name=name)
        latest = {row.external_id: row for row in rows.order_by("version")}
        held = {one: bytes(row.body_hash).hex() for one, row in latest.items() if not row.is_deleted}
        wanted = {one: version["sha256"] for one, version in expected.items()}
        found += [f"{name}: {one}" for one in held.keys() | wanted.keys() if held.get(one) != wanted.get(one)]
    return found


def test_everything_arrives_and_every_relation_finds_its_target(source: Source, world: SandboxClient) -> None:
    ended = sync(source)
    assert {job.status for job in ended.values()} == {"SUCCEEDED"}
    assert unlike(source, world) == []
    assert not FailedSync.objects.exists()
    assert Payment.objects.filter(type="charge", parent__type="payment_intent").count() == 225
    assert not Payment.objects.filter(customer_external_id__isnull=False, customer=None).exists()
    assert not Refund.objects.filter(payment=None).exists()
    assert not Dispute.objects.filter(payment=None).exists()
    assert not Invoice.objects.filter(customer=None).exists()
    assert not InvoiceLine.objects.filter(invoice=None).exists()
    assert not InvoiceLine.objects.filter(product=None).exists()
    moved = BalanceTransaction.objects.all()
    assert not moved.filter(payment=None, refund=None, payout=None).exists()


def test_changes_arrive_by_events_and_deletes_with_them(
    source: Source, world: SandboxClient, clock: Clock
) -> None:
    sync(source)
    for number in range(3):
        clock.wind(1_800)
        for name in LISTED[:-1]:
            world.change(f"stripe.{name}", share=0.1, insert=1, seed=number)
        world.change("stripe.customers", delete=5, seed=number)
        ended = sync(source)
        assert {job.status for job in ended.values()} == {"SUCCEEDED"}
        assert unlike(source, world) == []
    customers = Customer.objects.filter(deleted_at__isnull=True)
    assert customers.count() == world.ledger("stripe.customers")["expected"]["count"]
    assert Customer.objects.filter(deleted_at__isnull=False).count() == 15


def test_an_old_event_does_not_undo_what_a_newer_list_said(
    source: Source, world: SandboxClient, clock: Clock
) -> None:
    sync(source, "payouts")
    stream = SourceStream.objects.get(source=source, name="payouts")
    noted = stream.state
    for number in range(3):
        clock.wind(600)
        world.change("stripe.payouts", share=0.5, seed=number)
        sync(source, "payouts")
    clock.wind(600)
    sync(source, "payouts", full=True)
    told = made_from(source)
    assert told == {name: one["sha256"] for name, one in newest(world, "payouts").items()}
    # As if the last runs had never ended: their events come once more.
    SourceStream.objects.filter(pk=stream.pk).update(state=noted)
    job = sync(source, "payouts")["payouts"]
    assert job.fetched > 0
    assert made_from(source) == told


def newest(world: SandboxClient, name: str) -> dict[str, Any]:
    found: dict[str, Any] = world.ledger(f"stripe.{name}", full=True)["expected"]["newest"]
    return found


def made_from(source: Source, model: Any = Payout) -> dict[str, str]:
    """Return the hash of the version that each row was made from."""
    versions = dict(RawRecord.objects.filter(stream__source=source).values_list("pk", "body_hash"))
    rows = model.objects.values_list("external_id", "raw_id")
    return {external_id: bytes(versions[raw_id]).hex() for external_id, raw_id in rows}


def test_a_full_refresh_finds_what_went_unheard(source: Source, world: SandboxClient, clock: Clock) -> None:
    sync(source, "customers")
    clock.wind(40 * 86_400)
    world.change("stripe.customers", delete=7)
    clock.wind(40 * 86_400)
    sync(source, "customers")
    assert Customer.objects.filter(deleted_at__isnull=True).count() == 100
    job = sync(source, "customers", full=True)["customers"]
    assert job.status == "SUCCEEDED"
    assert Customer.objects.filter(deleted_at__isnull=True).count() == 93


def told_by_the_demo(source: Source, world: SandboxClient, *names: str) -> tuple[int, list[str]]:
    """Return how many records are lost, and all that differs, as the demo checks it."""
    datasets = {name: f"stripe.{name}" for name in names or LISTED}
    demo = DemoSource(name=source.name, connector="stripe", config={}, datasets=datasets, credentials={})
    sums = check([demo], world)
    return sums.lost, list(sums.differences)


def test_records_that_nobody_can_store_are_dead_letters_and_the_others_rows(
    source: Source, world: SandboxClient
) -> None:
    for number, name in enumerate(LISTED):
        world.change(f"stripe.{name}", spoil=4, seed=number)
    ended = sync(source)
    assert {job.status for name, job in ended.items() if name != "invoice_lines"} == {"PARTIAL"}
    assert told_by_the_demo(source, world) == (0, [])


def test_an_account_that_never_rests_ends_up_the_same(
    source: Source, world: SandboxClient, clock: Clock
) -> None:
    alive = ("customers", "invoices")
    world.live(150, datasets=[f"stripe.{name}" for name in alive], seed=3)
    for _ in range(4):
        sync(source, *alive)
        clock.wind(45)
    world.quiet()
    clock.wind(300)
    sync(source, *alive)
    for name, model in (("customers", Customer), ("invoices", Invoice)):
        wanted = newest(world, name)
        good = {one: version["sha256"] for one, version in wanted.items() if version["bad"] is None}
        made = made_from(source, model)
        assert {one: made.get(one) for one in good} == good
        letters = FailedSync.objects.filter(stream__name=name, resolved_at__isnull=True)
        assert set(letters.values_list("external_id", flat=True)) == wanted.keys() - good.keys()
