from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ingest.models import ContentItem, GenericRecord
from tests.admin.pages import detail_of, list_of, our_models
from tests.admin.shop import Shop, build_shop

PAYLOADS = [
    "<script>evil()</script>",
    '"><img src=x onerror=evil()>',
    "'><svg onload=evil()>",
    "</pre></textarea></title><script>evil()</script>",
    "<a href=javascript:evil()>click</a>",
    "<iframe srcdoc='<script>evil()</script>'>",
    '" onmouseover="evil()" x="',
    '<div x-data x-init="evil()">',
    "<div hx-get=/admin/ hx-trigger=load>",
    "{{ 7|add:7 }}{% load i18n %}",
    "\u202egnp.exe<style>*{display:none}</style>",
    "&lt;script&gt;evil()&lt;/script&gt;",
]
# Together they are too long for ids, and each page is slow to draw: a few at a time.
GROUPS = 4


class Markup(HTMLParser):
    """Collects what would run: elements and attributes that hold the payloads' own words."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            text = value or ""
            runs = name.startswith(("on", "x-", "hx-", ":", "@")) or name in ("srcdoc", "style")
            leads = name in ("href", "src", "action") and text.strip().lower().startswith(
                ("javascript:", "x")
            )
            if ("evil()" in text and runs) or leads or (name == "hx-trigger" and text == "load"):
                self.found.append(f"<{tag} {name}={text}>")
        self.open = tag

    def handle_data(self, data: str) -> None:
        if self.get_starttag_text() and getattr(self, "open", "") in ("script", "style") and "evil" in data:
            self.found.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.open = ""


def harm_in(page: str) -> list[str]:
    markup = Markup()
    markup.feed(page)
    return markup.found


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_detector_sees_harm_that_is_not_escaped(payload: str) -> None:
    harmless = {"&lt;script&gt;evil()&lt;/script&gt;", "{{ 7|add:7 }}{% load i18n %}"}
    if payload in harmless or "style>" in payload or payload.startswith('" on'):
        assert harm_in(f"<p>{payload}</p>") == []
    else:
        assert harm_in(f"<p>{payload}</p>")


@pytest.fixture(params=range(GROUPS))
def hostile(request: pytest.FixtureRequest, db: None) -> Shop:
    payload = "".join(PAYLOADS[request.param :: GROUPS])
    return build_shop(now=timezone.now(), write=lambda text: f"{payload}{text}")


def test_nothing_a_provider_sends_becomes_markup(hostile: Shop, boss: Client) -> None:
    addresses = [reverse("admin:index"), *(list_of(model) for model in our_models())]
    addresses += [detail_of(row) for row in hostile.rows]
    for address in addresses:
        page = boss.get(address).content.decode()
        assert harm_in(page) == [], address
        assert not [payload for payload in PAYLOADS if "<" in payload and payload in page], address


def test_messages_after_a_verb_are_escaped(hostile: Shop, boss: Client) -> None:
    for row, verb in ((hostile.live, "cancel"), (hostile.failed, "again"), (hostile.letter, "replay")):
        url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_do", args=[row.pk, verb])
        assert harm_in(boss.post(url, follow=True).content.decode()) == []


def test_live_parts_are_escaped(hostile: Shop, boss: Client) -> None:
    ids = f"{hostile.live.pk},{hostile.failed.pk}"
    jobs = boss.get(reverse("admin:ingest_collectionjob_live"), {"ids": ids}).json()["jobs"]
    drawn = "".join(html for job in jobs.values() for html in job["parts"].values())
    assert "401" in drawn
    assert harm_in(drawn) == []


def test_a_url_of_a_record_is_a_link_only_if_it_is_one(boss: Client, db: None) -> None:
    shop = build_shop(now=timezone.now())
    song = next(row for row in shop.others if isinstance(row, ContentItem))
    entry = next(row for row in shop.others if isinstance(row, GenericRecord))
    assert 'href="javascript' not in boss.get(detail_of(song)).content.decode()
    assert 'href="https://example.org/1"' in boss.get(detail_of(entry)).content.decode()


def test_very_long_texts_are_cut_in_lists(boss: Client, db: None) -> None:
    build_shop(now=timezone.now(), write=lambda text: text + "x" * 150_000)
    for model in our_models():
        assert b"x" * 1000 not in boss.get(list_of(model)).content, model


def test_every_registered_model_uses_our_base_or_is_djangos_own() -> None:
    assert {model._meta.app_label for model in admin.site._registry} == {"ingest", "metrics", "auth"}
