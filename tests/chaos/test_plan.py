"""The plan comes from the seed, and no run is too short for the worst."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from tests.chaos import plan

SEEDS = range(5)


def drawn(seed: int, seconds: float = 90) -> list[plan.Deed]:
    return plan.draw(seed, seconds=seconds, lease_seconds=10)


def test_a_seed_repeats_and_another_differs() -> None:
    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize("seed", SEEDS)
def test_deeds_come_every_2_to_5_seconds(seed: int) -> None:
    moments = [deed.at for deed in drawn(seed)]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(1.99 <= gap <= 5.01 for gap in gaps)
    assert moments[-1] > 84


@pytest.mark.parametrize(("seconds", "least"), [(30, 1), (90, 1), (1800, 3)])
@pytest.mark.parametrize("seed", SEEDS)
def test_redis_is_wiped_and_postgres_dies_in_every_run(seed: int, seconds: float, least: int) -> None:
    done = Counter(deed.name for deed in drawn(seed, seconds))
    assert done["wipe redis"] >= least
    assert done["kill postgres"] + done["quit postgres"] >= least


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_struck_while_down(seed: int) -> None:
    back_at: defaultdict[str, float] = defaultdict(float)
    for deed in drawn(seed, 1800):
        assert deed.at >= back_at[deed.whom]
        back_at[deed.whom] = deed.at + deed.seconds


def test_everybody_is_struck_in_a_long_run_and_a_zombie_outlives_its_lease() -> None:
    deeds = drawn(5, 1800)
    assert {deed.whom for deed in deeds} == {
        *plan.WORKERS, "beat", "web", "sandbox", "strict world",
        "redis", "postgres", "redis link", "postgres link",
    }  # fmt: skip
    zombies = [deed for deed in deeds if deed.verb == "freeze past its lease"]
    assert zombies
    assert all(deed.seconds > 10 for deed in zombies)
