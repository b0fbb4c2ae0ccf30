"""
Reading pages from a provider: one after the other, or the next while the last is being landed.

Where a provider takes its time, waiting for it and writing to PostgreSQL at once is all the speed there is
to win. The price is that a worker's death can cost, beside the page it was landing, an answer on its way; it
has come already only where this landing takes longer, or the answer less, than those before it.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import NamedTuple

from django.db import connection

from connectors.base import Connector, FetchRequest, Page
from connectors.base import Stream as OfferedStream
from ingest import leases
from ingest.leases import Lease

RENEW_EVERY = 5.0  # seconds, while a long answer comes in


class Read(NamedTuple):
    """A page and the seconds it took to get."""

    page: Page
    seconds: float


class Progress:
    """Hears that bytes arrive, and renews the lease now and then, always from the worker's own thread."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._renewed = self._heard = time.monotonic()
        self._is_ahead = False

    def __call__(self) -> None:
        self._heard = time.monotonic()
        if not self._is_ahead:
            self.renew_if_due()

    def renew_if_due(self) -> None:
        """:raises LeaseLost: if another worker has the job"""
        if self._heard - self._renewed > RENEW_EVERY:
            leases.renew(self._lease)
            self._renewed = time.monotonic()

    def while_ahead(self, is_ahead: bool) -> None:
        """Note whether another thread reads: the lease is this one's to renew."""
        self._is_ahead = is_ahead


class Reader:
    """The pages of one stream, read by one worker during one slice."""

    def __init__(self, connector: Connector, offered: OfferedStream, progress: Progress) -> None:
        self._connector = connector
        self._offered = offered
        self._progress = progress
        self._ahead: Future[Read] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._is_awaited = threading.Event()
        self._is_closed = False

    @property
    def has_asked_ahead(self) -> bool:
        return self._ahead is not None

    def read(self, request: FetchRequest) -> Read:
        """Return the page; `request` is what `ask_ahead` was given, if it was called."""
        if self._ahead is None:
            return self._read(request)
        ahead, self._ahead = self._ahead, None
        self._is_awaited.set()
        try:
            while True:
                try:
                    return ahead.result(timeout=RENEW_EVERY)
                except TimeoutError:
                    if ahead.done():
                        raise  # the connector's own
                    self._progress.renew_if_due()
        finally:
            self._progress.while_ahead(False)

    def ask_ahead(self, request: FetchRequest, *, after: float = 0.0) -> None:
        """Begin to read the next page so many seconds from now, or once it is waited for."""
        self._progress.while_ahead(True)
        self._is_awaited.clear()
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._ahead = self._thread.submit(self._read_apart, request, after)

    def close(self) -> None:
        """Forget what was asked for. A thread that hears the source still is left to its own deadline."""
        self._is_closed = True
        self._is_awaited.set()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _read_apart(self, request: FetchRequest, after: float) -> Read:
        if after > 0:
            self._is_awaited.wait(after)
        if self._is_closed:
            raise CancelledError
        try:
            return self._read(request)
        finally:
            # A token may have been renewed, by a connection of this thread's own.
            connection.close()

    def _read(self, request: FetchRequest) -> Read:
        started = time.monotonic()
        page = self._connector.fetch(self._offered, request)
        return Read(page, time.monotonic() - started)
