"""What the loaders of our own making share: reading the orders page by page, and the report at the end."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator

import requests

_NEXT = re.compile(r'<([^>]+)>; rel="next"')


def arguments(*, description: str) -> ArgumentParser:
    """Return the options every loader takes; the database's address comes in DATABASE_URL."""
    parser = ArgumentParser(description=description)
    parser.add_argument("url", help="the first page of the orders")
    parser.add_argument("--token", required=True, help="the access token of the shop")
    parser.add_argument("--records", type=int, help="stop after this many")
    return parser


def bodies(url: str, *, token: str) -> Iterator[tuple[bytes, str | None]]:
    """Yield each page's body and the address of the page after it."""
    with requests.Session() as session:
        session.trust_env = False
        session.headers["X-Shopify-Access-Token"] = token
        following: str | None = url
        while following:
            answer = session.get(following, timeout=60)
            answer.raise_for_status()
            found = _NEXT.search(answer.headers.get("Link", ""))
            following = found[1] if found else None
            yield answer.content, following


def report(load: Callable[[Namespace], int], given: Namespace) -> None:
    """Load, then print how many records that were, in how many seconds, and the most memory it took."""
    began = time.perf_counter()
    records = load(given)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    sys.stdout.write(json.dumps({"records": records, "seconds": seconds, "peak_bytes": peak}) + "\n")
