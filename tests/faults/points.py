"""
Named moments at which a worker takes itself down.

The product knows nothing of them: its functions are wrapped from outside, in the worker that
`celery -A tests.faults.app worker` starts.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Point:
    """Before or after a call of a function of the product."""

    place: str
    is_before: bool = False
    #: Calls that return nothing, as there was nothing to do, are not counted.
    counts_all: bool = True


def before(place: str) -> Point:
    return Point(place, is_before=True)


def after(place: str, *, counts_all: bool = True) -> Point:
    return Point(place, counts_all=counts_all)


#: Around every commit and at every hand-over, in the order of the story. Those named "in" lie inside a
#: transaction, between the two writes that must not be parted.
POINTS = {
    "in_starting_due": before("ingest.jobs.start"),
    "after_starting_due": after("ingest.jobs.start_due", counts_all=False),
    # The first to ring is the tick, for the turn; then the fetcher, for writers.
    "before_ringing": before("syncproject.pipeline.ring"),
    "after_claim": after("ingest.leases.claim", counts_all=False),
    "before_landing": before("ingest.landing.land"),
    "in_landing": before("ingest.checkpoints.move"),
    "after_landing": after("ingest.landing.land"),
    "after_release": after("ingest.jobs.release"),
    "after_fetching": after("ingest.fetching.fetch_slice"),
    "after_beginning": after("ingest.applying._begin", counts_all=False),
    "in_applying": before("ingest.applying._close_pages"),
    "after_applying": after("ingest.applying._apply", counts_all=False),
    "after_apply_turn": after("ingest.applying.apply_landed", counts_all=False),
    "in_counting": after("metrics.rollup.count_job", counts_all=False),
    "after_counting": before("ingest.finishing.finish"),
    "in_finishing": before("ingest.finishing._advance_watermark"),
    "after_finishing": after("ingest.finishing.finish", counts_all=False),
}


def arm(fault_at: str, *, signal_name: str) -> None:
    """
    Make the n-th pass of a point, written "after_landing:3", send a signal to this whole worker.

    Passes are counted per process: the worker needs a pool of one.
    """
    name, _, number = fault_at.partition(":")
    point = POINTS[name]
    _replace(
        point.place, lambda original: _failing(original, point, int(number), signal.Signals[signal_name])
    )


def poison(place: str, external_id: str) -> None:
    """Make a function of the product end its process whenever it gets the record of this id."""

    def poisoned(original: Function) -> Function:
        def wrapper(*args: Any) -> Any:
            if any(getattr(arg, "external_id", None) == external_id for arg in args):
                os._exit(1)
            return original(*args)

        return wrapper

    _replace(place, poisoned)


def _replace(place: str, make: Callable[[Function], Function]) -> None:
    module_name, _, function = place.rpartition(".")
    module = import_module(module_name)
    setattr(module, function, make(getattr(module, function)))


def _failing(original: Function, point: Point, number: int, sent: signal.Signals) -> Function:
    passes = 0

    def pass_by() -> None:
        nonlocal passes
        passes += 1
        if passes == number:
            os.killpg(0, sent)  # parent and pool at once, as a power cut does

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if point.is_before:
            pass_by()
        result = original(*args, **kwargs)
        if not point.is_before and (point.counts_all or result):
            pass_by()
        return result

    return wrapper
