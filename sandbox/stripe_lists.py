"""Stripe's lists: newest first, from behind or before an object, by when objects came to be."""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sandbox.dataset import Dataset
from sandbox.messages import BadRequest, Request
from sandbox.order import INDEX_MASK

DEFAULT_LIMIT, MOST = 10, 100
PLACES = ("starting_after", "ending_before")
_BOUND = re.compile(r"created\[(gte|gt|lte|lt)\]")
_LISTED = re.compile(r"(types|expand)\[[0-9]*\]")
Item = TypeVar("Item")


def no(message: str, *, status: int = 400, kind: str = "invalid_request_error", **more: str) -> BadRequest:
    """Return a refusal in Stripe's words."""
    return BadRequest({"error": {"type": kind, "message": message, **more}}, status=status)


@dataclass(frozen=True, slots=True)
class Leaf(Generic[Item]):
    """One page, and whether there is more in the direction it was asked for."""

    items: Sequence[Item]
    has_more: bool


def check_parameters(request: Request, known: Collection[str]) -> None:
    """:raises BadRequest: if there is one that this list does not know"""
    for name in request.query:
        base = name.partition("[")[0]
        is_known = name in {"limit", *PLACES, *known} or (_LISTED.fullmatch(name) and base in known)
        is_bound = "created" in known and _BOUND.fullmatch(name)
        if not is_known and not is_bound:
            raise no(f"Received unknown parameter: {base}", code="parameter_unknown", param=base)


def leaf_of(items: Sequence[Item], request: Request, *, place_of: Callable[[str, str], int]) -> Leaf[Item]:
    """
    Return the page of items, newest first, that the request asks for.

    `place_of` takes a parameter and the id it names: with starting_after it gives the number of the first
    item behind that one, with ending_before that of the item itself.
    """
    limit = limit_of(request)
    after, before = (request.query.get(name) for name in PLACES)
    if after and before:
        raise no("You can only specify one of `starting_after` and `ending_before`.", param="ending_before")
    if before:
        end = place_of("ending_before", before)
        start = max(end - limit, 0)
        return Leaf(items[start:end], start > 0)
    start = place_of("starting_after", after) if after else 0
    return Leaf(items[start : start + limit], start + limit < len(items))


def limit_of(request: Request) -> int:
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit()):
        raise no(f"Invalid integer: {text}", code="parameter_invalid_integer", param="limit")
    if not 1 <= int(text) <= MOST:
        raise no(f"This value must be between 1 and {MOST}.", code="parameter_invalid_integer", param="limit")
    return int(text)


def bounds_of(query: Mapping[str, str]) -> tuple[int, int]:
    """Return the first and the last moment asked for, both inclusive."""
    low, high = 0, 1 << 40
    for name, text in query.items():
        found = _BOUND.fullmatch(name)
        if found is None:
            continue
        if not (text.isascii() and text.isdigit()):
            raise no(f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
        stamp = int(text)
        match found[1]:
            case "gte":
                low = max(low, stamp)
            case "gt":
                low = max(low, stamp + 1)
            case "lte":
                high = min(high, stamp)
            case _:
                high = min(high, stamp - 1)
    return low, high


class Newest:
    """A dataset's keys, newest first. Thread-safe."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._lock = threading.Lock()
        self._revision = -1
        #: When each came to be, and its key; oldest first.
        self._sorted: list[tuple[int, int]] = []
        self._by_index: dict[int, int] = {}

    def keys(self, query: Mapping[str, str], accepts: Callable[[int], bool] | None = None) -> list[int]:
        """Return the keys within the bounds that the query sets, of objects that are accepted."""
        low, high = bounds_of(query)
        ordered = self._now()
        start, end = bisect_left(ordered, (low, 0)), bisect_left(ordered, (high + 1, 0))
        found = [key for _, key in reversed(ordered[start:end])]
        return found if accepts is None else [key for key in found if accepts(key & INDEX_MASK)]

    def key(self, index: int) -> int | None:
        """Return the key of an object; None if it is gone or never was."""
        self._now()
        return self._by_index.get(index)

    def place(self, keys: Sequence[int], index: int) -> int | None:
        """Return how many of the keys are newer than an object, and it itself; None if it is gone."""
        key = self.key(index)
        if key is None:
            return None
        here = (self.dataset.created(key), index)
        return sum((self.dataset.created(one), one & INDEX_MASK) >= here for one in keys)

    def _now(self) -> list[tuple[int, int]]:
        with self._lock:
            revision = self.dataset.revision
            if revision != self._revision:
                # The number of an object first and not its time of change, which moves.
                keys = sorted(
                    self.dataset.order, key=lambda key: (self.dataset.created(key), key & INDEX_MASK)
                )
                self._sorted = [(self.dataset.created(key), key) for key in keys]
                self._by_index = {key & INDEX_MASK: key for key in keys}
                self._revision = revision
            return self._sorted


def enveloped(url: str, rows: Sequence[bytes], *, has_more: bool) -> bytes:
    more = b"true" if has_more else b"false"
    return b'{"object":"list","data":[%b],"has_more":%b,"url":"%b"}' % (b",".join(rows), more, url.encode())
