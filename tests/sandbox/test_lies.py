"""Lies by chance: what they look like, whom they meet, what the ledger says of them."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest

from sandbox import Options, SandboxClient, SandboxError, World
from sandbox.faults import Fault
from sandbox.lies import IN_LISTINGS, LieOrder
from sandbox.messages import Answer, Request
from tests.sandbox.conftest import NOW, SMALL, split

SONGS, OTHER_SONGS = "/api/cursor/items", "/api/next/items"
FILE = "/files/music.csv"


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def liar(clock: Clock) -> World:
    return World(Options(now=NOW, **SMALL), clock=clock)


def ask(world: World, path: str = SONGS, method: str = "GET") -> Answer:
    return world.answer(
        Request(
            method=method,
            path=path,
            query={"limit": "20"},
            headers={"authorization": "Bearer sandbox-token"},
            body=b"",
            origin="http://sandbox",
            client="127.0.0.1",
        )
    )


def lie_told(world: World, path: str) -> tuple[str, Answer]:
    """Ask once and return what lie that met."""
    before = world.requests()["lies"]
    answer = ask(world, path)
    (kind,) = [kind for kind, count in world.requests()["lies"].items() if count != before.get(kind)]
    return kind, answer


def wait(answer: Answer) -> float:
    return float(answer.headers["Retry-After"])


def until(answer: Answer) -> float:
    return parsedate_to_datetime(answer.headers["Retry-After"]).timestamp()


def is_cut(answer: Answer, least: float, most: float) -> bool:
    return answer.damage is not None and answer.damage.is_loss and least <= answer.damage.keep <= most


def cursor(answer: Answer) -> str:
    assert answer.served is not None
    return answer.served.cursor


LOOKS: dict[str, Callable[[Answer, float], bool]] = {
    "429_retry_after": lambda answer, _: answer.status == 429 and 0.2 <= wait(answer) <= 2,
    "429_retry_date": lambda answer, now: answer.status == 429 and 0 <= until(answer) - now <= 2,
    "429": lambda answer, _: answer.status == 429 and "Retry-After" not in answer.headers,
    "503_storm": lambda answer, _: answer.status == 503,
    "cut": lambda answer, _: is_cut(answer, 0.01, 0.95),
    "cut_after_headers": lambda answer, _: is_cut(answer, 0, 0),
    "html": lambda answer, _: answer.status == 200 and answer.body.startswith(b"<!DOCTYPE html>"),
    "slow": lambda answer, _: 0.3 <= answer.delay_seconds <= 2 and len(split(answer.body)) == 20,
    "repeated_cursor": lambda answer, _: f'"next_cursor":"{cursor(answer)}"'.encode() in answer.body,
    "empty_page": lambda answer, _: not split(answer.body) and b'"has_more":true' in answer.body,
    "doubled_record": lambda answer, _: len(split(answer.body)) == 21 == len(set(split(answer.body))) + 1,
    "bad_record": lambda answer, _: answer.served is not None and len(answer.served.bad) == 1,
}


def test_every_kind_of_lie_is_told_and_looks_as_it_should(liar: World, clock: Clock) -> None:
    liar.lie(LieOrder(share=1, seed=3))
    for _ in range(200):
        kind, answer = lie_told(liar, SONGS)
        assert LOOKS[kind](answer, clock.now), kind
        clock.now += 10
    assert liar.requests()["lies"].keys() == LOOKS.keys() == IN_LISTINGS.keys()


def test_files_are_lied_about_without_lists_of_records(liar: World, clock: Clock) -> None:
    liar.lie(LieOrder(share=1, seed=3))
    for _ in range(200):
        ask(liar, FILE)
        clock.now += 10
    in_listings = {"repeated_cursor", "empty_page", "doubled_record", "bad_record"}
    assert liar.requests()["lies"].keys() == LOOKS.keys() - in_listings


def test_a_storm_is_over_one_path_and_passes(liar: World, clock: Clock) -> None:
    liar.lie(LieOrder(share=0.02, seed=5))
    while ask(liar).status != 503:
        clock.now += 10
    statuses = []
    for _ in range(20):
        statuses.append(ask(liar).status)
        clock.now += 0.1
    storm = statuses.count(503)
    assert 4 <= storm <= 15
    assert statuses[:storm] == [503] * storm
    assert liar.requests()["lies"]["503_storm"] == storm + 1
    clock.now -= 2
    assert [ask(liar, OTHER_SONGS).status for _ in range(5)] == [200] * 5


def test_lies_come_from_the_seed_whatever_else_is_asked(liar: World) -> None:
    alone = statuses_of(liar, seed=1)
    assert statuses_of(liar, seed=1, disturbed_by=OTHER_SONGS) == alone
    assert statuses_of(liar, seed=2) != alone


def statuses_of(liar: World, *, seed: int, disturbed_by: str = "") -> list[tuple[int, float]]:
    liar.reset()
    liar.lie(LieOrder(share=0.3, seed=seed))
    found = []
    for _ in range(40):
        answer = ask(liar)
        found.append((answer.status, answer.delay_seconds))
        if disturbed_by:
            ask(liar, disturbed_by)
    return found


def test_about_the_share_asked_for_is_lies(liar: World, clock: Clock) -> None:
    liar.lie(LieOrder(share=0.1, seed=4))
    for _ in range(1_000):
        ask(liar)
        clock.now += 10
    assert 70 <= sum(liar.requests()["lies"].values()) <= 130


def test_only_what_was_really_served_counts_as_such(liar: World, clock: Clock) -> None:
    liar.lie(LieOrder(share=0.8, seed=6))
    records = 0
    for _ in range(150):
        answer = ask(liar)
        is_whole = answer.status == 200 and answer.damage is None and answer.body.startswith(b"{")
        records += len(split(answer.body)) if is_whole else 0
        clock.now += 10
    liar.honest()
    ask(liar, method="HEAD")
    assert liar.ledger("api.cursor")["served"]["records"] == records > 0


def test_bad_records_served_are_in_the_ledger_with_their_payload(liar: World) -> None:
    liar.misbehave(Fault(path=SONGS, kind="bad_record", times=1))
    first = split(ask(liar).body)
    ask(liar)
    ledger = liar.ledger("api.cursor", full=True)
    (bad,) = ledger["served"]["bad"]
    assert (bad["payload"], bad["times"]) == (first[10], 2)
    newest = ledger["expected"]["newest_bad"][bad["external_id"]]
    assert (newest["payload"], newest["sha256"], newest["bad"]) == (first[10], bad["sha256"], "nul")


def test_honest_and_reset_end_the_lies_and_lifted_faults_do_not(liar: World) -> None:
    liar.lie(LieOrder(share=1))
    liar.behave()
    ask(liar)
    assert sum(liar.requests()["lies"].values()) == 1
    liar.honest()
    assert [ask(liar).status for _ in range(20)] == [200] * 20
    liar.lie(LieOrder(share=1))
    liar.reset()
    ask(liar)
    assert liar.requests()["lies"] == {}


def test_paths_that_lead_nowhere_are_not_lied_about(liar: World) -> None:
    liar.lie(LieOrder(share=1))
    assert ask(liar, "/nowhere").status == 404
    assert liar.requests()["lies"] == {}


def test_latency_changes_while_running(liar: World) -> None:
    liar.set_latency(50)
    assert ask(liar).delay_seconds == 0.05
    liar.reset()
    assert ask(liar).delay_seconds == 0


def test_control_door_takes_the_orders(world: SandboxClient) -> None:
    with pytest.raises(SandboxError, match="<= 1"):
        world.lie(2)
    with pytest.raises(SandboxError, match=">= 0"):
        world.latency(-1)
    world.lie(0.5, seed=9)
    world.latency(5)
    world.honest()
