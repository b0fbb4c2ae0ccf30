"""The admin in a real browser: live progress, buttons, and nothing that runs but our own scripts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from ingest import tokens
from ingest.connecting import lay_out_streams
from ingest.models import CollectionJob, Source, SourceToken
from sandbox.messages import Answer, Request
from tests.admin.pages import detail_of, list_of, our_models
from tests.admin.shop import Shop, build_shop
from tests.oauth_site import Site, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt install chromium)"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def orm_beside_playwright(monkeypatch: pytest.MonkeyPatch) -> None:
    # The live server takes a thread per request; a connection kept by one would outlive the test database.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    # Playwright keeps an event loop in this thread; the ORM takes that for a view that must not block.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture
def window(transactional_db: None, live_server: LiveServer, orm_beside_playwright: None) -> Iterator[Page]:
    """A superuser's browser window; any script error or dialog fails the test."""
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    trouble: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        page.on("console", lambda message: trouble.extend(_complaint(message)))
        yield page
        browser.close()
        # Inside the event loop the ORM has a connection of its own, which nobody else would close.
        connections.close_all()
    assert trouble == []


def _complaint(message: ConsoleMessage) -> list[str]:
    is_ours = message.type == "error" and "favicon" not in str(message.location)
    return [f"{message.text} {message.location}"] if is_ours else []


def test_progress_moves_by_itself_and_stops_with_the_job(window: Page) -> None:
    shop = build_shop(now=timezone.now())
    window.goto(list_of(CollectionJob))
    cell = window.locator(f'[data-job="{shop.live.pk}"][data-part="progress"]')
    expect(cell).to_contain_text("3,250 / 5,000")
    CollectionJob.objects.filter(pk=shop.live.pk).update(fetched=4000)
    expect(cell).to_contain_text("4,000 / 5,000")
    CollectionJob.objects.filter(pk=shop.live.pk).update(
        fetched=5000, status="SUCCEEDED", finished_at=timezone.now()
    )
    expect(cell).to_contain_text("5,000 / 5,000")
    expect(window.locator('[data-live]:not([data-live=""])')).to_have_count(0)


def test_the_page_of_a_job_that_ended_offers_to_sync_again(window: Page) -> None:
    shop = build_shop(now=timezone.now())
    window.goto(detail_of(shop.live))
    expect(window.get_by_role("button", name="Cancel")).to_be_visible()
    CollectionJob.objects.filter(pk=shop.live.pk).update(status="SUCCEEDED", finished_at=timezone.now())
    expect(window.get_by_role("button", name="Sync again")).to_be_visible()


def test_buttons_of_a_source_do_what_they_say(window: Page) -> None:
    shop = build_shop(now=timezone.now())
    window.goto(detail_of(shop.source))
    window.get_by_role("button", name="Pause").click()
    expect(window.get_by_role("button", name="Resume")).to_be_visible()
    assert Source.objects.get().is_paused
    window.get_by_role("button", name="Resume").click()
    expect(window.get_by_role("button", name="Sync now")).to_be_visible()
    assert not Source.objects.get().is_paused


def test_the_form_shows_what_the_chosen_connector_takes(window: Page) -> None:
    window.goto(reverse("admin:ingest_source_add"))
    expect(window.locator("[data-guide]:visible")).to_have_count(0)
    window.select_option("select[name=connector]", "shopify")
    guides = window.locator("[data-guide]:visible")
    expect(guides).to_have_count(2)
    guides.first.get_by_role("button", name="Begin with this").click()
    assert '"shop": "my-shop.myshopify.com"' in window.input_value("textarea[name=config]")
    guides.last.get_by_role("button", name="Begin with this").nth(1).click()
    assert '"mode": "oauth"' in window.input_value("textarea[name=new_credentials]")
    window.keyboard.press("Control+z")
    assert window.input_value("textarea[name=new_credentials]") == ""


def test_hostile_text_runs_nowhere(window: Page) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>\"><svg onload=alert(1)>' x-init=alert(1) "
    shop = build_shop(now=timezone.now(), write=lambda text: evil + text)
    for address in addresses(shop):
        window.goto(address)
        assert window.locator("img[src='x'], svg[onload]").count() == 0, address


