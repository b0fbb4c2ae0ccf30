"""Each way in which a link can fail, seen from both ends of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import HOST, Direction, Moment, Proxy

SOON = 5.0
SILENCE = 0.3


class Ends:
    """A listening target, and connections to it through the proxy."""

    def __init__(self, port: int = 0) -> None:
        self.listener = socket.create_server((HOST, port))
        self.listener.settimeout(SOON)
        self.port: int = self.listener.getsockname()[1]
        self._opened = [self.listener]

    def connect(self, proxy: Proxy) -> tuple[socket.socket, socket.socket]:
        """Return the client's and the target's end of a new connection, known to carry bytes."""
        client = self.call(proxy)
        target = self.answer()
        assert_carries(client, target)
        return client, target

    def call(self, proxy: Proxy) -> socket.socket:
        return self._kept(socket.create_connection((HOST, proxy.port), timeout=SOON))

    def answer(self) -> socket.socket:
        return self._kept(self.listener.accept()[0])

    def close(self) -> None:
        for end in self._opened:
            end.close()

    def _kept(self, end: socket.socket) -> socket.socket:
        end.settimeout(SOON)
        self._opened.append(end)
        return end


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


@pytest.fixture
def proxy(ends: Ends) -> Iterator[Proxy]:
    with Proxy(ends.port) as proxy:
        yield proxy


def assert_carries(one: socket.socket, other: socket.socket) -> None:
    for sender, receiver in ((one, other), (other, one)):
        sender.sendall(b"ping")
        assert receiver.recv(99) == b"ping"


def assert_silent(end: socket.socket) -> None:
    end.settimeout(SILENCE)
    with pytest.raises(TimeoutError):
        end.recv(1)
    end.settimeout(SOON)


def assert_reset(end: socket.socket) -> None:
    with pytest.raises(ConnectionResetError):
        end.recv(1)


def assert_turned_away(ends: Ends, proxy: Proxy) -> None:
    try:
        caller = ends.call(proxy)
    except ConnectionResetError:
        return  # so early that even connect() heard of it
    assert_reset(caller)


def test_bytes_and_goodbyes_pass_both_ways(ends: Ends, proxy: Proxy) -> None:
    client, target = ends.connect(proxy)
    client.shutdown(socket.SHUT_WR)
    assert target.recv(1) == b""
    target.sendall(b"the rest")
    target.close()
    assert client.recv(99) == b"the rest"
    assert client.recv(1) == b""


def test_held_link_says_nothing_and_then_everything(ends: Ends, proxy: Proxy) -> None:
    client, target = ends.connect(proxy)
    proxy.hold()
    client.sendall(b"to target")
    target.sendall(b"to client")
    newcomer = ends.call(proxy)
    newcomer.sendall(b"hello")
    for end in (client, target, newcomer):
        assert_silent(end)

    proxy.release()
    assert target.recv(99) == b"to target"
    assert client.recv(99) == b"to client"
    assert ends.answer().recv(99) == b"hello"


def test_goodbye_is_held_too(ends: Ends, proxy: Proxy) -> None:
    client, target = ends.connect(proxy)
    proxy.hold()
    target.close()
    assert_silent(client)
    proxy.release()
    assert client.recv(1) == b""


def test_reset_breaks_open_connections_only(ends: Ends, proxy: Proxy) -> None:
    client, target = ends.connect(proxy)
    proxy.reset()
    assert_reset(client)
    assert_reset(target)
    ends.connect(proxy)


def test_black_hole_swallows_open_connections_only(ends: Ends, proxy: Proxy) -> None:
    client, target = ends.connect(proxy)
    proxy.black_hole_existing()
    client.sendall(b"to target")
    target.sendall(b"to client")
    assert_silent(client)
    client.close()
    assert_silent(target)
    ends.connect(proxy)


@pytest.mark.parametrize("direction", Direction)
def test_cut_after_so_many_bytes(ends: Ends, proxy: Proxy, direction: Direction) -> None:
    client, target = ends.connect(proxy)
    trap = proxy.cut_after(5, direction)
    sender, receiver = (client, target) if direction is Direction.TO_TARGET else (target, client)
    sender.sendall(b"123")
    assert receiver.recv(99) == b"123"
    assert not trap.sprung.is_set()
    sender.sendall(b"456")
    assert receiver.recv(99) == b"45"
    assert_reset(receiver)
    assert_reset(sender)
    assert trap.sprung.is_set()
    ends.connect(proxy)


def test_cut_before_the_target_sees_the_pattern(ends: Ends, proxy: Proxy) -> None:
    client, target = ends.connect(proxy)
    proxy.cut_at(b"INSERT", b"COMMIT", moment=Moment.BEFORE_DELIVERY)
    for passed in (b"COMMIT", b"INSERT"):
        client.sendall(passed)
        assert target.recv(99) == passed
    client.sendall(b"COMMIT")
    assert_reset(target)
    assert_reset(client)


def test_cut_before_the_client_sees_the_reply(ends: Ends, proxy: Proxy) -> None:
    other, client = ends.connect(proxy), ends.connect(proxy)
    trap = proxy.cut_at(b"INSERT", b"COMMIT", moment=Moment.BEFORE_REPLY)
    ours, target = client
    for piece in (b"INS", b"ERT; COM", b"MIT"):
        ours.sendall(piece)
        assert target.recv(99) == piece
    assert trap.sprung.wait(SOON)
    assert_silent(ours)
    target.sendall(b"done")
    assert_reset(ours)
    assert_carries(*other)


def test_disarmed_cut_does_not_happen(ends: Ends, proxy: Proxy) -> None:
    client, target = ends.connect(proxy)
    proxy.cut_after(1)
    proxy.disarm()
    assert_carries(client, target)


def test_target_goes_away_and_comes_back(ends: Ends, proxy: Proxy) -> None:
    ends.close()
    assert_turned_away(ends, proxy)
    again = Ends(ends.port)
    again.connect(proxy)
    again.close()


def test_stopped_proxy_breaks_its_connections(ends: Ends) -> None:
    proxy = Proxy(ends.port)
    proxy.start()
    client, target = ends.connect(proxy)
    proxy.stop()
    proxy.stop()
    assert_reset(client)
    assert_reset(target)
    with pytest.raises(ConnectionRefusedError):
        ends.call(proxy)
