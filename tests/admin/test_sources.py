from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ingest.admin.standing import is_stale, standings
from ingest.models import CollectionJob, FailedSync, Source, SourceStream
from tests.admin.conftest import browser_of
from tests.admin.pages import detail_of, list_of, our_models
from tests.admin.shop import CONFIG, SECRET, Shop

ADD = "admin:ingest_source_add"
GOOD = {
    "name": "shopify-new",
    "connector": "shopify",
    "config": json.dumps(CONFIG),
    "new_credentials": json.dumps({"access_token": SECRET}),
}


def add(client: Client, **values: str) -> Any:
    return client.post(reverse(ADD), {**GOOD, **values}, follow=True)


def form_of(shop: Shop, **values: str) -> dict[str, str]:
    """What the browser would post for the source as it is, with some values changed."""
    streams = list(shop.source.streams.order_by("name"))
    form = {"name": shop.source.name, "config": json.dumps(shop.source.config), "new_credentials": ""}
    form |= {"streams-TOTAL_FORMS": str(len(streams)), "streams-INITIAL_FORMS": str(len(streams))}
    for number, stream in enumerate(streams):
        form |= {
            f"streams-{number}-id": str(stream.pk),
            f"streams-{number}-source": str(shop.source.pk),
            f"streams-{number}-is_enabled": "on",
            f"streams-{number}-mode": stream.mode,
            f"streams-{number}-schedule": stream.schedule,
            f"streams-{number}-lookback": "00:10:00",
            f"streams-{number}-page_size": str(stream.page_size),
            f"streams-{number}-deletion_brake": str(stream.deletion_brake),
        }
    return form | values


def save(client: Client, shop: Shop, **values: str) -> Any:
    return client.post(detail_of(shop.source), form_of(shop, **values), follow=True)


# Adding


def test_adding_a_source_lays_out_its_streams(boss: Client) -> None:
    answer = add(boss)
    source = Source.objects.get()
    assert source.credentials == {"access_token": SECRET}
    assert set(source.streams.values_list("name", flat=True)) >= {"customers", "orders", "products"}
    assert all(stream.next_run_at for stream in source.streams.exclude(schedule=""))
    assert "Sync now starts them at once" in answer.content.decode()


def test_every_connector_is_offered(boss: Client) -> None:
    page = boss.get(reverse(ADD)).content.decode()
    for name in ("shopify", "rest", "csv", "atom"):
        assert f'<option value="{name}"' in page


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("config", '{"shop": "not a shop"}', "shop"),
        ("config", '{"shopp": "demo.myshopify.com"}', "shopp"),
        ("config", "[1, 2]", "Give a JSON object"),
        ("config", "{", "not readable as JSON"),
        ("config", '{"shop": "\\u0000"}', "NUL"),
        ("config", '{"shop": "\\ud800"}', "readable as JSON"),
        ("config", '{"shop": NaN}', "not readable as JSON"),
        ("config", "", "shop"),
        ("config", "[" * 100_000, "nested too deeply"),
        ("new_credentials", '{"access_tokenn": "topsecret-0123456789"}', "access_token"),
        ("new_credentials", '"topsecret-0123456789"', "Give a JSON object"),
        ("new_credentials", "topsecret-0123456789", "not readable as JSON"),
        ("new_credentials", "", "access_token"),
        ("connector", "nonsense", "Select a valid choice"),
        ("name", "two words", "Use letters, digits"),
    ],
)
def test_bad_settings_are_a_form_error(boss: Client, field: str, value: str, reason: str) -> None:
    answer = add(boss, **{field: value})
    assert answer.status_code == 200
    assert reason in str(answer.context["adminform"].form.errors)
    assert not Source.objects.exists()
    assert "topsecret" not in answer.content.decode()


def test_credentials_are_not_given_back_after_an_error_elsewhere(boss: Client) -> None:
    assert SECRET not in add(boss, name="two words").content.decode()


# Changing


def test_credentials_never_appear_in_any_answer(shop: Shop, boss: Client) -> None:
    addresses = [reverse("admin:index"), *(list_of(model) for model in our_models())]
    addresses += [detail_of(row) for row in shop.rows]
    for address in addresses:
        assert SECRET[:-4] not in boss.get(address).content.decode(), address
    assert "set: access_token …wxyz" in boss.get(detail_of(shop.source)).content.decode()


def test_leaving_the_credentials_empty_keeps_them(shop: Shop, boss: Client) -> None:
    save(boss, shop, name="renamed")
    source = Source.objects.get()
    assert (source.name, source.credentials) == ("renamed", {"access_token": SECRET})


