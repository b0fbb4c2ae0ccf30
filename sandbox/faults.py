"""
Misbehaviour on request: which answers go wrong, how, and how often.

A fault applies to the paths it is a prefix of: to each matching request with a probability, to the next
`times` ones, or from a later one on (page 3 of a listing is `skip=2, times=1`). Chance comes from the seed.
Twists of a listing (cursors, empty lists and pages, bad and doubled records, drift) mean nothing to whole
files. An empty list is the end; an empty page says that more follows.
"""

from __future__ import annotations

import random
import threading
import zlib
from functools import lru_cache
from typing import Annotated, Literal

import msgspec

from sandbox.messages import Answer, Damage, Request, json_answer

Kind = Literal[
    "latency",
    "status",
    "html",
    "no_content",
    "redirect",
    "gzip_bomb",
    "expired_cursor",
    "truncated",
    "drip",
    "empty_list",
    "empty_page",
    "repeat_cursor",
    "cycle_cursor",
    "endless_cursor",
    "bad_record",
    "doubled_record",
    "drift",
]
TWISTS = frozenset(
    {
        "empty_list",
        "empty_page",
        "repeat_cursor",
        "cycle_cursor",
        "endless_cursor",
        "bad_record",
        "doubled_record",
    }
)
#: A request with one of these goes on where another left off.
CURSOR_PARAMETERS = frozenset({"page_info", "cursor", "page", "offset"})
LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>\n"
)
MEGABYTE = 1024 * 1024

Whole = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: str
    kind: Kind
    probability: Share = 1.0
    #: None means until reset.
    times: Whole | None = None
    #: How many matching requests are let through first.
    skip: Whole = 0
    #: For status (503 unless given) and expired_cursor (400 at Shopify, 410 elsewhere).
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    #: For status: sent as it stands, so that dates and nonsense are possible.
    retry_after: str | None = None
    #: For latency: the wait; for drip: the pause after each byte.
    milliseconds: Whole = 1_000
    #: For redirect.
    location: str = "http://elsewhere.invalid/"
    #: For truncated: how the length is announced.
    mode: Literal["length", "chunked", "close", "gzip"] = "length"
    #: For truncated: the share of the body that is sent.
    keep: Share = 0.5
    #: For gzip_bomb: the size once unpacked.
    megabytes: Whole = 100
    #: For drift: type, vanish or appear.
    drift: Literal["type", "vanish", "appear"] = "vanish"


class _Rule:
    """A fault and how often it has met a request."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._met = 0
        self._fired = 0

    def fires(self, request: Request, chance: random.Random) -> bool:
        if not request.path.startswith(self.fault.path):
            return False
        if self.fault.kind == "expired_cursor" and not CURSOR_PARAMETERS & request.query.keys():
            return False
        self._met += 1
        is_due = self._met > self.fault.skip and (self.fault.times is None or self._fired < self.fault.times)
        if not is_due or chance.random() >= self.fault.probability:
            return False
        self._fired += 1
        return True


class Faults:
    """The faults in force."""

    def __init__(self, *, seed: int) -> None:
        self._chance = random.Random(f"{seed}:faults")
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._rules.append(_Rule(fault))

    def drawn(self, request: Request) -> tuple[Fault, ...]:
        """Return what goes wrong with this request."""
        if not self._rules:
            return ()
        with self._lock:
            return tuple(rule.fault for rule in self._rules if rule.fires(request, self._chance))


def twists(faults: tuple[Fault, ...]) -> frozenset[str]:
    """Return what the listing itself must get wrong."""
    plain = {fault.kind for fault in faults if fault.kind in TWISTS}
    return frozenset(plain | {f"drift.{fault.drift}" for fault in faults if fault.kind == "drift"})


def replacement(faults: tuple[Fault, ...], request: Request) -> Answer | None:
    """Return the answer that stands in for the real one, if any."""
    for fault in faults:
        answer = _replaced(fault, request)
        if answer is not None:
            return answer
    return None


def _replaced(fault: Fault, request: Request) -> Answer | None:
    match fault.kind:
        case "status":
            return _failed(fault)
        case "expired_cursor":
            return _expired(fault, request)
        case _:
            return _nonsense(fault)


def _nonsense(fault: Fault) -> Answer | None:
    """Return a success that is none."""
    match fault.kind:
        case "html":
            return Answer(body=LOGIN_PAGE, content_type="text/html; charset=utf-8")
        case "no_content":
            return Answer(status=204, content_type="")
        case "redirect":
            return Answer(status=302, headers={"Location": fault.location}, content_type="")
        case "gzip_bomb":
            return Answer(body=_bomb(fault.megabytes), headers={"Content-Encoding": "gzip"})
        case _:
            return None


def _failed(fault: Fault) -> Answer:
    status = fault.status or 503
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    return json_answer({"errors": f"sandbox fault: {status}"}, status=status, headers=headers)


def _expired(fault: Fault, request: Request) -> Answer:
    if "page_info" in request.query:
        return json_answer({"errors": {"page_info": "Invalid value."}}, status=fault.status or 400)
    return json_answer({"error": "cursor has expired"}, status=fault.status or 410)


@lru_cache(maxsize=2)
def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(level=9, wbits=31)
    spaces = b" " * MEGABYTE
    return b"".join([b"".join(packer.compress(spaces) for _ in range(megabytes)), packer.flush()])


def damage(faults: tuple[Fault, ...]) -> Damage | None:
    """Return what happens to the body on its way out, if anything."""
    for fault in faults:
        if fault.kind == "truncated":
            return Damage(mode=fault.mode, keep=fault.keep)
        if fault.kind == "drip":
            return Damage(mode="drip", pause_seconds=fault.milliseconds / 1_000)
    return None


def delay_seconds(faults: tuple[Fault, ...]) -> float:
    return sum(fault.milliseconds for fault in faults if fault.kind == "latency") / 1_000
