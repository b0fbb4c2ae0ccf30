"""The web without Redis: it speaks to PostgreSQL alone, so no request can fail or wait for a broker."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from kombu.connection import Connection
from redis.connection import AbstractConnection

from ingest.models import CollectionJob, SourceStream
from tests.admin.pages import detail_of, list_of, verb_of
from tests.admin.shop import Shop


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to reach a broker, which gets no answer."""
    attempts: list[Any] = []

    def fail(connection: Any, *args: object, **kwargs: object) -> None:
        attempts.append(connection)
        raise ConnectionRefusedError("no Redis in this test")

    monkeypatch.setattr(AbstractConnection, "connect", fail)
    monkeypatch.setattr(Connection, "connect", fail)
    return attempts


def test_what_staff_ask_for_is_committed_and_no_broker_is_called(
    shop: Shop, boss: Client, calls: list[Any]
) -> None:
    CollectionJob.objects.update(status="SUCCEEDED", trigger="SCHEDULE")

    for verb in ("sync", "pause", "resume"):
        assert boss.post(verb_of(shop.source, verb)).status_code == 302
    started = CollectionJob.objects.filter(trigger="ADMIN")
    assert started.count() == SourceStream.objects.filter(is_enabled=True).count() > 0
    assert boss.post(verb_of(started[0], "cancel")).status_code == 302

    assert CollectionJob.objects.filter(cancel_requested=True).count() == 1
    assert calls == []


def test_pages_and_health_checks_call_no_broker(shop: Shop, boss: Client, calls: list[Any]) -> None:
    pages = ["/admin/", "/healthz", "/readyz", list_of(CollectionJob), detail_of(shop.source)]

    assert {boss.get(page, follow=True).status_code for page in pages} == {200}
    assert calls == []
