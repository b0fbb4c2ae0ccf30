"""Pages of a slow provider are asked for while the one before lands; nothing else changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.base import Access, Config, FetchRequest, NoCredentials, Page
from connectors.errors import TransientError
from ingest import fetching, landing
from ingest.checkpoints import Standing
from ingest.leases import Lease
from ingest.models import CollectionJob, GenericRecord, SourceStream
from ingest.reading import Progress, Read, Reader
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


def ahead(names: list[str]) -> int:
    return sum(name.startswith("ahead") for name in names)


@pytest.mark.usefixtures("db")
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


@pytest.mark.usefixtures("db")
def test_an_error_of_a_page_asked_ahead_comes_after_the_page_before_it_has_landed(
    script: Script, stream: StreamNamed, threads: list[str]
) -> None:
    pages = script.pages["records"]
    pages.insert(3, TransientError("not now"))

    job = finish(start(stream("records")))

    assert (job.status, job.fetched) == ("SUCCEEDED", PAGES)
    assert [request.cursor for _, request in script.requests].count("3") == 2
    assert ahead(threads) > 0


@pytest.mark.usefixtures("db", "threads")
def test_nothing_is_asked_ahead_where_it_would_find_no_room(
    script: Script, stream: StreamNamed, settings: Any
) -> None:
    settings.MAX_PAGES_AHEAD = 2

    job = finish(start(stream("records")))

    assert (job.status, job.fetched) == ("SUCCEEDED", PAGES)
    assert len(script.requests) == PAGES


@pytest.mark.usefixtures("db", "threads")
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


@pytest.fixture
def reader(script: Script) -> Iterator[Reader]:
    script.says("records", [record("0")], [record("1")])
    connector = ScriptedConnector(config=Config(), credentials=NoCredentials(), access=Access())
    reader = Reader(connector, connector.stream("records"), Progress(Lease(0, 0)))
    yield reader
    reader.close()


@pytest.mark.timeout(60)
def test_a_page_to_be_asked_for_later_is_asked_for_at_once_when_it_is_waited_for(reader: Reader) -> None:
    reader.ask_ahead(FetchRequest(cursor="1"), after=600)

    assert [one.external_id for one in reader.read(FetchRequest(cursor="1")).page.records] == ["1"]


@pytest.mark.timeout(60)
def test_a_page_to_be_asked_for_later_is_never_asked_for_once_the_reader_is_closed(
    script: Script, reader: Reader
) -> None:
    before = set(threading.enumerate())
    reader.ask_ahead(FetchRequest(cursor="1"), after=600)
    asking = set(threading.enumerate()) - before

    reader.close()
    for thread in asking:
        thread.join()

    assert (len(asking), script.requests) == (1, [])


def before_asking(answer: float, *landings: float, waiting: int = 0) -> float | None:
    """Return how long after a page came the next is asked for, all in milliseconds."""
    read = Read(Page(next_cursor="2"), answer / 1000)
    standing = Standing(False, False, pages_waiting=waiting)
    seconds = fetching._seconds_before_asking_ahead(read, [one / 1000 for one in landings], standing)
    return None if seconds is None else round(seconds * 1000, 3)


@pytest.mark.parametrize(
    ("answer", "landings", "wait"),
    [
        (50, (), None),  # nothing is known of landing yet
        (50, (20,), 0),
        (50, (20, 49), 0),
        (50, (80,), 30),  # the answer is due when the page has landed
        (50, (80, 20), 30),
        (50, (20, 80), 30),
        (10, (20, 9), 0),
        (10, (20, 11), None),  # too near for an answer to be timed
        (1, (0.5,), None),
    ],
)
def test_an_answer_asked_ahead_is_due_when_the_page_before_it_has_landed(
    answer: float, landings: tuple[float, ...], wait: float | None
) -> None:
    assert before_asking(answer, *landings) == wait


def test_the_last_page_and_the_page_without_room_have_none_after_them(settings: Any) -> None:
    settings.MAX_PAGES_AHEAD = 5
    assert before_asking(50, 20, waiting=3) == 0
    assert before_asking(50, 20, waiting=4) is None
    last = Read(Page(next_cursor=None), 0.05)
    assert fetching._seconds_before_asking_ahead(last, [0.02], Standing(False, False, 0)) is None