def test_new_credentials_replace_the_old(shop: Shop, boss: Client) -> None:
    save(boss, shop, new_credentials='{"access_token": "another-0123456789"}')
    assert Source.objects.get().credentials == {"access_token": "another-0123456789"}
    history = boss.get(reverse("admin:ingest_source_history", args=[shop.source.pk])).content.decode()
    assert "another-" not in history
    assert "Credentials" in history


def test_bad_settings_of_a_known_source_change_nothing(shop: Shop, boss: Client) -> None:
    answer = save(boss, shop, config='{"shop": "not a shop"}')
    assert "shop" in str(answer.context["adminform"].form.errors["config"])
    assert Source.objects.get().config == CONFIG


@pytest.mark.parametrize(
    "base_url", ["https://elsewhere.example", "http://127.0.0.1:10", "https://127.0.0.1:9"]
)
def test_credentials_are_not_sent_to_another_host_by_those_who_do_not_know_them(
    shop: Shop, boss: Client, base_url: str
) -> None:
    elsewhere = json.dumps({**CONFIG, "base_url": base_url})

    answer = save(boss, shop, config=elsewhere)
    assert "give the credentials again" in str(answer.context["adminform"].form.errors["new_credentials"])
    assert Source.objects.get().config == CONFIG

    save(boss, shop, config=elsewhere, new_credentials=json.dumps({"access_token": SECRET}))
    assert Source.objects.get().config["base_url"] == base_url


def test_another_path_on_the_same_host_needs_no_credentials(shop: Shop, boss: Client) -> None:
    save(boss, shop, config=json.dumps({**CONFIG, "base_url": "http://127.0.0.1:9/shopify"}))
    assert Source.objects.get().config["base_url"] == "http://127.0.0.1:9/shopify"


def test_short_secrets_show_no_character(shop: Shop, boss: Client) -> None:
    Source.objects.filter(pk=shop.source.pk).update(credentials={"pin": "123456", "nested": {"a": "b" * 40}})
    page = boss.get(detail_of(shop.source)).content.decode()
    assert "set: nested, pin" in page
    assert "3456" not in page


def test_the_connector_of_a_source_stays(shop: Shop, boss: Client) -> None:
    save(boss, shop, connector="csv")
    assert Source.objects.get().connector == "shopify"


def test_a_schedule_takes_effect_when_saved(shop: Shop, boss: Client) -> None:
    save(boss, shop, **{"streams-0-schedule": "every 6h"})
    stream = SourceStream.objects.get(name="customers")
    assert stream.schedule == "every 6h"
    assert stream.next_run_at is not None
    assert timedelta(0) < stream.next_run_at - timezone.now() <= timedelta(hours=6)
    assert SourceStream.objects.get(name="orders").next_run_at == shop.streams["orders"].next_run_at


def test_an_empty_schedule_means_by_hand_only(shop: Shop, boss: Client) -> None:
    save(boss, shop, **{"streams-0-schedule": ""})
    assert SourceStream.objects.get(name="customers").next_run_at is None


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("schedule", "sometimes", "no schedule"),
        ("schedule", "61 * * * *", "no crontab line"),
        ("schedule", "every 1s", "too often"),
        ("lookback", "-00:10:00", "goes back"),
        ("lookback", "a while", "Enter a valid duration"),
        ("page_size", "0", "greater than or equal to 1"),
        ("page_size", "9" * 12, "less than or equal to"),
    ],
)
def test_bad_stream_settings_are_a_form_error(
    shop: Shop, boss: Client, field: str, value: str, reason: str
) -> None:
    answer = save(boss, shop, **{f"streams-0-{field}": value})
    assert reason in answer.content.decode()
    assert SourceStream.objects.get(name="customers").schedule == "every 15m"


