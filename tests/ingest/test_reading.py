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
from ingest.reading import Ahead, Progress, Read, Reader
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


class Planned:
    """A reader that is to ask ahead as told, once each."""

    def __init__(self, *plans: Ahead) -> None:
        self._plans = list(plans)
        self.planners: list[str] = []
        connector = ScriptedConnector(config=Config(), credentials=NoCredentials(), access=Access())
        self.reader = Reader(connector, connector.stream("records"), Progress(Lease(0, 0)), self._plan)

    def ids(self, cursor: str | None) -> list[str]:
        return [one.external_id for one in self.reader.read(FetchRequest(cursor=cursor)).page.records]

    def _plan(self, read: Read) -> Ahead | None:
        self.planners.append(threading.current_thread().name)
        return self._plans.pop(0) if self._plans else None


@pytest.fixture
def planned(script: Script) -> Iterator[Callable[..., Planned]]:
    script.says("records", *([record(str(n))] for n in range(4)))
    made: list[Planned] = []

    def plan(*plans: Ahead) -> Planned:
        made.append(Planned(*plans))
        return made[-1]

    yield plan
    for one in made:
        one.reader.close()


def asked(script: Script) -> list[str | None]:
    return [request.cursor for _, request in script.requests]


@pytest.mark.timeout(60)
def test_a_page_to_be_asked_for_later_is_asked_for_at_once_when_it_is_waited_for(
    planned: Callable[..., Planned],
) -> None:
    late = planned(Ahead(FetchRequest(cursor="1"), 600))

    assert (late.ids(None), late.ids("1")) == (["0"], ["1"])


@pytest.mark.timeout(60)
def test_a_page_to_be_asked_for_later_is_never_asked_for_once_the_reader_is_closed(
    script: Script, planned: Callable[..., Planned]
) -> None:
    before = set(threading.enumerate())
    late = planned(Ahead(FetchRequest(cursor="1"), 600))
    late.ids(None)
    asking = set(threading.enumerate()) - before

    late.reader.close()
    for thread in asking:
        thread.join()

    assert (len(asking), asked(script)) == (1, [None])


@pytest.mark.timeout(60)
def test_after_a_page_that_was_waited_for_the_next_is_asked_for_by_the_thread_that_heard_it(
    script: Script, planned: Callable[..., Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = planned(Ahead(FetchRequest(cursor="1"), 0), Ahead(FetchRequest(cursor="2"), 0))

    def answer() -> None:
        if threading.current_thread() is not threading.main_thread():
            assert ahead.reader._is_awaited.wait(30)

    monkeypatch.setattr(ScriptedConnector, "on_fetch", staticmethod(answer))
    ahead.ids(None)

    assert ahead.ids("1") == ["1"]
    assert ahead.reader.has_asked_ahead
    assert ahead.ids("2") == ["2"]
    assert asked(script) == [None, "1", "2"]
    assert [name.startswith("ahead") for name in ahead.planners[:2]] == [False, True]


@pytest.mark.timeout(60)
def test_a_page_that_has_come_while_another_lands_is_not_followed_by_a_third(
    script: Script, planned: Callable[..., Planned]
) -> None:
    ahead = planned(Ahead(FetchRequest(cursor="1"), 0), Ahead(FetchRequest(cursor="2"), 0))
    ahead.ids(None)
    while len(script.requests) < 2:
        time.sleep(0.01)
    time.sleep(0.2)  # the thread has had time to go on, if it would

    assert asked(script) == [None, "1"]
    assert ahead.ids("1") == ["1"]


def test_bytes_heard_by_another_thread_never_renew_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    renewals: list[Lease] = []
    monkeypatch.setattr("ingest.reading.RENEW_EVERY", -1.0)
    monkeypatch.setattr("ingest.leases.renew", renewals.append)
    progress = Progress(Lease(0, 0))

    other = threading.Thread(target=progress)
    other.start()
    other.join()
    assert renewals == []
    progress()
    assert len(renewals) == 1


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
