"""Many processes that ask one source for a page at the same moment; prints what each of them got."""

from __future__ import annotations

import json
import multiprocessing
import sys
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from typing import Any

import django

from connectors.base import FetchRequest
from connectors.errors import ConnectorError

FORK = multiprocessing.get_context("fork")
#: Longer than the last of them needs to hear of the first one's failure, on a busy machine, too.
QUIET = timedelta(minutes=5)
LOCK_SECONDS = 60
PATIENCE = 150.0


def ask(source_id: int, is_warm: bool, barrier: Barrier, results: Any) -> None:
    from ingest import tokens  # noqa: PLC0415 - Django is set up by then
    from ingest.connecting import connector_for  # noqa: PLC0415
    from ingest.models import Source  # noqa: PLC0415

    tokens.QUIET, tokens.LOCK_SECONDS = QUIET, LOCK_SECONDS
    connector = connector_for(Source.objects.get(pk=source_id))
    [stream] = connector.streams()
    request = FetchRequest(page_size=5)
    if is_warm:
        connector.fetch(stream, request)
    barrier.wait(PATIENCE)  # all are ready
    barrier.wait(PATIENCE)  # go
    try:
        results.put({"records": len(connector.fetch(stream, request).records)})
    except ConnectorError as error:
        results.put({"error": type(error).__name__, "said": str(error)})


def main(source_id: int, count: int, is_warm: bool) -> None:
    barrier, results = FORK.Barrier(count + 1), FORK.SimpleQueue()
    workers = [FORK.Process(target=ask, args=(source_id, is_warm, barrier, results)) for _ in range(count)]
    for worker in workers:
        worker.start()
    barrier.wait(PATIENCE)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    barrier.wait(PATIENCE)
    told = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "warm")
