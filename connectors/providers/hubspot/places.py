"""Where reading a stream of HubSpot stands, as a cursor."""

from __future__ import annotations

from typing import Literal

import msgspec

from connectors.base import FetchRequest
from connectors.errors import CursorExpired
from connectors.windows import window_start


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the next page starts."""

    #: All that is there, what changed since, or what was archived.
    phase: Literal["all", "changed", "archived"] = "all"
    #: What the provider said the page starts after.
    after: str = ""
    #: For what changed: since when, in epoch milliseconds.
    since: int = 0
    #: So many changed in that very millisecond that they are read by id, beyond the one named here.
    beyond: str = ""

    def cursor(self) -> str:
        return msgspec.json.encode(self).decode()


_decoder = msgspec.json.Decoder(Place)
ARCHIVE = Place(phase="archived")


def place_of(request: FetchRequest) -> Place:
    """
    Return where the page that is asked for starts.

    :raises CursorExpired: if the cursor is not one of ours
    """
    if request.cursor is not None:
        try:
            return _decoder.decode(request.cursor)
        except msgspec.DecodeError:
            raise CursorExpired(f"{request.cursor[:80]!r} is no place in a listing of HubSpot") from None
    if request.window_start is not None:
        return Place(phase="changed", since=int(window_start(request.window_start, "epoch_ms")))
    return Place()
