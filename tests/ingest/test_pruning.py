"""Retention: what is needed stays, however old."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from connectors.base import Page as FetchedPage
from connectors.base import Tombstone
from ingest import drift, pruning
from ingest.models import CollectionJob, FailedSync, FieldChange, GenericRecord, Page, RawRecord
from tests.ingest.steps import Run, StreamNamed, counts, land, start
from tests.scripted import Script, record

pytestmark = pytest.mark.django_db


def prune_everything_older_than_a_day() -> dict[str, int]:
    RawRecord.objects.update(received_at=timezone.now() - timedelta(days=40))
    CollectionJob.objects.filter(finished_at__isnull=False).update(
        finished_at=timezone.now() - timedelta(days=40)
    )
    return pruning.prune(now=timezone.now(), job_days=1)


def versions() -> list[tuple[str, int]]:
    return list(RawRecord.objects.order_by("external_id", "version").values_list("external_id", "version"))


def test_the_latest_version_of_each_object_stays(script: Script, run: Run) -> None:
    for title in ("A", "B", "C"):
        script.says("records", [record("1", title=title), record("2")])
        run("records")

    assert prune_everything_older_than_a_day() == {"jobs": 3, "raw_versions": 2, "samples": 0}

    assert versions() == [("1", 3), ("2", 1)]
    assert GenericRecord.objects.get(external_id="1").raw == RawRecord.objects.get(version=3)


def test_the_version_after_the_pruned_ones_is_known_to_be_unchanged(script: Script, run: Run) -> None:
    for title in ("A", "B"):
        script.says("records", [record("1", title=title)])
        run("records")
    prune_everything_older_than_a_day()

    assert counts(run("records")) == {"fetched": 1, "unchanged": 1}
    script.says("records", [record("1", title="A")])
    assert counts(run("records")) == {"fetched": 1, "updated": 1}
    assert versions() == [("1", 2), ("1", 3)]


def test_versions_that_dead_letters_point_at_stay(script: Script, run: Run) -> None:
    script.says("orders", [record("1")])
    run("orders")
    FailedSync.objects.update(resolved_at=timezone.now(), resolution="BY_HAND")
    for total in (1, 2):
        script.says("orders", [record("1", total=total)])
        run("orders")

    prune_everything_older_than_a_day()

    assert versions() == [("1", 1), ("1", 3)]
    letter = FailedSync.objects.get()
    assert letter.raw is not None
    assert letter.job is None


def test_a_tombstone_is_a_latest_version_too(script: Script, run: Run) -> None:
    script.says("records", [record("1")])
    run("records")
    script.says("records", FetchedPage(tombstones=[Tombstone(external_id="1")]))
    run("records")

    prune_everything_older_than_a_day()

    assert versions() == [("1", 2)]
    assert counts(run("records")) == {"fetched": 1, "unchanged": 1}


def test_what_is_young_or_still_running_stays(script: Script, run: Run, stream: StreamNamed) -> None:
    for title in ("A", "B"):
        script.says("records", [record("1", title=title)])
        run("records")
    live = start(stream("records"))
    land(live, FetchedPage(records=[record("2")], next_cursor="1"))
    CollectionJob.objects.filter(pk=live.pk).update(created_at=timezone.now() - timedelta(days=400))

    assert pruning.prune(now=timezone.now(), job_days=1) == {"jobs": 0, "raw_versions": 0, "samples": 0}
    assert prune_everything_older_than_a_day() == {"jobs": 2, "raw_versions": 1, "samples": 0}

    assert CollectionJob.objects.get() == live
    assert Page.objects.get().job == live


@pytest.mark.django_db(transaction=True)
def test_samples_of_changed_fields_go_and_the_notes_stay(script: Script, run: Run) -> None:
    drift._watches.clear()
    script.says("records", [record("1", email="ann@example.org")])
    run("records")
    old = FieldChange.objects.filter(path="email")
    assert (old.get().sample, old.get().external_id) == ('"ann@example.org"', "1")
    old.update(seen_at=timezone.now() - timedelta(days=40))
    others = FieldChange.objects.exclude(sample="").count()

    assert pruning.prune(now=timezone.now(), job_days=30)["samples"] == 1

    assert (old.get().sample, old.get().external_id, old.get().type) == ("", "", "text")
    assert FieldChange.objects.exclude(sample="").count() == others - 1
    script.says("records", [record("1", email="bob@example.org")])
    run("records")
    assert old.get().sample == ""


def test_any_amount_goes_in_batches(script: Script, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 7)
    for title in ("A", "B"):
        script.says("records", [record(str(n), title=title) for n in range(21)])
        run("records")

    assert prune_everything_older_than_a_day()["raw_versions"] == 21
    assert RawRecord.objects.count() == 21
