"""Connecting a source by a page of its provider, as staff meet it in the browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connectors.auth.tokens import Token
from connectors.errors import ConfigError
from ingest import tokens
from ingest.connecting import connector_for, lay_out_streams
from ingest.models import Source, SourceToken
from ingest.tokens import SourceTokens
from sandbox.messages import Request
from syncproject.logs import FactsFormatter
from tests.admin.conftest import browser_of
from tests.admin.pages import detail_of, list_of, verb_of
from tests.oauth_site import SECRET, Site, serving

CONNECTED = "admin:ingest_source_connected"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site(needs_pkce=True)) as site:
        yield site


@pytest.fixture
def source(db: None, site: Site, settings: Any) -> Source:
    settings.SYNC_PRIVATE_HOSTS = frozenset({"127.0.0.1"})
    source = Source.objects.create(
        name="items",
        connector="rest",
        config=site.config("authorization_code"),
        credentials=site.credentials(),
    )
    lay_out_streams(source)
    return source


def press_connect(browser: Client, source: Source) -> Any:
    return browser.post(reverse("admin:ingest_source_connect", args=[source.pk]))


def consent(site: Site, page: str) -> dict[str, str]:
    """Say yes on the provider's page; return what the way back holds."""
    address = urlsplit(page)
    asked = Request(
        method="GET",
        path=address.path,
        query=dict(parse_qsl(address.query)),
        headers={},
        body=b"",
        origin="",
        client="127.0.0.1",
    )
    back = urlsplit(site.oauth.authorize(asked).headers["Location"])
    assert back.path == reverse(CONNECTED)
    return dict(parse_qsl(back.query))


def come_back(browser: Client, **answer: str) -> Any:
    return browser.get(f"{reverse(CONNECTED)}?{urlencode(answer)}", follow=True)


def begun(browser: Client, site: Site, source: Source) -> dict[str, str]:
    return consent(site, press_connect(browser, source)["Location"])


