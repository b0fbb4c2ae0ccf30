"""Sockets that refuse private addresses and answers without end."""

from __future__ import annotations

import io
import ipaddress
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connectors.errors import BadResponse, ConfigError, TransientError

MAX_HEADER_BYTES = 64 * 1024
# As large as a page is likely to be: fewer trips through Python per answer.
_BUFFER_BYTES = 128 * 1024

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
# What getaddrinfo answers, as far as we use it: family, type, protocol, canonical name, address.
Resolved = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long one call may take, in seconds."""

    connect: float = 5.0
    #: Longest silence between two reads.
    read: float = 30.0
    #: From the first byte sent to the last byte read, redirects included.
    total: float = 120.0


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the open internet."""
    ip = _innermost(ipaddress.ip_address(address.partition("%")[0]))
    if isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local:
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _innermost(ip: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 address wraps, as traffic to the one ends at the other."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


class Guard:
    """What the sockets of one session may do. One call at a time: the deadline is shared."""

    def __init__(self, *, private_hosts: Collection[str], timeouts: Timeouts) -> None:
        self._private_hosts = {host.lower() for host in private_hosts}
        self.timeouts = timeouts
        self._deadline = 0.0

    def start(self) -> None:
        """Start the clock of one call."""
        self._deadline = time.monotonic() + self.timeouts.total

    def remaining(self) -> float:
        """
        Return the seconds left for this call.

        :raises TransientError: if there are none
        """
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TransientError(f"the answer was not complete after {self.timeouts.total:g} s")
        return seconds

    def connect(self, host: str, port: int, options: Any) -> socket.socket:
        """
        Return a socket to an address that was checked, whatever the name resolves to a moment later.

        :raises ConfigError: if the name stands for a private address and is not allowed
        :raises TransientError: if nobody answers
        """
        name = host.strip("[]").rstrip(".").lower()
        found = _resolve(name, port)
        if not self._private_hosts & {name, f"{name}:{port}", f"[{name}]:{port}"}:
            _refuse_private(name, port, found)
        return self._first_to_answer(name, port, found, options)

    def _first_to_answer(
        self, name: str, port: int, found: Sequence[Resolved], options: Any
    ) -> socket.socket:
        problem: OSError | None = None
        for family, kind, protocol, _, address in found:
            timeout = min(self.timeouts.connect, self.remaining())
            sock = socket.socket(family, kind, protocol)
            try:
                for option in options or ():
                    sock.setsockopt(*option)
                sock.settimeout(timeout)
                sock.connect(address)
            except OSError as error:
                sock.close()
                problem = error
            else:
                return sock
        reason = "no answer in time" if isinstance(problem, TimeoutError) else problem
        raise TransientError(f"cannot connect to {name} port {port}: {reason}")


def _resolve(name: str, port: int) -> Sequence[Resolved]:
    try:
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TransientError(f"cannot resolve the host {name} ({error}): is it spelled right?") from None


def _refuse_private(name: str, port: int, found: Sequence[Resolved]) -> None:
    private = [address[0] for *_, address in found if not is_public(address[0])]
    if private:
        raise ConfigError(
            f"{name} stands for {private[0]}, which is not a public address; if it is meant, "
            f"add {name}:{port} to the hosts allowed by SYNC_PRIVATE_HOSTS"
        )


class _BoundedStream(io.RawIOBase):
    """A socket's bytes, until the deadline; and no more than MAX_HEADER_BYTES before the body."""

    def __init__(self, sock: socket.socket, stream: io.RawIOBase, guard: Guard) -> None:
        self._sock = sock
        self._stream = stream
        self._guard = guard
        self._header_budget: float = MAX_HEADER_BYTES + _BUFFER_BYTES

    def end_of_headers(self) -> None:
        self._header_budget = float("inf")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._guard.remaining()
        if left < self._guard.timeouts.read:
            self._sock.settimeout(left)
        count = self._stream.readinto(buffer)
        self._header_budget -= count or 0
        if self._header_budget < 0:
            raise BadResponse(f"the headers are longer than {MAX_HEADER_BYTES} bytes")
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    # The standard library hands the socket's file to every later reader through `fp`, so this one
    # place bounds status line, headers, chunk sizes and body, plain or through TLS.
    def __init__(self, sock: socket.socket, *args: Any, guard: Guard, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._bounded = _BoundedStream(sock, self.fp.detach(), guard)
        self.fp = io.BufferedReader(self._bounded, _BUFFER_BYTES)

    def begin(self) -> None:
        super().begin()
        self._bounded.end_of_headers()


class _GuardedHTTPConnection(HTTPConnection):
    def __init__(self, *args: Any, guard: Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard
        self.response_class = partial(_BoundedResponse, guard=guard)  # type: ignore[assignment]

    def _new_conn(self) -> socket.socket:
        return self._guard.connect(self.host, self.port, self.socket_options)


class _GuardedHTTPSConnection(_GuardedHTTPConnection, HTTPSConnection):
    """Certificate and server name are checked against the host of the URL, not the address."""


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


class GuardedAdapter(HTTPAdapter):
    """Lets `requests` use none but guarded sockets."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_GuardedHTTPPool, guard=self._guard),
            "https": partial(_GuardedHTTPSPool, guard=self._guard),
        }
