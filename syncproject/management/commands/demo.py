"""demo: the whole system on one machine, from nothing to synced rows in a browser."""

from __future__ import annotations

import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser

from ingest.management.base import Exit, SyncCommand, Terminal
from syncproject.demo import world
from syncproject.demo.processes import ProcessFailed
from syncproject.demo.show import LOCAL, DemoFailed, Show


class Command(SyncCommand):
    help = (
        "Start the sandbox, web, a worker, beat and Flower, sync sample data through every connector, show "
        "how it goes, and stay up until Ctrl-C. Its sources are called demo-...; others are left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="compare every count with the sandbox's ledger, stop, and tell",
        )
        parser.add_argument(
            "--reset",
            action="store_true",
            help="first remove the sources of earlier demos and all their rows",
        )

    def act(self, *, once: bool, reset: bool, **_: Any) -> Exit:
        interruption = _Interruption()
        with _one_demo_at_a_time(), interruption.taken():
            call_command("migrate", verbosity=0)
            show = Show(out=Terminal(self.stdout), known=world.facts(LOCAL), reset=reset)
            try:
                try:
                    result = self._perform(show, once=once)
                except (ProcessFailed, DemoFailed) as error:
                    raise CommandError(str(error), returncode=Exit.FAILED) from None
                finally:
                    interruption.hurries = True
            finally:
                show.processes.stop(hurry=interruption.hurry)
        if result:
            self.stdout.write(result)
        return Exit.OK

    def _perform(self, show: Show, *, once: bool) -> str:
        """Show everything; return the last line to print once all has stopped."""
        show.say("Starting the sandbox, web, a worker, beat and Flower ...")
        show.open()
        job_ids = show.sync()
        show.tell_results(job_ids)
        if once:
            return _verdict(show)
        show.wait_for_doors()
        show.tell_addresses()
        show.say("\nCtrl-C ends the demo.")
        try:
            show.stay()
        except KeyboardInterrupt:
            show.say("\nStopping ...")
        return ""


def _verdict(show: Show) -> str:
    """
    Return the line that says that nothing is lost.

    :raises DemoFailed: naming the differences
    """
    sums = show.check()
    if sums.differences:
        raise DemoFailed(
            "demo: what arrived differs from what was served\n  " + "\n  ".join(sums.differences)
        )
    return sums.line


@contextmanager
def _one_demo_at_a_time() -> Iterator[None]:
    """:raises CommandError: if there is another demo in this folder"""
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    with (LOCAL / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                "Another demo is running from this folder. End it with Ctrl-C there, then try again.",
                returncode=Exit.FAILED,
            ) from None
        yield


class _Interruption:
    """The first Ctrl-C or SIGTERM interrupts; while the demo is stopping, another one hurries it."""

    def __init__(self) -> None:
        self.hurry = Event()
        self.hurries = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Handle the signals for a while."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.hurries:
            self.hurry.set()
            return
        self.hurries = True
        raise KeyboardInterrupt
