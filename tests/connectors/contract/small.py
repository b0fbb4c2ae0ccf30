"""A room in memory that keeps every promise, so that tests can break one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from connectors.base import (
    AuthMode,
    Config,
    Connector,
    FetchRequest,
    Json,
    Page,
    SourceRecord,
    Stream,
)
from connectors.errors import AuthenticationError, ConnectorError, TransientError
from connectors.fields import Fields
from connectors.kinds import Kind, Order, OrderLine
from sandbox.simulators import Offer, Simulator

URL = "http://small.example"
KEY = "key-of-the-small-shop"
MOST = 20
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
PAGE = "`base_url` `key` `orders` `order_lines`"
#: How a test that finds fault with a room ends.
CAUGHT = (AssertionError, ConnectorError, ValueError, pytest.fail.Exception)
#: Holds a room against one check of the suite.
Run = Callable[..., None]


class SmallConfig(Config):
    base_url: str
    """Where it answers."""


class SmallKey(AuthMode):
    mode = "key"
    title = "Key"

    key: SecretStr
    """What lets us in."""


def refine_line(payload: Json) -> OrderLine:
    return _line(Fields(payload))


def _line(raw: Fields) -> OrderLine:
    return OrderLine(
        external_id=raw.identity(), order_external_id=raw.reference("order"), title=raw.text("title")
    )


def refine_order(payload: Json) -> Order:
    raw = Fields(payload)
    return Order(
        external_id=raw.identity(),
        updated_at=raw.moment("updated_at"),
        currency="EUR",
        lines=tuple(map(_line, raw.each("lines"))),
    )


def _lines(number: int) -> list[dict[str, Any]]:
    return [{"id": f"o{number}-{one}", "order": f"o{number}", "title": f"Ware {one}"} for one in range(2)]


def _orders() -> list[SourceRecord]:
    found = []
    for number in range(35):
        changed = NOON + timedelta(hours=number)
        payload = {"id": f"o{number}", "updated_at": changed.isoformat(), "lines": _lines(number)}
        found.append(
            SourceRecord(body=msgspec.json.encode(payload), external_id=f"o{number}", updated_at=changed)
        )
    return found


def _order_lines() -> list[SourceRecord]:
    lines = [line for number in range(30) for line in _lines(number)]
    return [SourceRecord(body=msgspec.json.encode(line), external_id=line["id"]) for line in lines]


ORDERS = Stream(
    name="orders", kind="order", refine=refine_order, is_incremental=True, cursor_field="updated_at"
)
LINES = Stream(name="order_lines", kind="order_line", refine=refine_line)


class Small(Connector):
    name = "small"
    title = "Small shop"
    config_model = SmallConfig
    example = {"base_url": URL}
    auth_modes = (SmallKey,)

    def streams(self) -> tuple[Stream, ...]:
        return (ORDERS, LINES)

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        if self.config.base_url != URL:
            raise TransientError("small: nobody there")
        if self.credentials.key.get_secret_value() != KEY:
            raise AuthenticationError("small: the key is refused")
        start, size = int(request.cursor or 0), min(request.page_size, MOST)
        found = [one for one in self.listed(stream) if self.is_within(one, request)]
        following = str(start + size) if start + size < len(found) else None
        return Page(records=found[start : start + size], next_cursor=following)

    def listed(self, stream: Stream) -> Sequence[SourceRecord]:
        return _orders() if stream.name == "orders" else _order_lines()

    def is_within(self, one: SourceRecord, request: FetchRequest) -> bool:
        start = request.window_start
        return start is None or one.updated_at is None or one.updated_at >= start


def simulator(**changes: Any) -> Simulator:
    """Return what offers the room; `changes` are of the offer."""

    def offer(url: str) -> Offer:
        usual = Offer(
            config={"base_url": url},
            datasets={},
            credentials={"mode": "key", "key": KEY},
            bad_credentials={"mode": "key", "key": "key-of-another-shop"},
        )
        return replace(usual, **changes)

    return Simulator(connector="small", recipes=lambda _: (), routes=lambda _: {}, offer=offer)


# Ways to break it


def room_with(**changes: Any) -> type[Small]:
    """Return the room with other attributes or methods."""
    return type("Broken", (Small,), changes)


def with_pages(turned: Callable[[Page, FetchRequest, Small], Page]) -> type[Small]:
    """Return the room with its pages turned into others."""

    def fetch(self: Small, stream: Stream, request: FetchRequest) -> Page:
        return turned(Small.fetch(self, stream, request), request, self)

    return room_with(fetch=fetch)


def with_records(turned: Callable[[SourceRecord], SourceRecord]) -> type[Small]:
    return with_pages(lambda page, *_: replace(page, records=list(map(turned, page.records))))


def with_streams(*streams: Stream) -> type[Small]:
    return room_with(streams=lambda self: streams)


def with_rows(turned: Callable[[Order], Kind]) -> type[Small]:
    """Return the room with what orders refine to turned into something else."""
    return with_streams(replace(ORDERS, refine=lambda payload: turned(refine_order(payload))), LINES)
