"""Pages of a slow provider are asked for while the one before lands; nothing else changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import TransientError
from ingest import landing
from ingest.models import CollectionJob, GenericRecord, SourceStream
from tests.conftest import finish
from tests.ingest.steps import start
from tests.scripted import Script, ScriptedConnector, record

StreamNamed = Callable[[str], SourceStream]
PAGES = 6


@pytest.fixture
def threads(script: Script, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that asked the provider, which takes 60 ms to answer."""
    names: list[str] = []

    def take_time() -> None:
        names.append(threading.current_thread().name)
        time.sleep(0.06)

    monkeypatch.setattr(ScriptedConnector, "on_fetch", staticmethod(take_time))
    script.says("records", *([record(str(n))] for n in range(PAGES)))
    return names


@pytest.fixture
def quick_landing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which landing never outweighs the wait."""
    monkeypatch.setattr("ingest.fetching.LONGER_THAN_LANDING", 1e-9)


def ahead(names: list[str]) -> int:
    return sum(name.startswith("ahead") for name in names)


@pytest.mark.usefixtures("db", "quick_landing")
def test_a_slow_provider_is_asked_ahead_and_each_page_once(
    script: Script, stream: StreamNamed, threads: list[str]
) -> None:
    job = finish(start(stream("records")))

    assert (job.status, job.fetched, GenericRecord.objects.count()) == ("SUCCEEDED", PAGES, PAGES)
    assert [request.cursor for _, request in script.requests] == [None, *map(str, range(1, PAGES))]
    assert ahead(threads) == PAGES - 2  # the first landing has to be measured


@pytest.mark.usefixtures("db")
def test_a_quick_provider_is_asked_page_by_page(
    stream: StreamNamed, threads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.fetching.WORTH_ASKING_AHEAD", 5.0)

    job = finish(start(stream("records")))

    assert job.status == "SUCCEEDED"
    assert (len(threads), ahead(threads)) == (PAGES, 0)


@pytest.mark.usefixtures("db", "quick_landing")
def test_an_error_of_a_page_asked_ahead_comes_after_the_page_before_it_has_landed(
    script: Script, stream: StreamNamed, threads: list[str]
) -> None:
    pages = script.pages["records"]
    pages.insert(3, TransientError("not now"))

    job = finish(start(stream("records")))

    assert (job.status, job.fetched) == ("SUCCEEDED", PAGES)
    assert [request.cursor for _, request in script.requests].count("3") == 2
    assert ahead(threads) > 0


@pytest.mark.usefixtures("db", "quick_landing", "threads")
def test_nothing_is_asked_ahead_where_it_would_find_no_room(
    script: Script, stream: StreamNamed, settings: Any
) -> None:
    settings.MAX_PAGES_AHEAD = 2

    job = finish(start(stream("records")))

    assert (job.status, job.fetched) == ("SUCCEEDED", PAGES)
    assert len(script.requests) == PAGES


@pytest.mark.usefixtures("db", "quick_landing", "threads")
def test_a_cancelled_run_lands_nothing_that_was_asked_ahead(
    stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(stream("records"))
    land = landing.land

    def cancel_while_landing(*args: object, **how: object) -> object:
        CollectionJob.objects.filter(pk=job.pk).update(cancel_requested=True)
        return land(*args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr("ingest.landing.land", cancel_while_landing)

    job = finish(job)

    assert (job.status, job.pages_landed) == ("CANCELLED", 1)
