"""Row 22: fields that come, go, or change their type are noted once, and the sync goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ingest import drift
from ingest.models import CollectionJob, FieldChange, RawRecord
from tests.ingest.steps import Run
from tests.scripted import Script, raw_record, record

pytestmark = pytest.mark.django_db(transaction=True)
Sync = Callable[..., CollectionJob]


@pytest.fixture(autouse=True)
def _new_worker() -> Iterator[None]:
    drift._watches.clear()
    yield
    drift._watches.clear()


@pytest.fixture
def sync(run: Run, script: Script) -> Sync:
    """Sync records with the given values, ids counted on."""
    synced = 0

    def once(*values: dict[str, Any]) -> CollectionJob:
        nonlocal synced
        records = [record(f"r{synced + number}", **one) for number, one in enumerate(values)]
        synced += len(values)
        script.says("records", records)
        return run("records")

    return once


def changes(**filters: Any) -> list[tuple[str, str, str]]:
    noted = FieldChange.objects.filter(is_initial=False, **filters).order_by("pk")
    return list(noted.values_list("path", "change", "type"))


def test_the_fields_of_the_first_run_are_noted_as_there_from_the_start(sync: Sync) -> None:
    sync({"title": "a", "price": 1}, {"title": None, "price": 1.5})

    assert changes() == []
    fields = FieldChange.objects.order_by("path").values_list("path", "type", "share", "sample")
    assert list(fields) == [
        ("id", "text", 1.0, '"r0"'),
        ("price", "number", 1.0, "1"),
        ("title", "text", 1.0, '"a"'),
        ("updated_at", "text", 1.0, '"2026-03-01T12:00:00+00:00"'),
    ]


def test_a_field_that_comes_later_is_noted_once_with_a_sample(sync: Sync) -> None:
    sync({})
    job = sync({}, {"colour": "red"}, {"colour": "blue"})
    sync({"colour": "green"})

    noted = FieldChange.objects.get(is_initial=False)
    assert (noted.path, noted.change, noted.type) == ("colour", "FIRST_SEEN", "text")
    assert (noted.sample, noted.external_id, noted.job_id) == ('"red"', "r2", job.pk)
    assert noted.share == pytest.approx(2 / 3)


def test_a_new_type_is_noted_and_the_record_kept(sync: Sync) -> None:
    sync({"price": 1})
    sync({"price": "1.00"})

    assert changes() == [("price", "RETYPED", "text")]
    assert RawRecord.objects.count() == 2


@pytest.mark.parametrize(("before", "after"), [(1, 1.5), (1.5, 10**30), ("a", None), (None, None)], ids=repr)
def test_what_is_no_change_of_type(sync: Sync, before: Any, after: Any) -> None:
    sync({"value": before})
    sync({"value": after})

    assert changes() == []


def test_a_field_that_was_always_null_gets_its_type(sync: Sync) -> None:
    sync({"value": None})
    sync({"value": True})

    assert changes() == [("value", "FIRST_SEEN", "boolean")]


def test_fields_within_an_object_are_noted_one_level_down(sync: Sync) -> None:
    sync({"customer": {"id": 1, "address": {"city": "Bonn"}}})
    sync({"customer": {"id": "1", "vip": True, "address": {"city": "Bonn", "zip": "53111"}}})

    assert changes() == [("customer.id", "RETYPED", "text"), ("customer.vip", "FIRST_SEEN", "boolean")]


def test_an_object_keyed_by_ids_is_not_news_for_ever(sync: Sync) -> None:
    sync({"map": {f"key_{n}": n for n in range(1000)}})
    sync({"map": {f"key_{n}": n for n in range(1000, 2000)}})

    assert FieldChange.objects.filter(path__startswith="map.").count() <= 2 * drift.FIELDS_PER_OBJECT


def test_a_field_that_every_record_had_is_missed(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "MISSED_AFTER", 20)
    sync(*[{"title": "a"}] * 5)
    sync(*[{}] * 19)
    assert changes() == []

    sync({})
    sync(*[{}] * 40)

    assert changes() == [("title", "VANISHED", "text")]


def test_a_rare_field_is_not_missed_soon(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "MISSED_AFTER", 20)
    sync({"note": "a"}, *[{}] * 9)

    sync(*[{}] * 150)  # seen in each tenth record: 200 without it would be strange

    assert changes() == []


def test_a_field_within_an_object_that_is_often_null_is_not_missed(
    sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "MISSED_AFTER", 20)
    sync({"customer": {"id": 1}})

    sync(*[{"customer": None}] * 60)

    assert changes() == []


def test_another_worker_knows_what_was_noted(sync: Sync) -> None:
    sync({"title": "a"})
    drift._watches.clear()

    sync({"title": "b"})
    sync({"title": 1})

    assert changes() == [("title", "RETYPED", "number")]


def test_in_a_large_batch_a_change_of_many_records_is_found(sync: Sync) -> None:
    wide = {f"field_{n}": n for n in range(60)}
    sync(wide)
    sync(*[{**wide, **({"late": 1} if n > 400 else {})} for n in range(600)])

    assert changes() == [("late", "FIRST_SEEN", "number")]


def test_payloads_that_are_no_objects_are_passed_over(script: Script, run: Run) -> None:
    script.says("records", [record("a"), raw_record("b", b"[1, 2]")])

    assert run("records").status == "PARTIAL"
