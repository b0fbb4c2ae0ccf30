"""Sources whose provider wants a person's word: let in by the demo, or left for people to connect."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

import sandbox
from connectors.errors import AuthenticationError
from ingest.connecting import connector_for
from ingest.models import Source, SourceToken
from syncproject.demo import checking, consenting, stage, world
from syncproject.demo.world import DemoSource
from tests.conftest import finish

pytestmark = pytest.mark.django_db

#: Not the port that the apps were registered with.
WEB = "127.0.0.1:18123"
CONNECTED = "admin:ingest_source_connected"


@pytest.fixture
def outside(settings: Settings) -> Iterator[sandbox.SandboxClient]:
    with sandbox.running(seed=7, customers=12, products=8, orders=12, scale=0.1) as client:
        settings.SYNC_PRIVATE_HOSTS = frozenset({client.url.removeprefix("http://")})
        settings.ALLOWED_HOSTS = ["127.0.0.1"]
        yield client


def connecting(url: str) -> list[DemoSource]:
    """Return the sources that somebody has to connect."""
    return [one for one in world.sources(url=url) if one.connects]


def source_of(one: DemoSource) -> Source:
    return Source.objects.get(name=one.name)


def is_let_in(source: Source) -> bool:
    connector = connector_for(source)
    try:
        return all(check.is_ok for check in connector.probe())
    finally:
        connector.close()


def test_the_demo_lets_in_all_but_what_is_left_for_people(outside: sandbox.SandboxClient) -> None:
    wanted = connecting(outside.url)
    stage.make_sources(wanted, web=f"http://{WEB}")
    assert {one.connector for one in wanted if one.datasets} == {"hubspot", "quickbooks", "shopify"}
    assert all(is_let_in(source_of(one)) for one in wanted if one.datasets)
    left = [one.name for one in wanted if not one.datasets]
    assert left == ["demo-press-connect"]
    assert not SourceToken.objects.filter(source__name__in=left, token__isnull=False).exists()


def test_people_connect_what_is_left_for_them(outside: sandbox.SandboxClient) -> None:
    [left] = [one for one in connecting(outside.url) if not one.datasets]
    assert stage.make_sources([left], web=f"http://{WEB}") == []
    source = source_of(left)
    browser = Client(headers={"host": WEB})
    browser.force_login(User.objects.create_superuser("staff", password="unused"))
    shown = browser.get(reverse("admin:ingest_source_change", args=[source.pk])).content.decode()
    assert "Connect" in shown
    page = browser.post(reverse("admin:ingest_source_connect", args=[source.pk]))["Location"]
    assert page.startswith(outside.url)
    assert parse_qs(urlsplit(page).query)["redirect_uri"] == [f"http://{WEB}{reverse(CONNECTED)}"]
    answer = browser.get(f"{reverse(CONNECTED)}?{urlencode(consenting.say_yes(page))}", follow=True)
    assert "demo-press-connect is connected." in answer.content.decode()
    assert is_let_in(source)
    for job in stage.start_jobs(source.streams.all()):
        assert finish(job).status == "SUCCEEDED"


def test_a_sandbox_that_has_forgotten_its_tokens_is_asked_anew(outside: sandbox.SandboxClient) -> None:
    one = next(one for one in connecting(outside.url) if one.connector == "quickbooks")
    for _ in range(2):
        for job in stage.start_jobs(stage.make_sources([one], web=f"http://{WEB}")):
            assert finish(job).status == "SUCCEEDED"
        assert checking.check([one], outside).differences == []
        outside.reset()
    assert not is_let_in(source_of(one))


def test_a_page_that_says_no_is_an_error(outside: sandbox.SandboxClient) -> None:
    [one, *_] = connecting(outside.url)
    with pytest.raises(AuthenticationError, match="not registered"):
        stage.make_sources([one], web="https://elsewhere.example")
