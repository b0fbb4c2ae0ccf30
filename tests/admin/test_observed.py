"""Budgets, reports, field changes and held deletions, as staff see them."""

from __future__ import annotations

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from ingest.models import CollectionJob, FieldChange, Sighting
from tests.admin.pages import detail_of, list_of, verb_of
from tests.admin.shop import Shop
from tests.admin.test_actions import said


def text_of(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_the_page_of_a_source_shows_its_budgets(shop: Shop, boss: Client) -> None:
    shown = text_of(boss, detail_of(shop.source))

    for part in ("Rate budgets", "2/s, 36 at once", "60 (50%)", "250 of 1,000 (25%)", "800 of 1,000 (80%)"):
        assert part in shown


def test_the_list_of_field_changes_leaves_out_what_was_there_from_the_start(shop: Shop, boss: Client) -> None:
    change = FieldChange.objects.get()
    FieldChange.objects.create(
        stream=change.stream, path="old", type="text", change="FIRST_SEEN", is_initial=True
    )

    assert ">old<" not in text_of(boss, list_of(FieldChange))
    assert ">old<" in text_of(boss, f"{list_of(FieldChange)}?since=all")


def test_a_report_in_the_making_is_no_trouble(shop: Shop, boss: Client) -> None:
    later = timezone.now() + timedelta(minutes=1)
    CollectionJob.objects.filter(pk=shop.live.pk).update(
        status="PENDING", error_type="not_ready", error="The provider is making report 7", next_run_at=later
    )

    shown = text_of(boss, detail_of(shop.live))

    assert "Waiting to retry" not in shown
    assert "is making report 7" in shown


def hold(shop: Shop) -> CollectionJob:
    job = shop.succeeded
    CollectionJob.objects.filter(pk=job.pk).update(
        status="PARTIAL", mode="FULL", error_type="deletions_held", error="4 objects", missing_objects=4
    )
    Sighting.objects.create(job=job, pass_number=1, page_number=1, external_ids=["1"])
    return job


def test_deletions_that_wait_can_be_accepted(shop: Shop, boss: Client) -> None:
    job = hold(shop)
    page = text_of(boss, detail_of(job))
    assert "/do/accept/" in page
    assert "press Accept deletions" in page

    answer = boss.post(verb_of(job, "accept"), follow=True)

    assert "is marked as gone within seconds" in said(answer)
    job.refresh_from_db()
    assert (job.status, job.deletions_accepted, job.missing_objects) == ("RUNNING", True, None)


def test_deletions_are_not_offered_where_none_wait(shop: Shop, boss: Client) -> None:
    assert "/do/accept/" not in text_of(boss, detail_of(shop.succeeded))


def test_deletions_wait_while_the_stream_is_being_read(shop: Shop, boss: Client) -> None:
    job = hold(shop)
    CollectionJob.objects.create(source=job.source, stream=job.stream)

    assert "another run of its stream is live" in said(boss.post(verb_of(job, "accept"), follow=True))


def test_those_who_may_only_look_accept_nothing(shop: Shop, viewer: Client) -> None:
    assert viewer.post(verb_of(hold(shop), "accept")).status_code == 403
