"""
Reading pages from a provider: one after the other, or the next while the last is being landed.

Where a provider takes its time, waiting for it and writing to PostgreSQL at once is all the speed there is
to win. The price is that a worker's death can cost, beside the page it was landing, an answer on its way; it
has come already only where this landing takes longer, or the answer less, than those before it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import NamedTuple

from django.db import connection

from connectors.base import Connector, FetchRequest, Page
from connectors.base import Stream as OfferedStream
from ingest import leases
from ingest.leases import Lease

RENEW_EVERY = 5.0  # seconds, while a long answer comes in
# Landing holds the interpreter for milliseconds at a time: the next question goes out first.
HEAD_START = 0.001  # seconds


class Read(NamedTuple):
    """A page and the seconds it took to get."""

    page: Page
    seconds: float


class Ahead(NamedTuple):
    """What to ask for next, and how many seconds from now; sooner if it is waited for."""

    request: FetchRequest
    after: float


class Progress:
    """Hears that bytes arrive, and renews the lease now and then."""

    def __init__(self, lease: Lease) -> None:
        """Take the calling thread for the one that may touch the database."""
        self._lease = lease
        self._own_thread = threading.get_ident()
        self._renewed = self._heard = time.monotonic()

    def __call__(self) -> None:
        self._heard = time.monotonic()
        if threading.get_ident() == self._own_thread:
            self.renew_if_due()

    def renew_if_due(self) -> None:
        """:raises LeaseLost: if another worker has the job"""
        if self._heard - self._renewed > RENEW_EVERY:
            leases.renew(self._lease)
            self._renewed = time.monotonic()


class Reader:
    """The pages of one stream, read by one worker during one slice."""

    def __init__(
        self,
        connector: Connector,
        offered: OfferedStream,
        progress: Progress,
        plan: Callable[[Read], Ahead | None],
    ) -> None:
        """Take what tells, of a page that has come, whether the one after it is to be asked for ahead."""
        self._connector = connector
        self._offered = offered
        self._progress = progress
        self._plan = plan
        self._ahead: Future[Read] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._is_awaited = threading.Event()
        self._is_closed = False
        self._head_start = 0.0

    @property
    def has_asked_ahead(self) -> bool:
        return self._ahead is not None

    def read(self, request: FetchRequest) -> Read:
        """Return the page; `request` is what `plan` told of the page before, if it was asked for ahead."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            read = self._read(request)
        else:
            self._is_awaited.set()
            read = self._awaited(ahead)
        if self._ahead is None:
            self._ask_ahead(read)
        time.sleep(self._head_start)  # noqa: TID251 - a millisecond, and none where it would be lost
        return read

    def close(self) -> None:
        """Forget what was asked for. A thread that hears the source still is left to its own deadline."""
        self._is_closed = True
        self._is_awaited.set()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _awaited(self, ahead: Future[Read]) -> Read:
        while True:
            try:
                return ahead.result(timeout=RENEW_EVERY)
            except TimeoutError:
                if ahead.done():
                    raise  # the connector's own
                self._progress.renew_if_due()

    def _ask_ahead(self, read: Read) -> None:
        ahead = self._plan(read)
        if ahead is None or self._is_closed:
            self._head_start = 0.0
            return
        self._head_start = 0.0 if ahead.after > 0 else HEAD_START
        self._is_awaited.clear()
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._ahead = self._thread.submit(self._read_later, ahead)

    def _read_later(self, ahead: Ahead) -> Read:
        if ahead.after > 0:
            self._is_awaited.wait(ahead.after)
        if self._is_closed:
            raise CancelledError
        try:
            read = self._read(ahead.request)
        finally:
            # A token may have been renewed, by a connection of this thread's own.
            connection.close()
        # Who waits has nothing left to land: the next question is asked while it wakes.
        if self._is_awaited.is_set():
            self._ask_ahead(read)
        return read

    def _read(self, request: FetchRequest) -> Read:
        started = time.monotonic()
        page = self._connector.fetch(self._offered, request)
        return Read(page, time.monotonic() - started)
