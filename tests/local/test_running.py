"""`run` keeps the servers up for one command, and leaves none behind."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.local.checkout import Checkout


def servers_running(checkout: Checkout) -> int:
    return checkout("status").count(" is running ")


def test_the_servers_are_up_for_the_command_and_gone_after_it(checkout: Checkout) -> None:
    output = checkout("run", sys.executable, "-m", "local", "status")
    assert output.count(" is running ") == 2
    assert servers_running(checkout) == 0


def test_the_exit_code_is_the_commands(checkout: Checkout) -> None:
    code, _ = checkout.attempt("run", sys.executable, "-c", "raise SystemExit(7)")
    assert code == 7


def test_servers_that_were_up_already_stay(checkout: Checkout) -> None:
    checkout("up")
    checkout("run", "/bin/true")
    assert servers_running(checkout) == 2


def test_the_last_of_two_commands_turns_off_the_light(checkout: Checkout, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    long = (
        "import pathlib, time\nprint('ready', flush=True)\n"
        f"while pathlib.Path({str(gate)!r}).exists(): time.sleep(0.05)"
    )
    with checkout.start("run", sys.executable, "-c", long) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "ready\n"
        checkout("run", "/bin/true")
        assert servers_running(checkout) == 2
        gate.unlink()
    assert servers_running(checkout) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_command_and_servers(checkout: Checkout, number: signal.Signals) -> None:
    sleeper = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with checkout.start("run", sys.executable, "-c", sleeper) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(number)
    assert process.returncode == 128 + number
    assert not psutil.pid_exists(child)
    assert servers_running(checkout) == 0


def test_ctrl_c_ends_command_and_servers(checkout: Checkout) -> None:
    """The terminal sends it to the whole group."""
    stubborn = (
        "import os, time\ntry:\n    print(os.getpid(), flush=True)\n    time.sleep(600)\n"
        "except KeyboardInterrupt:\n    raise SystemExit(3)"
    )
    with checkout.start("run", sys.executable, "-c", stubborn) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        psutil.Process(child).send_signal(signal.SIGINT)
    assert process.returncode == 3
    assert servers_running(checkout) == 0
