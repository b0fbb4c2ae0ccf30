from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from ingest.models import CollectionJob, FailedSync, Page, Source, SourceStream
from tests.admin.pages import detail_of, list_of, verb_of
from tests.admin.shop import Shop, build_shop

Status = CollectionJob.Status
Mode = CollectionJob.Mode


def said(answer: object) -> str:
    return " | ".join(str(message) for message in answer.context["messages"])  # type: ignore[attr-defined]


def choose(client: Client, row: object, action: str, *rows: object) -> object:
    chosen = {"action": action, "_selected_action": [one.pk for one in (row, *rows)]}  # type: ignore[attr-defined]
    return client.post(list_of(type(row)), chosen, follow=True)  # type: ignore[arg-type]


def test_sync_now_starts_a_job_for_every_enabled_stream(shop: Shop, boss: Client) -> None:
    SourceStream.objects.filter(name="customers").update(is_enabled=False)
    answer = boss.post(verb_of(shop.source, "sync"), follow=True)
    started = CollectionJob.objects.filter(trigger="ADMIN")
    assert [(job.stream.name, job.mode, job.status) for job in started] == [
        ("orders", Mode.INCREMENTAL, Status.PENDING)
    ]
    assert "1 new job within seconds. 1 stream with a live job already" in said(answer)


def test_a_full_refresh_starts_from_the_beginning(shop: Shop, boss: Client) -> None:
    boss.post(verb_of(shop.source, "full"))
    jobs = CollectionJob.objects.filter(trigger="ADMIN")
    assert {(job.stream.name, job.mode, job.window_start) for job in jobs} == {
        ("orders", Mode.FULL, None),
        ("customers", Mode.FULL, None),
    }


def test_a_source_without_enabled_streams_says_so(shop: Shop, boss: Client) -> None:
    SourceStream.objects.update(is_enabled=False)
    assert "no enabled stream" in said(boss.post(verb_of(shop.source, "sync"), follow=True))


def test_pause_and_resume_from_the_list(shop: Shop, boss: Client) -> None:
    other = build_shop(name="shopify-us", now=timezone.now())
    assert "2 sources paused" in said(choose(boss, shop.source, "pause", other.source))
    assert set(Source.objects.values_list("is_paused", flat=True)) == {True}
    choose(boss, shop.source, "resume")
    assert dict(Source.objects.values_list("name", "is_paused")) == {"shopify-eu": False, "shopify-us": True}


def test_a_paused_source_is_not_started(shop: Shop, boss: Client) -> None:
    boss.post(verb_of(shop.source, "pause"))
    page = boss.get(detail_of(shop.source)).content.decode()
    assert "/do/resume/" in page
    assert "/do/sync/" not in page
    assert "no longer possible" in said(boss.post(verb_of(shop.source, "sync"), follow=True))
    assert "paused: resume it first" in said(choose(boss, shop.source, "sync"))
    assert not CollectionJob.objects.filter(trigger="ADMIN").exists()


def test_cancel_asks_a_live_job_to_stop(shop: Shop, boss: Client) -> None:
    boss.post(verb_of(shop.live, "cancel"))
    assert CollectionJob.objects.get(pk=shop.live.pk).cancel_requested
    assert "Nothing to cancel" in said(choose(boss, shop.failed, "cancel"))


def test_sync_again_repeats_the_mode(shop: Shop, boss: Client) -> None:
    CollectionJob.objects.filter(pk=shop.failed.pk).update(mode=Mode.FULL)
    boss.post(verb_of(shop.failed, "again"))
    job = CollectionJob.objects.get(trigger="ADMIN")
    assert (job.stream_id, job.mode) == (shop.failed.stream_id, Mode.FULL)


def test_sync_again_repeats_the_window_of_a_backfill(shop: Shop, boss: Client) -> None:
    start = shop.failed.created_at
    CollectionJob.objects.filter(pk=shop.failed.pk).update(mode=Mode.BACKFILL, window_start=start)
    boss.post(verb_of(shop.failed, "again"))
    job = CollectionJob.objects.get(trigger="ADMIN")
    assert (job.mode, job.window_start) == (Mode.BACKFILL, start)


def test_a_replay_is_not_synced_again(shop: Shop, boss: Client) -> None:
    CollectionJob.objects.filter(pk=shop.failed.pk).update(mode=Mode.REPLAY)
    assert "/do/again/" not in boss.get(detail_of(shop.failed)).content.decode()
    choose(boss, shop.failed, "again")
    assert not CollectionJob.objects.filter(trigger="ADMIN").exists()


def test_replay_lands_the_record_again(shop: Shop, boss: Client) -> None:
    answer = boss.post(verb_of(shop.letter, "replay"), follow=True)
    job = CollectionJob.objects.get(mode=Mode.REPLAY)
    assert (job.trigger, job.fetched) == ("ADMIN", 1)
    assert Page.objects.get(job=job).fetched == 1
    assert f"Job {job.pk} replays 1" in said(answer)


@pytest.mark.parametrize("verb", ["replay", "resolve"])
def test_a_resolved_letter_offers_nothing(shop: Shop, boss: Client, verb: str) -> None:
    boss.post(verb_of(shop.letter, "resolve"))
    assert f"/do/{verb}/" not in boss.get(detail_of(shop.letter)).content.decode()
    assert "no longer possible" in said(boss.post(verb_of(shop.letter, verb), follow=True))
    assert not CollectionJob.objects.filter(mode=Mode.REPLAY).exists()


def test_resolve_by_hand_takes_it_off_the_open_list(shop: Shop, boss: Client) -> None:
    choose(boss, shop.letter, "resolve")
    letter = FailedSync.objects.get()
    assert (letter.resolution, letter.resolved_at is not None) == ("BY_HAND", True)
    assert "0 dead letters" in boss.get(list_of(FailedSync)).content.decode()
    assert "1 dead letter" in boss.get(list_of(FailedSync), {"state": "all"}).content.decode()


def test_an_unknown_verb_leads_back_with_a_message(shop: Shop, boss: Client) -> None:
    assert boss.post(verb_of(shop.source, "explode")).status_code == 302
