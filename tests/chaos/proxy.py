"""A TCP proxy on loopback whose links go silent, break or are cut at a chosen byte."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum
from typing import Self
from weakref import WeakKeyDictionary

HOST = "127.0.0.1"
CHUNK = 64 * 1024
# Closing with this set sends a reset instead of a goodbye.
RESET = struct.pack("ii", 1, 0)


class Direction(Enum):
    TO_TARGET = "to target"
    TO_CLIENT = "to client"


class Moment(Enum):
    """When a link is cut, seen from the bytes that were waited for."""

    BEFORE_DELIVERY = "the target never sees them"
    BEFORE_REPLY = "the target has answered them, the client never sees the answer"


class _Link:
    """One connection of a client with its connection to the target."""

    def __init__(self, client: asyncio.StreamWriter, target: asyncio.StreamWriter) -> None:
        self.client = client
        self.target = target
        self.is_black_hole = False
        self.is_awaiting_reply = False

    def reset(self) -> None:
        for side in (self.client, self.target):
            _reset(side)


class Trap(ABC):
    """Waits for its moment on every connection, open or to come, and cuts the first that gets there."""

    def __init__(self, direction: Direction, moment: Moment) -> None:
        self.direction = direction
        self.moment = moment
        self.sprung = threading.Event()
        #: Epoch seconds.
        self.sprung_at = 0.0

    @abstractmethod
    def look(self, link: _Link, data: bytes) -> int | None:
        """Return how many of these bytes still pass before the cut; None if it is not time yet."""


class _AfterBytes(Trap):
    def __init__(self, count: int, direction: Direction) -> None:
        super().__init__(direction, Moment.BEFORE_DELIVERY)
        self._count = count
        self._carried: WeakKeyDictionary[_Link, int] = WeakKeyDictionary()

    def look(self, link: _Link, data: bytes) -> int | None:
        carried = self._carried.get(link, 0)
        self._carried[link] = carried + len(data)
        return self._count - carried if carried + len(data) >= self._count else None


class _AtPatterns(Trap):
    """Springs when a connection has carried the patterns one after the other, other bytes in between."""

    def __init__(self, patterns: tuple[bytes, ...], moment: Moment) -> None:
        super().__init__(Direction.TO_TARGET, moment)
        self._patterns = patterns
        self._seen: WeakKeyDictionary[_Link, tuple[int, bytes]] = WeakKeyDictionary()

    def look(self, link: _Link, data: bytes) -> int | None:
        found, rest = self._seen.get(link, (0, b""))
        rest += data
        while found < len(self._patterns):
            before, pattern, after = rest.partition(self._patterns[found])
            if not pattern:
                # A pattern may come in two pieces.
                kept = len(self._patterns[found]) - 1
                self._seen[link] = found, before[max(0, len(before) - kept) :]
                return None
            found, rest = found + 1, after
        return 0 if self.moment is Moment.BEFORE_DELIVERY else len(data)


class Proxy:
    """
    Passes bytes to a port of this machine and back, until it is told to do worse.

    Its methods may be called from any thread; when they return, what they say is in force. The target
    may go away and come back.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._links: set[_Link] = set()
        self._traps: list[Trap] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._started: Future[None] = Future()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; `port` says where from then on."""
        self._thread.start()
        self._started.result()

    def stop(self) -> None:
        """Break every connection and stop listening; nothing happens the second time."""
        if self._thread.is_alive():
            self._call(self._ended.set)
            self._thread.join()

    def hold(self) -> None:
        """Half-open: connections stay and can still be made, but no byte passes until `release`."""
        self._call(self._flowing.clear)

    def release(self) -> None:
        """Let bytes pass again, those held back first."""
        self._call(self._flowing.set)

    def reset(self) -> None:
        """Break every open connection, as a firewall does that lost its table."""

        def reset_all() -> None:
            for link in self._links:
                link.reset()

        self._call(reset_all)

    def black_hole_existing(self) -> None:
        """Swallow whatever open connections carry, for good and without a word; new ones work."""

        def swallow() -> None:
            for link in self._links:
                link.is_black_hole = True

        self._call(swallow)

    def cut_after(self, count: int, direction: Direction = Direction.TO_CLIENT) -> Trap:
        """Cut the first connection that carries this many more bytes, open now or later."""
        return self._set(_AfterBytes(count, direction))

    def cut_at(self, *patterns: bytes, moment: Moment) -> Trap:
        """
        Cut the first connection whose client sends these bytes, one pattern after the other.

        `cut_at(b"INSERT INTO x", b"COMMIT", moment=Moment.BEFORE_REPLY)` leaves a client of PostgreSQL in
        doubt about a commit that took place.
        """
        return self._set(_AtPatterns(patterns, moment))

    def disarm(self) -> None:
        """Forget the cuts that have not happened."""
        self._call(self._traps.clear)

    def _set(self, trap: Trap) -> Trap:
        self._call(lambda: self._traps.append(trap))
        return trap

    def _call(self, what: Callable[[], object]) -> None:
        done: Future[None] = Future()

        def do() -> None:
            what()
            done.set_result(None)

        self._loop.call_soon_threadsafe(do)
        done.result()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()
        try:
            server = await asyncio.start_server(self._serve, HOST, 0)
        except OSError as error:
            self._started.set_exception(error)
            return
        self.port = server.sockets[0].getsockname()[1]
        self._started.set_result(None)
        await self._ended.wait()
        server.close()
        for link in self._links:
            link.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._flowing.wait()
            from_target, target = await asyncio.open_connection(HOST, self._target_port)
        except (OSError, asyncio.CancelledError):
            # The target is away, or the proxy ends.
            _reset(writer)
            return
        link = _Link(writer, target)
        self._links.add(link)
        for side in (writer, target):
            side.transport.set_write_buffer_limits(0)  # what was passed on has left, even if a cut follows
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(link, reader, target, Direction.TO_TARGET))
                both.create_task(self._pump(link, from_target, writer, Direction.TO_CLIENT))
        except asyncio.CancelledError:
            """The proxy ends."""
        finally:
            link.reset()
            self._links.discard(link)

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                if link.is_awaiting_reply and direction is Direction.TO_CLIENT:
                    break
                if not link.is_black_hole and await self._pass_on(link, data, writer, direction):
                    break
            else:
                await self._say_goodbye(link, writer)
                return
        if not link.is_black_hole:
            link.reset()

    async def _pass_on(
        self, link: _Link, data: bytes, writer: asyncio.StreamWriter, direction: Direction
    ) -> bool:
        """Write the bytes, or those before a cut; tell whether to cut now."""
        for trap in [trap for trap in self._traps if trap.direction is direction]:
            allowed = trap.look(link, data)
            if allowed is not None:
                self._traps.remove(trap)
                link.is_awaiting_reply = trap.moment is Moment.BEFORE_REPLY
                writer.write(data[:allowed])
                await writer.drain()
                trap.sprung_at = time.time()
                trap.sprung.set()
                return not link.is_awaiting_reply
        writer.write(data)
        await writer.drain()
        return False

    async def _say_goodbye(self, link: _Link, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        if not link.is_black_hole and writer.can_write_eof():
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
