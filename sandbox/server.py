"""A small HTTP/1.1 server on loopback: keep-alive, one send per answer, bodies cut short on request."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox import control
from sandbox.messages import Answer, Request, json_answer
from sandbox.world import World

HOST = "127.0.0.1"
LARGEST_REQUEST = 1024 * 1024
STOP_POLL_SECONDS = 0.05
#: Providers answer with statuses of their own too (HubSpot's 477); those go without a phrase.
PHRASES = {status.value: status.phrase for status in HTTPStatus}


class _Door(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        # Callers hang up as they please: they are killed in tests.
        with suppress(ConnectionError):
            super().handle()

    def parse_request(self) -> bool:
        self._arrived = time.monotonic()
        return super().parse_request()

    def do_GET(self) -> None:
        size = self.headers.get("Content-Length") or "0"
        if not (size.isascii() and size.isdigit() and int(size) <= LARGEST_REQUEST):
            self.close_connection = True
            self._send(json_answer({"error": "request body too large or without a length"}, status=413))
            return
        self._send(self.server.answer(self._request(self.rfile.read(int(size)))))

    do_HEAD = do_GET  # noqa: N815 - http.server looks methods up by these names
    do_POST = do_GET  # noqa: N815
    do_PUT = do_GET  # noqa: N815
    do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the ledger counts requests."""

    def _request(self, body: bytes) -> Request:
        address = urlsplit(self.path)
        return Request(
            method=self.command,
            path=address.path,
            query=dict(parse_qsl(address.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            origin=f"http://{self.headers.get('Host') or self.server.netloc}",
            client=self.client_address[0],
        )

    def _send(self, answer: Answer) -> None:
        if answer.delay_seconds:
            # A provider so far away takes so long, our own work included.
            self.server.stopping.wait(self._arrived + answer.delay_seconds - time.monotonic())
            if self._is_deserted():
                self.server.take_back(answer)
                self.close_connection = True
                return
        if answer.damage is None or not answer.body:
            whole = answer.body if self.command != "HEAD" else b""
            self.connection.sendall(_head(answer, {"Content-Length": str(len(answer.body))}) + whole)
        elif answer.damage.mode == "drip":
            self._drip(answer, answer.damage.pause_seconds)
        else:
            self.close_connection = True
            self.connection.sendall(_cut(answer, mode=answer.damage.mode, keep=answer.damage.keep))

    def _is_deserted(self) -> bool:
        """Tell whether the caller hung up, or died, while it waited."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _drip(self, answer: Answer, pause_seconds: float) -> None:
        self.connection.sendall(_head(answer, {"Content-Length": str(len(answer.body))}))
        for position in range(len(answer.body)):
            if self.server.stopping.wait(pause_seconds):
                self.close_connection = True
                return
            self.connection.sendall(answer.body[position : position + 1])


def _head(answer: Answer, framing: dict[str, str]) -> bytes:
    status = f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, '')}\r\n"
    headers = {**({"Content-Type": answer.content_type} if answer.content_type else {}), **answer.headers}
    if answer.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        headers |= framing
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{status}{lines}\r\n".encode("latin-1")


def _cut(answer: Answer, *, mode: str, keep: float) -> bytes:
    """Return a head that promises more than the body that follows it."""
    kept = answer.body[: int(len(answer.body) * keep)]
    match mode:
        case "length":
            return _head(answer, {"Content-Length": str(len(answer.body))}) + kept
        case "chunked":
            # An empty chunk would end the body as if it were whole.
            chunk = b"%x\r\n%b\r\n" % (len(kept), kept) if kept else b""
            return _head(answer, {"Transfer-Encoding": "chunked"}) + chunk
        case "gzip":
            packed = gzip.compress(answer.body, mtime=0)
            framing = {"Content-Encoding": "gzip", "Connection": "close"}
            return _head(answer, framing) + packed[: int(len(packed) * keep)]
        case _:
            return _head(answer, {"Connection": "close"}) + kept


class Server(ThreadingMixIn, TCPServer):
    """Listens from the start; `start` begins to answer, `stop` leaves no thread behind."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, world: World, *, port: int = 0) -> None:
        """:raises OSError: if the port is taken"""
        super().__init__((HOST, port), _Door)
        self.stopping = threading.Event()
        self.netloc = f"{HOST}:{self.server_address[1]}"
        self.url = f"http://{self.netloc}"
        self._world = world
        self._control = control.Control(world)
        self._connections: set[socket.socket] = set()
        self._listener = threading.Thread(target=self.serve_forever, args=(STOP_POLL_SECONDS,), daemon=True)

    def start(self) -> None:
        self._listener.start()

    def stop(self) -> None:
        self.stopping.set()
        self._world.quiet()
        self.shutdown()
        for connection in list(self._connections):
            # Wakes threads that wait for the next request on a kept-alive connection.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._listener.join()

    def answer(self, request: Request) -> Answer:
        if request.path.startswith(control.PREFIX):
            return self._control.answer(request)
        return self._world.answer(request)

    def take_back(self, answer: Answer) -> None:
        """Note that nobody was there to hear the answer."""
        self._world.take_back(answer)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)
