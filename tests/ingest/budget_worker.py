"""A worker of its own process that asks one server as often as its source's budget lets it."""

from __future__ import annotations

import json
import sys
import time

import django

from connectors.base import Access
from connectors.budgets import BudgetPolicy
from connectors.errors import RateLimited
from connectors.http import HttpSession

POLICY = BudgetPolicy(name="calls", rate=2.0, burst=2.0)


def work(url: str, host: str, source_id: int, seconds: float) -> dict[str, int]:
    from ingest.budgets import Budgets  # noqa: PLC0415 - Django is set up by then

    http = HttpSession(
        connector="strict",
        access=Access(private_hosts=frozenset({host})),
        budget=Budgets(source_id)(POLICY),
    )
    told = {"answered": 0, "refused": 0, "waited": 0}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            http.request("GET", url)
        except RateLimited as error:
            told["refused" if "429" in str(error) else "waited"] += 1
            time.sleep(min(error.retry_after or 0, max(until - time.monotonic(), 0)))
        else:
            told["answered"] += 1
    return told


if __name__ == "__main__":
    django.setup()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(work(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
