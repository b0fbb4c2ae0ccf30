"""Row 62: many workers share one limit of a provider, in processes of their own."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tests.chaos.proxy import Proxy
from tests.ingest.budget_worker import POLICY

WORKERS = 8
ROOT = Path(__file__).parents[2]


class StrictServer(ThreadingHTTPServer):
    """Two calls a second and no more, after a rest four at once."""

    RATE, BURST = 2.0, 4.0
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.lock = threading.Lock()
        self.tokens, self.at = self.BURST, time.monotonic()
        self.served: list[float] = []
        self.refused = 0

    def admits(self) -> bool:
        with self.lock:
            now = time.monotonic()
            self.tokens = min(self.BURST, self.tokens + (now - self.at) * self.RATE)
            self.at = now
            if self.tokens < 1:
                self.refused += 1
                return False
            self.tokens -= 1
            self.served.append(now)
            return True


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StrictServer

    def do_GET(self) -> None:
        self.send_response(200 if self.server.admits() else 429)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def strict() -> Iterator[StrictServer]:
    with StrictServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def all_working(
    strict: StrictServer, seconds: int, meanwhile: Callable[[], None] = lambda: None, **environment: str
) -> list[dict[str, int]]:
    """Let eight processes ask for so long, and act meanwhile; return what each was told."""
    host = f"127.0.0.1:{strict.server_port}"
    command = [sys.executable, "-m", "tests.ingest.budget_worker", f"http://{host}/", host]
    source_id = str(random.randrange(10**9, 2 * 10**9))  # a bucket nobody has used
    workers = [
        subprocess.Popen(
            [*command, source_id, str(seconds)],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "syncproject.settings", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(WORKERS)
    ]
    for worker in workers:
        assert worker.stdout
        worker.stdout.readline()  # it is ready
    for worker in workers:
        assert worker.stdin
        worker.stdin.write(b"begin\n")
        worker.stdin.flush()
    meanwhile()
    return [json.loads(worker.communicate(timeout=seconds + 60)[0]) for worker in workers]


def share_used(strict: StrictServer) -> float:
    span = strict.served[-1] - strict.served[0]
    return len(strict.served) / (POLICY.burst + span * POLICY.rate)


def report(strict: StrictServer, told: list[dict[str, int]], capfd: pytest.CaptureFixture[str]) -> None:
    with capfd.disabled():
        sys.stdout.write(
            f"\n{WORKERS} workers: {len(strict.served)} calls, {share_used(strict):.0%} of the limit, "
            f"{strict.refused} refused, {sum(one['waited'] for one in told)} given back to wait, "
            f"by worker {sorted(one['answered'] for one in told)}\n"
        )


@pytest.mark.parametrize("seconds", [10, pytest.param(30, marks=pytest.mark.thorough)])
def test_eight_workers_use_a_strict_limit_without_being_refused(
    strict: StrictServer, seconds: int, capfd: pytest.CaptureFixture[str]
) -> None:
    report(strict, all_working(strict, seconds), capfd)
    assert strict.refused == 0
    assert share_used(strict) >= 0.9


def test_eight_workers_without_redis_keep_below_the_limit(
    strict: StrictServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
    report(strict, all_working(strict, 20, REDIS_URL=nobody), capfd)
    assert strict.refused == 0
    assert len(strict.served) >= WORKERS


def test_redis_that_goes_away_and_comes_back_twice_costs_no_refusal(
    strict: StrictServer, capfd: pytest.CaptureFixture[str]
) -> None:
    redis = urlsplit(settings.REDIS_URL)
    with Proxy(redis.port or 6379) as link:

        def go_away() -> None:
            # Between the two there is time for each worker to find Redis again.
            for well, away in ((3, 4), (9, 5)):
                time.sleep(well)
                link.hold()
                link.reset()
                time.sleep(away)
                link.release()

        through = redis._replace(netloc=f":{redis.password or ''}@127.0.0.1:{link.port}").geturl()
        report(strict, all_working(strict, 24, go_away, REDIS_URL=through), capfd)
    assert strict.refused == 0
