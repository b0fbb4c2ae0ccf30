"""
Walking a dataset page by page, and walking it wrongly on request.

Cursors say where a page starts and which window it belongs to, so they survive a restart and
listing the same page twice shows as the same cursor.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from sandbox.dataset import Dataset
from sandbox.messages import Request
from sandbox.order import Window


class BadCursor(Exception):
    """The cursor is not one of ours."""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a page starts; one letter a field, as it travels."""

    #: After this key, or before it.
    k: int = 0
    is_backwards: bool = msgspec.field(default=False, name="b")
    low: int = msgspec.field(default=Window().low, name="l")
    high: int = msgspec.field(default=Window().high, name="h")
    status: str = msgspec.field(default="any", name="s")
    #: Tells endless cursors to the same rows apart.
    nonce: int = msgspec.field(default=0, name="n")

    def token(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    def moved(self, key: int, *, is_backwards: bool = False, nonce: int = 0) -> Place:
        return msgspec.structs.replace(self, k=key, is_backwards=is_backwards, nonce=nonce)


def place_from(token: str) -> Place:
    """:raises BadCursor: if this is not a token of ours"""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return msgspec.json.decode(text, type=Place)
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise BadCursor(token) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One page of a listing."""

    rows: list[bytes]
    next: Place | None
    previous: Place | None


def turn(
    dataset: Dataset,
    place: Place,
    *,
    limit: int,
    request: Request,
    accepts: Callable[[int], bool] | None = None,
) -> Leaf:
    """Return the page at a place, with whatever twists the request carries."""
    window = Window(low=place.low, high=place.high, accepts=accepts)
    if "empty_list" in request.twists:
        return Leaf(rows=[], next=None, previous=None)
    if "empty_page" in request.twists:
        # What follows starts where this page does, by another cursor: no row is skipped.
        onwards = place.moved(place.k, is_backwards=place.is_backwards, nonce=place.nonce + 1)
        return Leaf(rows=[], next=onwards, previous=None)
    keys, has_next, has_previous = _keys(dataset, place, limit, window)
    rows = twisted_rows(dataset, keys, request)
    following = place.moved(keys[-1]) if has_next else None
    return Leaf(
        rows=rows,
        next=_twisted(dataset, place, following, limit=limit, window=window, twists=request.twists),
        previous=place.moved(keys[0], is_backwards=True) if has_previous else None,
    )


def _keys(dataset: Dataset, place: Place, limit: int, window: Window) -> tuple[list[int], bool, bool]:
    """Return the keys of the page, and whether more follow and precede."""
    if place.is_backwards:
        keys = dataset.order.before(place.k, limit=limit + 1, window=window)
        return keys[-limit:], bool(keys), len(keys) > limit
    keys = dataset.order.after(place.k, limit=limit + 1, window=window)
    return keys[:limit], len(keys) > limit, place.k > 0 and bool(keys)


def twisted_rows(dataset: Dataset, keys: list[int], request: Request) -> list[bytes]:
    """Return the records at `keys`, spoilt as asked; the dataset remembers, so the ledger stays right."""
    if not keys:
        return []
    middle = len(keys) // 2
    if "bad_record" in request.twists:
        dataset.spoil_served(keys[middle : middle + 1])
    for twist in request.twists:
        if twist.startswith("drift."):
            dataset.drift_served(keys, twist.removeprefix("drift."))
    rows = dataset.rows(keys)
    return [*rows, rows[middle]] if "doubled_record" in request.twists else rows


def _twisted(
    dataset: Dataset,
    here: Place,
    following: Place | None,
    *,
    limit: int,
    window: Window,
    twists: frozenset[str],
) -> Place | None:
    if "repeat_cursor" in twists:
        return here
    if "cycle_cursor" in twists:
        # One page back, so that the caller walks A, B, A, B.
        earlier = dataset.order.before(here.k + 1, limit=limit + 1, window=window)
        return here.moved(earlier[0] if len(earlier) > limit else 0)
    if "endless_cursor" in twists:
        return here.moved(here.k, nonce=here.nonce + 1)
    return following


def limit_from(request: Request, *, default: int, most: int) -> int | None:
    """Return the page size asked for, or None where it is no whole number from 1 to `most`."""
    text = request.query.get("limit", str(default))
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text) <= most else None


def stamp_from(text: str, *, is_upper: bool = False) -> int:
    """
    Return the epoch seconds of an ISO 8601 time; a lower bound rounds up, as ours are whole seconds.

    :raises ValueError: if it is no time
    """
    moment = datetime.fromisoformat(text)
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return int(seconds) if is_upper else -int(-seconds // 1)
