"""The sandbox as a process of its own, with every page rendered before anything is timed."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from local.servers import PROJECT
from sandbox import SandboxClient

TOKEN = "shpat_sandbox"  # noqa: S105 - not a secret: this world is pretended
DATASET = "shopify.orders"
PATH = "/shopify/admin/api/2026-10/orders.json"
NOW = "2026-11-01T00:00:00Z"
SEED = 7
START_SECONDS = 120.0
# Rendered records are kept; an order of three lines takes about this much.
BYTES_PER_RECORD = 1_600
#: The other datasets take no part.
OTHERS = {"customers": 2_000, "products": 1_000, "items": 1, "songs": 1, "catalog": 1, "articles": 1}
_NEXT = re.compile(r'<([^>]+)>; rel="next"')


class World:
    """A shop with so many orders."""

    def __init__(self, records: int, *, folder: Path) -> None:
        """:raises TimeoutError: if the sandbox does not answer"""
        self.records = records
        ready = folder / f"sandbox-{records}"
        ready.unlink(missing_ok=True)
        options = {
            **OTHERS,
            "orders": records,
            "seed": SEED,
            "now": NOW,
            "port": 0,
            "ready-file": ready,
            "cache-mb": 50 + records * BYTES_PER_RECORD // 2**20,
            "leak-rate": 1_000_000,
        }
        pairs = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "--plain-orders", *pairs],
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
        )
        try:
            self.client = SandboxClient(_address(ready))
            self.read()  # renders every record
        except BaseException:
            self.stop()
            raise

    def first_page(self, page_size: int) -> str:
        return f"{self.client.url}{PATH}?status=any&limit={page_size}"

    def read(self, *, page_size: int = 250) -> float:
        """Read every page with as little work as Python can, one after the other; return the seconds."""
        began = time.perf_counter()
        link = http.client.HTTPConnection(urlsplit(self.client.url).netloc)
        following: str | None = self.first_page(page_size)
        while following:
            path = following.removeprefix(self.client.url)
            link.request("GET", path, headers={"X-Shopify-Access-Token": TOKEN})
            answer = link.getresponse()
            answer.read()
            found = _NEXT.search(answer.headers.get("Link", ""))
            following = found[1] if found else None
        link.close()
        return time.perf_counter() - began

    def change(self, share: float, *, seed: int) -> int:
        """Change a share of the orders; return how many."""
        changed: int = self.client.change(DATASET, share=share, seed=seed)["changed"]
        self.read()
        return changed

    def slow_down(self, milliseconds: int) -> None:
        """Let each answer wait so long, or not at all."""
        self.client.behave()
        if milliseconds:
            self.client.misbehave(PATH, "latency", milliseconds=milliseconds)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def _address(ready: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while not ready.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"The sandbox did not start within {START_SECONDS:.0f} s.")
        time.sleep(0.05)
    return ready.read_text().strip()
