"""Test connection, as staff see it: a verdict at once, and each step on the page of the source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from connectors.providers.rest import Rest
from ingest.admin import testing
from ingest.connecting import lay_out_streams
from ingest.models import Source
from tests.admin.pages import detail_of, list_of, verb_of
from tests.admin.test_actions import choose, said
from tests.oauth_site import SECRET, Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site()) as site:
        yield site


@pytest.fixture
def source(db: None, site: Site, settings: Any) -> Source:
    settings.SYNC_PRIVATE_HOSTS = frozenset({"127.0.0.1"})
    return source_at(site, "items")


def source_at(site: Site, name: str) -> Source:
    source = Source.objects.create(
        name=name,
        connector="rest",
        config=site.config("client_credentials"),
        credentials=site.credentials(),
    )
    lay_out_streams(source)
    return source


def test_each_step_is_on_the_page_with_its_time(boss: Client, source: Source) -> None:
    answer = boss.post(verb_of(source, "test"), follow=True)
    page = answer.content.decode()
    assert "items: the connection works; " in said(answer)
    for step in ("credentials", "stored token", "fresh token", "data: items"):
        assert f"<td>{step}</td>" in page, step
    assert page.count(">good</span>") == page.count(" s</td>") == 4
    assert SECRET not in page


def test_a_step_that_was_not_taken_is_not_called_good(
    boss: Client, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testing, "PATIENCE", timedelta(0))
    page = boss.post(verb_of(source, "test"), follow=True).content.decode()
    assert page.count(">not tried</span>") == 1
    assert "the steps left were not taken" in page


def test_the_steps_are_shown_once(boss: Client, source: Source) -> None:
    assert "Test of the connection" in boss.post(verb_of(source, "test"), follow=True).content.decode()
    assert "Test of the connection" not in boss.get(detail_of(source)).content.decode()


def test_the_step_that_failed_is_the_message(boss: Client, site: Site, source: Source) -> None:
    site.needed_scope = "items.admin"
    answer = boss.post(verb_of(source, "test"), follow=True)
    assert "items: data: items: Missing scope: " in said(answer)
    assert ">failed</span>" in answer.content.decode()


def test_a_mistake_in_the_connector_is_a_step_that_failed(
    boss: Client, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: Any) -> None:
        raise KeyError("id")

    monkeypatch.setattr(Rest, "fetch", stumble)

    answer = boss.post(verb_of(source, "test"), follow=True)

    assert "KeyError in the rest connector: 'id'. This is a mistake in the connector" in said(answer)


def test_steps_of_several_sources_wait_on_the_page_of_each(boss: Client, site: Site, source: Source) -> None:
    other = source_at(site, "more")
    told = said(choose(boss, source, "test", other))
    assert "items: the connection works" in told
    assert "more: the connection works" in told
    assert "Test of the connection" not in boss.get(list_of(Source)).content.decode()
    for one in (source, other):
        assert "<td>data: items</td>" in boss.get(detail_of(one)).content.decode()


def test_what_one_tested_is_not_shown_to_another(boss: Client, viewer: Client, source: Source) -> None:
    boss.post(verb_of(source, "test"))
    assert "Test of the connection" not in viewer.get(detail_of(source)).content.decode()


def test_those_who_may_only_look_test_nothing(viewer: Client, site: Site, source: Source) -> None:
    assert viewer.post(verb_of(source, "test")).status_code == 403
    assert site.items_asked == 0
