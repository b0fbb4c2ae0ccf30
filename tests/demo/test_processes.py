from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from syncproject.demo import processes
from syncproject.demo.processes import Processes, ProcessFailed, kill_leftovers

Start = Callable[[str], Processes]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Processes] = []

    def start_line(line: str) -> Processes:
        procfile = tmp_path / "Procfile"
        procfile.write_text(f"it: {line}\n")
        found = Processes(procfile, environment={"GREETING": "hello"}, logs=tmp_path / "logs")
        started.append(found)
        found.start()
        return found

    yield start_line
    hurry = Event()
    hurry.set()
    for one in started:
        one.stop(hurry=hurry)


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def pid_in(file: Path) -> int:
    assert eventually(lambda: file.exists() and file.read_text().strip() != "")
    return int(file.read_text())


def test_what_a_process_prints_goes_to_its_log(start: Start, tmp_path: Path) -> None:
    start("echo $GREETING; exec sleep 60")
    assert eventually(lambda: (tmp_path / "logs" / "it.log").read_text() == "hello\n")


def test_stopping_takes_the_children_along(start: Start, tmp_path: Path) -> None:
    running = start(f"sleep 60 & echo $! > {tmp_path}/child; exec sleep 60")
    child = pid_in(tmp_path / "child")
    running.stop(hurry=Event())
    assert eventually(lambda: not is_alive(child))


def test_who_ignores_the_signal_is_killed_after_the_grace(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.3)
    running = start(f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 1; done")
    pid = pid_in(tmp_path / "pid")
    running.stop(hurry=Event())
    assert not is_alive(pid)


def test_a_killed_process_is_started_again(start: Start, tmp_path: Path) -> None:
    running = start(f"echo $$ >> {tmp_path}/pids; exec sleep 60")
    os.kill(pid_in(tmp_path / "pids"), 9)
    told: list[str] = []

    def is_back() -> bool:
        running.revive(tell=told.append)
        return len((tmp_path / "pids").read_text().split()) == 2

    assert eventually(is_back)
    assert told == ["it ended (signal 9) and was started again."]


def test_a_process_that_always_dies_ends_the_demo_with_its_log(start: Start) -> None:
    running = start("echo no such module; exit 7")

    def revive() -> bool:
        running.revive(tell=lambda _: None)
        return False

    with pytest.raises(ProcessFailed, match=r"it ended with exit code 7(.|\n)*no such module"):
        eventually(revive)


def test_waiting_ends_when_a_process_does(start: Start) -> None:
    running = start("echo port taken; exit 1")
    with pytest.raises(ProcessFailed, match="port taken"):
        running.wait_until(lambda: False, what="It")


def test_what_is_never_ready_is_not_waited_for_for_ever(start: Start) -> None:
    running = start("exec sleep 60")
    with pytest.raises(ProcessFailed, match="The web server is not ready"):
        running.wait_until(lambda: False, what="The web server", seconds=0.1)


def test_leftovers_of_a_killed_demo_are_found_and_killed(start: Start, tmp_path: Path) -> None:
    start(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    pid = pid_in(tmp_path / "pid")
    kill_leftovers(tmp_path / "logs")
    assert eventually(lambda: not is_alive(pid))


def test_a_process_that_merely_has_the_number_is_left_alone(start: Start, tmp_path: Path) -> None:
    start(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    pid = pid_in(tmp_path / "pid")
    (tmp_path / "logs" / "processes.json").write_text(f'{{"{pid}": "another time"}}')
    kill_leftovers(tmp_path / "logs")
    assert is_alive(pid)
