from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from ingest.admin import cells, payloads
from ingest.models import CollectionJob, RawRecord, Source, SourceStream
from metrics.models import DailyMetric
from syncproject.chart import COLOURS, HEIGHT, TOP, stacked_days
from tests.admin.pages import detail_of, list_of
from tests.admin.shop import Shop

LIVE = "admin:ingest_collectionjob_live"


def live(client: Client, job: CollectionJob) -> Any:
    return client.get(reverse(LIVE), {"ids": job.pk}).json()["jobs"][str(job.pk)]


def test_the_list_names_the_live_jobs_to_the_script(shop: Shop, boss: Client) -> None:
    page = boss.get(list_of(CollectionJob)).content.decode()
    assert f'data-job="{shop.live.pk}" data-part="progress" data-live="{reverse(LIVE)}"' in page
    assert f'data-job="{shop.failed.pk}" data-part="progress" data-live=""' in page
    assert "ingest/live.js" in page


def test_parts_follow_the_row(shop: Shop, boss: Client) -> None:
    before = live(boss, shop.live)
    assert before["is_live"] is True
    assert "3,250 / 5,000" in before["parts"]["progress"]
    assert 'value="65"' in before["parts"]["progress"]
    took = F("started_at") + timedelta(seconds=100)
    CollectionJob.objects.filter(pk=shop.live.pk).update(fetched=5000, status="SUCCEEDED", finished_at=took)
    after = live(boss, shop.live)
    assert after["is_live"] is False
    assert after["parts"]["rate"] == "50"
    assert "Succeeded" in after["parts"]["status"]


@pytest.mark.parametrize("ids", ["", "x", "-1", "9" * 40, ",,,", "1,2,%00", "²"])
def test_nonsense_for_ids_is_an_empty_answer(shop: Shop, boss: Client, ids: str) -> None:
    CollectionJob.objects.filter(pk__in=(1, 2)).delete()
    assert boss.get(reverse(LIVE), {"ids": ids}).json() == {"jobs": {}}


def test_a_job_waiting_to_retry_says_when(shop: Shop, boss: Client) -> None:
    CollectionJob.objects.filter(pk=shop.live.pk).update(
        status="PENDING",
        error_type="rate_limit",
        error="429: told to wait 60 s",
        next_run_at=datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    page = boss.get(detail_of(shop.live)).content.decode()
    for text in (
        "Waiting to retry",
        "2099-01-02 03:04:05 UTC",
        "429: told to wait 60 s",
        "goes on by itself",
    ):
        assert text in page


def test_a_failed_job_says_why_and_what_to_do(shop: Shop, boss: Client) -> None:
    page = boss.get(detail_of(shop.failed)).content.decode()
    assert "the token was revoked" in page
    assert "give credentials that the provider accepts" in page
    assert f"job__id__exact={shop.failed.pk}&amp;state=all" in page


def test_a_pruned_job_is_named_and_not_linked(shop: Shop, boss: Client) -> None:
    RawRecord.objects.filter(pk=shop.raw[0].pk).update(job_id=987654)
    assert "job 987654, past its retention" in boss.get(detail_of(shop.raw[0])).content.decode()


def test_a_record_whose_version_was_pruned_still_shows(shop: Shop, boss: Client) -> None:
    RawRecord.objects.filter(stream=shop.raw[0].stream_id).delete()
    assert "a pruned version" in boss.get(detail_of(shop.order)).content.decode()


# Exact values


def test_numbers_of_a_payload_are_shown_exactly(shop: Shop, boss: Client) -> None:
    exact = '{"price": 0.1000000000000000055511151231257827, "id": 12345678901234567890123456789, "e": 1e2}'
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ingest_rawrecord SET payload = %s WHERE id = %s", [exact, shop.raw[-1].pk])
        cursor.execute("UPDATE ingest_failedsync SET raw_data = %s", [exact])
    for row in (shop.raw[-1], shop.order, shop.letter):
        page = boss.get(detail_of(row)).content.decode()
        assert "0.1000000000000000055511151231257827" in page
        assert "12345678901234567890123456789" in page


def test_a_payload_with_a_number_beyond_all_bounds_is_shown_as_it_came(shop: Shop, boss: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingest_rawrecord SET payload = %s WHERE id = %s", ['{"n":1e999999999}', shop.raw[-1].pk]
        )
    assert "1e999999999" in boss.get(detail_of(shop.raw[-1])).content.decode()


def test_a_huge_payload_is_cut(shop: Shop) -> None:
    RawRecord.objects.filter(pk=shop.raw[0].pk).update(payload={"text": "x" * 500_000})
    shown = payloads.pretty(RawRecord.objects.filter(pk=shop.raw[0].pk), "payload")
    assert len(shown) < payloads.SHOWN_CHARACTERS + 100
    assert "cut here" in shown


def test_a_version_shows_what_changed(shop: Shop, boss: Client) -> None:
    page = boss.get(detail_of(shop.raw[-1])).content.decode()
    assert '<span class="sync-removed">-    &quot;status&quot;: &quot;paid&quot;,</span>' in page
    assert '<span class="sync-added">+    &quot;status&quot;: &quot;refunded&quot;,</span>' in page
    assert "Changed since" not in boss.get(detail_of(shop.raw[0])).content.decode()


def test_a_long_difference_is_cut() -> None:
    lines = payloads.difference("", "\n".join(str(number) for number in range(2000)))
    assert len(lines) == payloads.DIFF_LINES + 1
    assert "more lines" in lines[-1][1]


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        (Decimal("409.940000"), "USD", "409.94 USD"),
        (Decimal("12.000000"), "JPY", "12 JPY"),
        (Decimal("1.5"), "KWD", "1.500 KWD"),
        (Decimal("0.000001"), "EUR", "0.000001 EUR"),
        (Decimal("1234567.500000"), None, "1,234,567.5"),
        (Decimal("3.000000"), None, "3"),
        (Decimal("1E+3"), None, "1,000"),
        (None, "EUR", "-"),
    ],
)
def test_amounts_keep_every_digit_that_says_something(
    value: Decimal | None, currency: str | None, shown: str
) -> None:
    assert cells.amount(value, currency) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (45, "45 s"), (119, "119 s"), (720, "12 min"), (12_600, "3.5 h"), (345_600, "4 d")],
)
def test_spans_are_told_in_their_largest_unit(seconds: int, shown: str) -> None:
    assert cells.span(timedelta(seconds=seconds)) == shown