def said(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


# The way there and back


def test_connecting_stores_a_token_and_leads_back_to_the_source(
    boss: Client, site: Site, source: Source
) -> None:
    answer = come_back(boss, **begun(boss, site, source))
    assert answer.redirect_chain[-1][0] == detail_of(source)
    assert "items is connected. Scopes: items.read, items.write." in said(answer)
    connector = connector_for(Source.objects.get())
    assert all(check.is_ok for check in connector.probe())
    connector.close()
    assert LogEntry.objects.get().change_message == "Connected"


def test_the_provider_is_asked_for_a_code_with_pkce_and_a_state(boss: Client, source: Source) -> None:
    page = press_connect(boss, source)["Location"]
    asked = parse_qs(urlsplit(page).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"http://testserver{reverse(CONNECTED)}"]
    assert asked["scope"] == ["items.read items.write"]
    assert len(asked["state"][0]) > 40
    assert SECRET not in page


def test_reconnecting_takes_the_mark_off(boss: Client, site: Site, source: Source) -> None:
    come_back(boss, **begun(boss, site, source))
    tokens.needs_reconnect(source.pk, "The refresh token was used up.")
    page = boss.get(detail_of(source)).content.decode()
    assert "The refresh token was used up." in page
    assert "Reconnect" in page
    assert "needs reconnect" in boss.get(list_of(Source)).content.decode()
    come_back(boss, **begun(boss, site, source))
    assert Source.objects.get().needs_reconnect_since is None


def test_a_source_nobody_has_connected_yet_says_so(boss: Client, source: Source) -> None:
    """Also after a test, which leaves a row for a token without one."""
    for _ in range(2):
        page = boss.get(detail_of(source)).content.decode()
        assert "</span>Connect</button>" in page
        assert "Reconnect" not in page
        boss.post(verb_of(source, "test"))
    Source.objects.update(needs_reconnect_since=None, needs_reconnect_reason="")
    assert "Not connected yet" in boss.get(detail_of(source)).content.decode()


def test_the_page_shows_the_way_in_and_the_token_by_its_last_characters(
    boss: Client, site: Site, source: Source
) -> None:
    before = boss.get(detail_of(source)).content.decode()
    assert "oauth2 (authorization_code)" in before
    assert f"http://testserver{reverse(CONNECTED)}" in before
    come_back(boss, **begun(boss, site, source))
    page = boss.get(detail_of(source)).content.decode()
    kept = SourceToken.objects.get().token["token"]
    assert f"…{kept['access'][-4:]}" in page
    assert not [secret for secret in (kept["access"], kept["refresh"], SECRET) if secret in page]


def test_a_token_that_no_key_reads_any_more_is_told_and_replaced(
    boss: Client, site: Site, source: Source, settings: Any
) -> None:
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    SourceTokens(source.pk, credentials={}).keep(Token(access="lost"))
    settings.FIELD_ENCRYPTION_KEYS = keys
    assert "cannot be read with any key" in boss.get(detail_of(source)).content.decode()
    with pytest.raises(ConfigError, match="cannot be read"):
        SourceTokens(source.pk, credentials={}).held()
    assert "is connected" in said(come_back(boss, **begun(boss, site, source)))


# Refusals


def test_an_answer_is_good_once(boss: Client, site: Site, source: Source) -> None:
    answer = begun(boss, site, source)
    come_back(boss, **answer)
    assert "was used already" in said(come_back(boss, **answer))
    assert site.oauth.calls == {"authorization_code ok": 1}


def test_who_was_refused_is_on_the_page_with_the_button(boss: Client, site: Site, source: Source) -> None:
    answer = begun(boss, site, source)
    come_back(boss, **answer)
    assert come_back(boss, **answer).redirect_chain[-1][0] == detail_of(source)
    answer = begun(boss, site, source)
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        boss.force_login(User.objects.get(username="boss"))
        assert come_back(boss, **answer).redirect_chain[-1][0] == detail_of(source)


def test_an_answer_is_good_in_the_browser_it_was_begun_in(boss: Client, site: Site, source: Source) -> None:
    answer = begun(boss, site, source)
    elsewhere = browser_of(User.objects.get(username="boss"))
    assert "begun in another browser" in said(come_back(elsewhere, **answer))
    assert not SourceToken.objects.exists()


def test_an_answer_is_good_for_who_began(boss: Client, site: Site, source: Source) -> None:
    answer = begun(boss, site, source)
    other = browser_of(User.objects.create_superuser("other", "other@example.org", "secret"))
    assert come_back(other, **answer).status_code == 403
    assert not SourceToken.objects.exists()


def test_the_code_of_an_answer_stays_out_of_the_log(
    boss: Client, site: Site, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """Django tells the log of each refused request, with the request: nobody has used that code yet."""
    answer = begun(boss, site, source)
    come_back(browser_of(User.objects.create_superuser("other", "other@example.org", "secret")), **answer)
    told = [FactsFormatter().format(record) for record in caplog.records]
    assert any("Forbidden" in line for line in told)
    assert answer["code"] not in "".join(told)


def test_an_answer_does_not_last(boss: Client, site: Site, source: Source) -> None:
    answer = begun(boss, site, source)
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        boss.force_login(User.objects.get(username="boss"))
        assert "longer than 15 minutes" in said(come_back(boss, **answer))


@pytest.mark.parametrize("state", ["", "nonsense", "eyJzb3VyY2UiOjF9:1:forged"])
def test_a_state_that_is_not_ours_is_refused(boss: Client, site: Site, source: Source, state: str) -> None:
    answer = begun(boss, site, source)
    assert "belongs to no connection" in said(come_back(boss, code=answer["code"], state=state))


def test_what_the_provider_says_against_it_is_told_as_text(boss: Client, site: Site, source: Source) -> None:
    state = begun(boss, site, source)["state"]
    answer = come_back(boss, state=state, error="access_denied", error_description="<b>No</b> thanks")
    assert "the provider did not let us in: access_denied &lt;b&gt;No" in answer.content.decode()
    assert not SourceToken.objects.exists()


def test_a_code_the_provider_does_not_take_is_told_and_not_shown(
    boss: Client, site: Site, source: Source
) -> None:
    state = begun(boss, site, source)["state"]
    told = said(come_back(boss, state=state, code="canary-code"))
    assert "items is not connected" in told
    assert "invalid_grant" in told
    assert "canary-code" not in told


def test_an_answer_without_a_code_is_told(boss: Client, site: Site, source: Source) -> None:
    state = begun(boss, site, source)["state"]
    assert "holds no code" in said(come_back(boss, state=state))


def test_a_source_that_is_gone_meanwhile_is_told(boss: Client, site: Site, source: Source) -> None:
    answer = begun(boss, site, source)
    source.delete()
    assert "is gone" in said(come_back(boss, **answer))


def test_a_way_in_without_such_a_page_is_told(boss: Client, source: Source) -> None:
    Source.objects.update(config={"sourceIdentifier": "http://127.0.0.1:9/"})
    answer = boss.post(reverse("admin:ingest_source_connect", args=[source.pk]), follow=True)
    assert "none needs no connecting" in said(answer)


def test_those_who_may_only_look_cannot_connect(
    viewer: Client, boss: Client, site: Site, source: Source
) -> None:
    assert press_connect(viewer, source).status_code == 403
    assert come_back(viewer, **begun(boss, site, source)).status_code == 403
    assert "Redirect URL" in viewer.get(detail_of(source)).content.decode()
    assert "/connect/" not in viewer.get(detail_of(source)).content.decode()


def test_connecting_takes_a_press_of_the_button(boss: Client, source: Source) -> None:
    assert boss.get(reverse("admin:ingest_source_connect", args=[source.pk])).status_code == 405
    assert Client().post(reverse("admin:ingest_source_connect", args=[source.pk])).status_code == 302
    assert boss.post(reverse("admin:ingest_source_connect", args=[999_999])).status_code == 404
    checked = Client(enforce_csrf_checks=True)
    checked.force_login(User.objects.get(username="boss"))
    assert press_connect(checked, source).status_code == 403


# Beside it


def test_the_connection_is_tested_step_by_step(boss: Client, site: Site, source: Source) -> None:
    not_yet = said(boss.post(verb_of(source, "test"), follow=True))
    assert "press Connect on its page" in not_yet
    come_back(boss, **begun(boss, site, source))
    answer = boss.post(verb_of(source, "test"), follow=True)
    assert "items: the connection works; " in said(answer)
    assert "<td>fresh token</td>" in answer.content.decode()
    assert "answered, with records" in answer.content.decode()


def test_a_source_that_needs_reconnecting_is_not_synced(boss: Client, source: Source) -> None:
    tokens.needs_reconnect(source.pk, "Taken back.")
    assert "needs reconnecting first" in said(boss.post(verb_of(source, "sync"), follow=True))
    assert not source.jobs.exists()


def test_new_credentials_take_the_mark_off(boss: Client, source: Source) -> None:
    tokens.needs_reconnect(source.pk, "Taken back.")
    stream = source.streams.get()
    form = {
        "name": "items",
        "config": '{"sourceIdentifier": "http://127.0.0.1:9/", "auth": {"type": "bearer"}}',
        "new_credentials": '{"token": "another"}',
        "streams-TOTAL_FORMS": "1",
        "streams-INITIAL_FORMS": "1",
        "streams-0-id": f"{stream.pk}",
        "streams-0-source": f"{source.pk}",
        "streams-0-mode": stream.mode,
        "streams-0-lookback": "00:10:00",
        "streams-0-page_size": "5",
        "streams-0-deletion_brake": "30",
    }
    boss.post(detail_of(source), form)
    source.refresh_from_db()
    assert source.credentials == {"token": "another"}
    assert source.needs_reconnect_since is None