def test_saving_the_form_leaves_a_watermark_that_moved_meanwhile(
    shop: Shop, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = form_of(shop, **{"streams-0-page_size": "50"})
    moved = datetime(2030, 1, 1, tzinfo=UTC)
    check = SourceStream.full_clean

    def worker_moves_it(stream: SourceStream, *args: Any, **kwargs: Any) -> None:
        SourceStream.objects.update(watermark=moved, last_success_at=moved)
        check(stream, *args, **kwargs)

    monkeypatch.setattr(SourceStream, "full_clean", worker_moves_it)
    boss.post(detail_of(shop.source), form)
    stream = SourceStream.objects.get(name="customers")
    assert (stream.page_size, stream.watermark, stream.last_success_at) == (50, moved, moved)


def test_staff_who_may_only_look_cannot_save(shop: Shop, viewer: Client) -> None:
    assert viewer.post(detail_of(shop.source), form_of(shop, name="mine")).status_code == 403
    assert viewer.get(reverse(ADD)).status_code == 403
    page = viewer.get(detail_of(shop.source)).content.decode()
    assert "<textarea" not in page
    assert "demo.myshopify.com" in page


# How it stands


def status_of(shop: Shop) -> str:
    return standings([Source.objects.get(pk=shop.source.pk)], now=timezone.now())[shop.source.pk].status


def end(job: CollectionJob, status: str) -> None:
    CollectionJob.objects.filter(pk=job.pk).update(status=status)


def test_the_status_of_a_source_is_what_staff_should_know_first(shop: Shop) -> None:
    assert status_of(shop) == "failing"
    end(shop.failed, "SUCCEEDED")
    assert status_of(shop) == "running"
    end(shop.live, "PARTIAL")
    assert status_of(shop) == "partial"
    end(shop.live, "SUCCEEDED")
    assert status_of(shop) == "ok"
    SourceStream.objects.update(last_success_at=None)
    assert status_of(shop) == "never synced"
    Source.objects.update(is_paused=True)
    assert status_of(shop) == "paused"


def test_a_job_that_waits_after_an_error_shows_on_its_source(shop: Shop) -> None:
    later = timezone.now() + timedelta(minutes=5)
    CollectionJob.objects.filter(pk=shop.live.pk).update(
        status="PENDING", error_type="network", next_run_at=later
    )
    assert status_of(shop) == "waiting to retry"


def test_a_failed_stream_that_is_tried_again_is_running(shop: Shop) -> None:
    end(shop.live, "SUCCEEDED")
    CollectionJob.objects.create(source=shop.source, stream=shop.streams["orders"], status="RUNNING")
    assert status_of(shop) == "running"


def test_failures_of_a_disabled_stream_do_not_count(shop: Shop) -> None:
    SourceStream.objects.filter(name="orders").update(is_enabled=False)
    assert status_of(shop) == "running"


@pytest.mark.parametrize(
    ("schedule", "minutes", "expected"),
    [
        ("every 15m", 29, False),
        ("every 15m", 31, True),
        ("0 3 * * *", 60 * 24, False),
        ("0 3 * * *", 60 * 49, True),
        ("", 60 * 24 * 365, False),
        ("nonsense", 1, True),
    ],
)
def test_a_stream_is_stale_after_two_turns_of_its_schedule(
    schedule: str, minutes: int, expected: bool
) -> None:
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    stream = SourceStream(schedule=schedule, last_success_at=now - timedelta(minutes=minutes))
    assert is_stale(stream, now=now) is expected


def test_freshness_is_that_of_the_stream_that_waits_longest(shop: Shop) -> None:
    now = timezone.now()
    SourceStream.objects.filter(name="orders").update(last_success_at=now - timedelta(hours=3))
    standing = standings([shop.source], now=now)[shop.source.pk]
    assert standing.freshness == timedelta(hours=3)
    assert standing.is_stale
    assert (standing.open_letters, standing.live_jobs) == (1, 1)


def test_the_page_says_which_streams_went_wrong_and_what_to_do(shop: Shop, boss: Client) -> None:
    page = boss.get(detail_of(shop.source)).content.decode()
    assert "Latest runs that went wrong" in page
    assert f"job {shop.failed.pk}</a>" in page
    assert "the token was revoked." in page
    assert "What to do: Test connection on the page of the source says what is wrong." in page


def test_the_page_is_silent_about_a_failure_that_is_over(shop: Shop, boss: Client) -> None:
    CollectionJob.objects.create(
        source=shop.source, stream=shop.streams["orders"], status="SUCCEEDED", finished_at=timezone.now()
    )
    assert "Latest runs that went wrong" not in boss.get(detail_of(shop.source)).content.decode()


def test_errors_of_runs_are_for_those_who_may_see_runs(shop: Shop) -> None:
    user = User.objects.create_user("narrow", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_source"))
    assert "the token was revoked" not in browser_of(user).get(detail_of(shop.source)).content.decode()


def test_counting_dead_letters_stops_at_a_thousand(shop: Shop, boss: Client) -> None:
    letter = shop.letter
    shared = {"source_id": letter.source_id, "stream_id": letter.stream_id, "raw_data": {}, "kind": "order"}
    FailedSync.objects.bulk_create(FailedSync(fingerprint=f"{number}", **shared) for number in range(1500))
    assert "1,000+" in boss.get(list_of(Source)).content.decode()