def test_no_page_is_wider_than_the_window(window: Page) -> None:
    shop = build_shop(now=timezone.now(), write=lambda text: text + "wordwithoutend" * 40)
    for address in addresses(shop):
        window.goto(address)
        for width in (1440, 768, 390):
            window.set_viewport_size({"width": width, "height": 900})
            assert window.evaluate("document.documentElement.scrollWidth") <= width, (address, width)


def test_nothing_is_loaded_from_elsewhere(window: Page, live_server: LiveServer) -> None:
    shop = build_shop(now=timezone.now())
    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    for address in ("/admin/", list_of(CollectionJob), detail_of(shop.live)):
        window.goto(address)
    assert [url for url in asked if not url.startswith((live_server.url, "data:", "blob:"))] == []


# Connecting: our pages are on localhost and the provider's on 127.0.0.1, which are two sites to a browser.


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    settings.SYNC_PRIVATE_HOSTS = frozenset({"127.0.0.1"})
    with serving(Site(needs_pkce=True)) as site:
        yield site


def source_of(site: Site) -> Source:
    source = Source.objects.create(
        name="items",
        connector="rest",
        config=site.config("authorization_code"),
        credentials=site.credentials(),
    )
    lay_out_streams(source)
    return source


def test_a_person_connects_a_source_tests_it_and_connects_it_again(window: Page, site: Site) -> None:
    source = source_of(site)
    window.goto(detail_of(source))
    window.get_by_role("button", name="Connect", exact=False).last.click()
    expect(window.get_by_text("items is connected. Scopes: items.read, items.write.")).to_be_visible()
    assert urlsplit(window.url).path == detail_of(source)
    window.get_by_role("button", name="Test connection").click()
    steps = window.locator("table.sync-ends-in-text")
    expect(steps).to_contain_text("fresh token")
    expect(steps).to_contain_text("answered, with records")
    tokens.needs_reconnect(source.pk, "The refresh token was used up.")
    window.goto(detail_of(source))
    expect(window.get_by_text("The refresh token was used up.")).to_be_visible()
    window.get_by_role("button", name="Reconnect").click()
    expect(window.get_by_text("items is connected.")).to_be_visible()
    assert Source.objects.get().needs_reconnect_since is None
    # One to exchange each code, and one that the test had made.
    assert site.oauth.calls == {"authorization_code ok": 2, "refresh_token ok": 1}


def test_a_way_back_that_is_walked_twice_connects_nothing(window: Page, site: Site) -> None:
    source = source_of(site)
    backs: list[str] = []
    window.on("request", lambda request: backs.append(request.url) if "code=" in request.url else None)
    window.goto(detail_of(source))
    window.get_by_role("button", name="Connect", exact=False).last.click()
    expect(window.get_by_text("items is connected.")).to_be_visible()
    kept = SourceToken.objects.get().token
    window.goto(backs[-1])
    expect(window.get_by_text("This answer was used already")).to_be_visible()
    assert SourceToken.objects.get().token == kept
    assert site.oauth.calls == {"authorization_code ok": 1}


def test_who_says_no_at_the_provider_reads_so_and_may_try_again(window: Page, site: Site) -> None:
    site.before = says_no
    source = source_of(site)
    window.goto(detail_of(source))
    window.get_by_role("button", name="Connect", exact=False).last.click()
    told = window.get_by_text("items: the provider did not let us in: access_denied <b>No</b> thanks.")
    expect(told).to_be_visible()
    site.before = lambda request: None
    window.get_by_role("button", name="Connect", exact=False).last.click()
    expect(window.get_by_text("items is connected.")).to_be_visible()


def says_no(request: Request) -> Answer | None:
    if request.path != "/authorize":
        return None
    said = {
        "error": "access_denied",
        "error_description": "<b>No</b> thanks",
        "state": request.query["state"],
    }
    back = f"{request.query['redirect_uri']}?{urlencode(said)}"
    return Answer(status=302, headers={"Location": back}, body=b"")


def addresses(shop: Shop) -> list[str]:
    add = reverse("admin:ingest_source_add")
    return [
        "/admin/",
        add,
        *(list_of(model) for model in our_models()),
        *(detail_of(row) for row in shop.rows),
    ]