def test_every_moment_is_told_in_utc(shop: Shop, boss: Client) -> None:
    SourceStream.objects.update(watermark=datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC))
    assert "2026-05-04 03:02:01 UTC" in boss.get(detail_of(shop.source)).content.decode()
    users = boss.get("/admin/auth/user/1/change/", follow=True).content.decode()
    assert "a.m." not in users
    assert settings.TIME_ZONE == "UTC"


# The dashboard


def test_the_dashboard_tells_how_things_stand(shop: Shop, boss: Client, settings: Settings) -> None:
    settings.FLOWER_URL = "http://flower.example.org"
    page = boss.get(reverse("admin:index")).content.decode()
    for text in (
        "shopify-eu",
        "failing",
        "3,250 / 5,000",
        "open dead letters",
        'href="http://flower.example.org"',
    ):
        assert text in page
    assert 'data-part="rate"' in page
    assert "<rect" in page


def test_the_dashboard_of_an_empty_installation_is_a_page(boss: Client) -> None:
    page = boss.get(reverse("admin:index"))
    assert page.status_code == 200
    assert "None yet" in page.content.decode()


def test_the_dashboard_shows_only_what_one_may_see(shop: Shop, nobody: Client) -> None:
    page = nobody.get(reverse("admin:index")).content.decode()
    assert "shopify-eu" not in page
    assert "Ask an administrator" in page


def test_a_partial_run_without_an_error_says_what_to_do(shop: Shop, boss: Client) -> None:
    CollectionJob.objects.filter(pk=shop.failed.pk).update(status="PARTIAL", error="", error_type="")
    page = boss.get(detail_of(shop.failed)).content.decode()
    assert "Look at the dead letters of this run" in page


def test_the_error_of_a_run_is_in_the_list_below_its_stream(shop: Shop, boss: Client) -> None:
    page = boss.get(list_of(CollectionJob)).content.decode()
    assert '<small class="sync-below"><span title="The provider answered 401' in page


def test_bars_of_the_chart_add_up(db: None) -> None:
    day = date(2026, 11, 1)
    chart = stacked_days(
        [
            (day, "order", 30),
            (day, "order", 10),
            (day, "customer", 60),
            (day + timedelta(days=1), "order", 50),
        ],
        first=day,
        days=2,
    )
    assert chart["most"] == "100"
    first = [bar for bar in chart["bars"] if bar["title"].startswith("2026-11-01")]
    assert sum(bar["height"] for bar in first) == pytest.approx(HEIGHT, abs=0.2)
    assert min(bar["y"] for bar in first) == pytest.approx(TOP, abs=0.2)
    assert [entry["kind"] for entry in chart["legend"]] == ["customer", "order"]


def test_the_chart_shows_the_smallest_of_many_kinds_as_one(db: None) -> None:
    day = date(2026, 11, 1)
    chart = stacked_days([(day, f"kind_{n}", n) for n in range(1, 13)], first=day, days=1)
    assert len(chart["legend"]) == COLOURS
    assert chart["most"] == "78"
    assert "2026-11-01: 15 other kinds" in [bar["title"] for bar in chart["bars"]]
    assert len({entry["colour"] for entry in chart["legend"]}) == COLOURS


def test_the_chart_ends_at_the_newest_day_with_records(shop: Shop, boss: Client) -> None:
    DailyMetric.objects.all().delete()
    DailyMetric.objects.create(source=Source.objects.get(), kind="order", day=date(2020, 2, 29), records=7)
    DailyMetric.objects.create(
        source=Source.objects.get(), kind="order", day=timezone.now().date() + timedelta(days=400), records=7
    )
    page = boss.get(reverse("admin:index")).content.decode()
    assert "2020-02-29: 7 order" in page
