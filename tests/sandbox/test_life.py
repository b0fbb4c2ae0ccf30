"""A world that changes all the while, read by a client that is lied to."""

import hashlib
import json
import random
import threading
import time
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import requests

from sandbox import Options, SandboxClient, SandboxError, World, running
from sandbox.dataset import Dataset, Version
from sandbox.life import LARGEST_BURST, LATEST, SMALLEST_BURST, Life
from sandbox.order import FEW, Order, Window, key_of
from tests.sandbox.conftest import API_TOKEN, NOW, SHOP, SHOPIFY_TOKEN, SMALL, split

HOUR = 3_600


class Observed:
    """One dataset of a world of our own, its life taken step by step."""

    def __init__(self, *, seed: int = 1, name: str = "api.cursor") -> None:
        self.now = NOW + HOUR
        self.dataset: Dataset = World(Options(now=NOW, **SMALL)).datasets[name]
        self.life = Life([self.dataset], changes_per_second=1, seed=seed, now=lambda: self.now)

    def step(self) -> str:
        """Take one step and return what kind it was."""
        before = self.life.changed.copy()
        self.life.step()
        (kind,) = self.life.changed - before
        self.now += 1
        return kind

    def newest(self) -> dict[str, Version]:
        return {version.external_id: version for version in self.dataset.versions()}


def test_update_times_are_where_each_kind_of_change_puts_them() -> None:
    observed = Observed()
    before = observed.newest()
    for _ in range(400):
        now, oldest = observed.now, observed.dataset.order.oldest
        kind = observed.step()
        after = observed.newest()
        touched = [version for name, version in after.items() if version != before.get(name)]
        assert all(
            one.updated >= before[one.external_id].updated for one in touched if one.external_id in before
        )
        match kind:
            case "late":
                assert all(now - LATEST <= one.updated < now for one in touched)
            case "inserted_in_front":
                assert all(one.updated < oldest for one in touched)
            case "burst":
                assert SMALLEST_BURST <= len(touched) <= LARGEST_BURST
                assert {one.updated for one in touched} == {now}
            case _:
                assert all(one.updated == now for one in touched)
        before = after


def test_every_kind_of_change_happens_and_bad_records_come_and_go() -> None:
    observed = Observed()
    bad: list[int] = []
    for _ in range(2_000):
        observed.step()
        bad.append(len(observed.dataset.bad_keys()))
    kinds = {"updated", "inserted", "inserted_in_front", "late", "burst", "spoilt", "healed"}
    assert observed.life.changed.keys() == kinds
    steps = Counter(after - before for before, after in pairwise(bad))
    assert steps[1] > steps[-1] > 0


def test_life_comes_from_the_seed() -> None:
    runs = [Observed(seed=seed) for seed in (1, 1, 2)]
    for observed in runs:
        for _ in range(100):
            observed.step()
    assert runs[0].newest() == runs[1].newest() != runs[2].newest()


@pytest.mark.parametrize("count", [FEW // 4, FEW])
def test_order_changed_is_the_order_sorted_anew(count: int) -> None:
    chance = random.Random(count)
    keys = sorted(key_of(chance.randrange(50), index) for index in range(3 * FEW))
    gone = chance.sample(keys, count)
    come = [key_of(chance.randrange(50), 10_000 + index) for index in range(count)]
    changed = Order(keys).changed(gone=gone, come=come)
    assert list(changed) == sorted(set(keys) - set(gone) | set(come))
    assert changed.total(Window(low=10, high=20)) == sum(10 <= key >> 24 <= 20 for key in changed)


def test_quiet_is_still_and_tells_what_changed(world: SandboxClient) -> None:
    before = world.ledgers()
    world.live(2_000, seed=1)
    while world.ledger("feeds.news") == before["feeds.news"]:
        time.sleep(0.01)
    changed = world.quiet()
    after = world.ledgers()
    time.sleep(0.15)
    assert world.ledgers() == after
    assert sum(changed.values()) > 0
    assert after["files.catalog"] == before["files.catalog"]
    assert world.quiet() == {}


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"datasets": ["files.catalog"]}, "has no ids"),
        ({"datasets": ["shopify.refunds"]}, "there are .*shopify.customers"),
        ({"changes_per_second": 0}, "> 0"),
    ],
)
def test_life_that_makes_no_sense_is_refused_by_name(
    world: SandboxClient, order: dict[str, Any], said: str
) -> None:
    with pytest.raises(SandboxError, match=said):
        world.live(**order)


def test_stopping_and_starting_over_leave_no_life_behind() -> None:
    before = threading.active_count()
    with running(now=NOW, **SMALL) as world:
        world.live(1_000)
        world.reset()
        assert "life" not in {thread.name for thread in threading.enumerate()}
        world.live()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("dataset", "path"),
    [
        ("shopify.orders", f"{SHOP}/orders.json?status=any&limit=20"),
        ("api.link", "/api/link/items?limit=20"),
    ],
)
def test_a_dumb_client_ends_up_with_the_truth_once_it_is_told(
    http: requests.Session, dataset: str, path: str
) -> None:
    """It keeps the version with the latest update time and asks again whatever goes wrong."""
    copy: dict[int | str, Any] = {}
    with running(**SMALL) as world:
        world.lie(0.2, seed=2)
        world.live(400, seed=2, datasets=[dataset])
        end = time.monotonic() + 3
        while time.monotonic() < end:
            keep(copy, walk(http, world.url + path, until=end))
        changed = world.quiet()
        world.honest()
        last = walk(http, world.url + path, until=float("inf"))
        keep(copy, last)
        newest = world.ledger(dataset, full=True)["expected"]["newest"]
        assert sum(world.requests()["lies"].values()) > 5
    assert sum(changed.values()) > 500
    assert Counter(map(sha256, last)) == Counter(version["sha256"] for version in newest.values())
    good = {name: version["sha256"] for name, version in newest.items() if version["bad"] is None}
    found = {str(record["id"]): sha256(row) for record, row in copy.values()}
    assert {name: found[name] for name in good} == good


def keep(copy: dict[int | str, Any], rows: list[str]) -> None:
    for row in rows:
        record = json.loads(row, parse_int=str)
        known, _ = copy.get(record.get("id"), (record, row))
        if "id" in record and record["updated_at"] >= known["updated_at"]:
            copy[record["id"]] = record, row


def walk(http: requests.Session, url: str | None, *, until: float) -> list[str]:
    rows: list[str] = []
    while url and time.monotonic() < until:
        try:
            answer = http.get(url, headers={**API_TOKEN, **SHOPIFY_TOKEN})
            answer.raise_for_status()
            rows += split(answer.content)
        except (requests.RequestException, ValueError):
            time.sleep(0.02)
        else:
            url = answer.links.get("next", {}).get("url")
    return rows


def sha256(row: str) -> str:
    return hashlib.sha256(row.encode()).hexdigest()
