"""Running one command with the servers up: `make demo` and `make test` leave none behind."""

from __future__ import annotations

import fcntl
import signal
import subprocess
from collections.abc import Sequence
from types import FrameType
from typing import IO

from local import keeper, servers
from local.folders import make_record_folder
from local.servers import FOLDER


def run(command: Sequence[str]) -> int:
    """
    Run a command with the servers up, stop those nobody else uses, return the command's exit code.

    :raises ServerError: if a server does not come up
    """
    make_record_folder()
    with (FOLDER / "users.lock").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            return _Child().run(command)
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            _down_if_unused(users)


class _Child:
    """The command, and the signals we get in its place."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._pass_on)

    def run(self, command: Sequence[str]) -> int:
        keeper.up(keep=False)
        # Ctrl-C reaches the command from the terminal; we only have to outlive it, to clean up. Not
        # SIG_IGN, which the command would inherit.
        signal.signal(signal.SIGINT, lambda _number, _frame: None)
        self.process = subprocess.Popen(command)
        code = self.process.wait()
        return code if code >= 0 else 128 - code

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if self.process is None:
            raise SystemExit(128 + number)
        self.process.send_signal(number)


def _down_if_unused(users: IO[str]) -> None:
    try:
        # Held until this process ends: whoever comes now waits, then starts the servers anew.
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    if not servers.load().is_kept:
        keeper.down()
