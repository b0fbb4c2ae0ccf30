"""A request and its answer, as providers see them: no sockets here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from sandbox.dataset import Dataset
from sandbox.flaws import BadRow

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes
    #: The scheme and host the caller used, so that links lead back the same way.
    origin: str
    #: The caller's address.
    client: str
    #: What the listing must get wrong this time.
    twists: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What an answer carries, for the ledger."""

    dataset: str
    #: Equal for two requests whose page starts at the same place of the same listing.
    cursor: str
    records: int
    #: Those of the records that no reader can store.
    bad: tuple[BadRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """
    How the body is lost.

    `length`, `chunked`, `close` and `gzip` send a share of it and hang up: its length was announced, it came
    in chunks, nothing was announced, or nothing and it is compressed. `drip` sends it all, byte by byte.
    """

    mode: Literal["length", "chunked", "close", "gzip", "drip"]
    keep: float = 0.5
    pause_seconds: float = 1.0

    @property
    def is_loss(self) -> bool:
        """Tell whether part of the body never arrives."""
        return self.mode != "drip"


@dataclass(slots=True, kw_only=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON
    served: Served | None = None
    delay_seconds: float = 0.0
    #: Cuts or slows the body on its way out; None sends it as it is.
    damage: Damage | None = None


Handler = Callable[[Request], Answer]


class BadRequest(Exception):
    """The caller asked for something the provider refuses; `body` is in the provider's words."""

    def __init__(self, body: Any, *, status: int = 400) -> None:
        super().__init__(str(body))
        self.body = body
        self.status = status


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, body=msgspec.json.encode(value), headers=dict(headers or {}))


def served_rows(dataset: Dataset, rows: list[bytes], *, cursor: str) -> Served:
    """Return what the ledger notes of a page of records."""
    return Served(dataset=dataset.recipe.name, cursor=cursor, records=len(rows), bad=dataset.bad_in(rows))


def joined(before: bytes, rows: list[bytes], after: bytes) -> bytes:
    """Return rows that are JSON already as one list within an envelope."""
    return b"".join((before, b"[", b",".join(rows), b"]", after))
