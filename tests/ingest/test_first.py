from __future__ import annotations

from decimal import Decimal

import pytest

from ingest.models import FailedSync, GenericRecord, Order, OrderLine, RawRecord
from tests.scripted import record

pytestmark = pytest.mark.django_db


def test_a_run_lands_refines_and_counts_every_page(script, run):
    script.says("orders", [record("1", total="10.10", lines=[{"id": "1-1", "price": "5.05"}])], [record("2", total=3)])

    job = run("orders")

    assert (job.status, job.fetched, job.inserted, job.pages_landed) == ("SUCCEEDED", 2, 2, 2)
    assert Order.objects.get(external_id="1").total_amount == Decimal("10.10")
    assert OrderLine.objects.get().order.external_id == "1"


def test_one_bad_record_costs_one_dead_letter(script, run):
    script.says("orders", [record("1", total="10"), record("2"), record("3", total="1e30")])

    job = run("orders")

    assert (job.status, job.inserted, job.failed) == ("PARTIAL", 1, 2)
    assert set(FailedSync.objects.values_list("external_id", flat=True)) == {"2", "3"}


def test_a_record_that_changes_back_has_three_versions(script, run):
    for title in ("A", "B", "A"):
        script.says("records", [record("1", title=title)])
        run("records")

    assert list(RawRecord.objects.order_by("version").values_list("payload__title", flat=True)) == ["A", "B", "A"]
    assert GenericRecord.objects.get().title == "A"
