"""Two short soaks, one of them new each time; and whatever becomes of one, it leaves nothing behind."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local.servers import PROJECT

SECONDS = 25
NEW_SEED = random.SystemRandom().randrange(10**6)


def start(*, seed: int, seconds: int = SECONDS) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.chaos", "--seed", str(seed), "--seconds", str(seconds)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def working_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def folder_in(line: str) -> Path:
    return Path(line.split()[-1])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, pytest.param(NEW_SEED, id="new")])
def test_nothing_is_lost_whatever_breaks(seed: int) -> None:
    soak = start(seed=seed)
    said, _ = soak.communicate()
    assert soak.returncode == 0, said
    assert re.search(rf"chaos: ok, seed {seed}, .* 0 lost, 0 doubled, 0 stale\n\Z", said), said
    assert working_in(folder_in(said.splitlines()[0])) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_stops_it_finds_nothing_left(number: signal.Signals) -> None:
    soak = start(seed=1)
    assert soak.stdout is not None
    folder = folder_in(soak.stdout.readline())
    soak.stdout.readline()  # everything runs
    assert working_in(folder)
    soak.send_signal(number)
    soak.communicate(timeout=120)
    assert soak.returncode != 0
    assert working_in(folder) == []
