"""A company from the wire to refined rows: everything arrives, and goes when it goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import sandbox
from connectors.providers.quickbooks import ENTITIES
from ingest import jobs
from ingest.connecting import lay_out_streams
from ingest.models import (
    CollectionJob,
    FailedSync,
    Invoice,
    InvoiceLine,
    Order,
    Payment,
    Product,
    Source,
    SourceStream,
)
from sandbox import SandboxClient
from sandbox.simulators import all_simulators
from tests.conftest import finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Iterator[SandboxClient]:
    with sandbox.running(seed=7, scale=0.15, customers=5, products=5, orders=5, items=5, songs=5) as client:
        yield client


@pytest.fixture
def books(company: SandboxClient, settings: Any) -> Source:
    settings.SYNC_PRIVATE_HOSTS = frozenset({company.url.removeprefix("http://")})
    offer = all_simulators()["quickbooks"].offer(company.url)
    source = Source.objects.create(
        name="books", connector="quickbooks", config=offer.config, credentials=dict(offer.credentials)
    )
    lay_out_streams(source)
    return source


def run(books: Source, name: str, **how: Any) -> CollectionJob:
    stream = SourceStream.objects.get(source=books, name=name)
    return finish(jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, **how)[0])


def test_a_company_arrives_and_its_papers_know_each_other(books: Source, company: SandboxClient) -> None:
    for name in ENTITIES:
        job = run(books, name)
        assert (job.status, job.error) == ("SUCCEEDED", "")
        there = company.ledger(f"quickbooks.{name}")["expected"]["count"]
        assert (job.fetched, job.expected_total, job.failed) == (there, there, 0)
    assert not FailedSync.objects.exists()
    assert not Invoice.objects.filter(customer__isnull=True).exists()
    assert not InvoiceLine.objects.filter(invoice__isnull=True).exists()
    assert not Order.objects.filter(location__isnull=True).exists()
    assert not Payment.objects.filter(invoice_external_id__isnull=False, invoice__isnull=True).exists()
    assert not Product.objects.filter(variants__isnull=True).exists()


def test_what_is_deleted_goes_with_the_next_run(books: Source, company: SandboxClient) -> None:
    run(books, "invoices")
    before = set(company.ledger("quickbooks.invoices")["deleted"])
    lines = InvoiceLine.objects.filter(deleted_at__isnull=True).count()
    company.change("quickbooks.invoices", delete=3, share=0.05, at=None)
    job = run(books, "invoices")
    assert (job.mode, job.status) == ("INCREMENTAL", "SUCCEEDED")
    gone = Invoice.objects.filter(deleted_at__isnull=False)
    assert {one.external_id for one in gone} == set(company.ledger("quickbooks.invoices")["deleted"]) - before
    assert InvoiceLine.objects.filter(deleted_at__isnull=True).count() < lines


def test_what_changes_did_not_tell_is_found_by_the_next_full_refresh(
    books: Source, company: SandboxClient
) -> None:
    books.config = {**books.config, "change_data_capture": False}
    books.save()
    run(books, "bills")
    company.change("quickbooks.bills", delete=2)
    assert run(books, "bills").missing_objects is None
    job = run(books, "bills", full=True)
    assert (job.status, job.missing_objects) == ("SUCCEEDED", 2)


@pytest.mark.parametrize("name", ["customers", "items", "invoices", "payments"])
def test_records_nobody_can_store_become_dead_letters_and_the_others_rows(
    books: Source, company: SandboxClient, name: str
) -> None:
    company.change(f"quickbooks.{name}", insert=40)
    company.change(f"quickbooks.{name}", spoil=9)
    job = run(books, name)
    expected = company.ledger(f"quickbooks.{name}")["expected"]
    assert (job.status, job.failed) == ("PARTIAL", expected["bad"])
    assert (job.inserted, FailedSync.objects.count()) == (
        expected["count"] - expected["bad"],
        expected["bad"],
    )
    assert all(letter.error for letter in FailedSync.objects.all())
