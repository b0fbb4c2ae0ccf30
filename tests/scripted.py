"""A connector whose pages a test writes down: everything behind it is real."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from connectors.base import Config, Connector, FetchRequest, Json, Page, SourceRecord, Stream
from connectors.errors import ConnectorError, RecordError
from connectors.kinds import GenericRecord, Kind, Order, OrderLine, build, to_datetime, to_decimal

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def record(external_id: str, *, updated_at: datetime | None = START, **values: Any) -> SourceRecord:
    """Return a good record whose payload holds the given values."""
    body = {"id": external_id, "updated_at": updated_at and updated_at.isoformat(), **values}
    return SourceRecord(body=json.dumps(body).encode(), external_id=external_id, updated_at=updated_at)


def raw_record(external_id: str, body: bytes, **values: Any) -> SourceRecord:
    return SourceRecord(body=body, external_id=external_id, **values)


def refine_record(payload: Json) -> Kind:
    return build(GenericRecord, {"external_id": payload["id"], "title": payload.get("title")})


def refine_order(payload: Json) -> Kind:
    """Understand {id, updated_at, at, customer, total, currency, lines: [{id, price}]}."""
    if "total" not in payload:
        raise RecordError("order without total")
    return Order(
        external_id=payload["id"],
        occurred_at=to_datetime("at", payload.get("at", START.isoformat())),
        updated_at=to_datetime("updated_at", payload["updated_at"]),
        customer_external_id=payload.get("customer"),
        currency=payload.get("currency", "EUR"),
        total_amount=to_decimal("total", payload["total"]),
        lines=None if payload.get("lines", ()) is None else tuple(map(_line, payload.get("lines", ()))),
    )


def _line(line: Json) -> OrderLine:
    return OrderLine(external_id=line["id"], unit_price=to_decimal("price", line["price"]))


@dataclass
class Script:
    """What the provider says: per stream its pages in order; an error in a page's place is raised once."""

    pages: dict[str, list[Page | ConnectorError | Exception]] = field(default_factory=dict)
    requests: list[tuple[str, FetchRequest]] = field(default_factory=list)
    streams: tuple[Stream, ...] = (
        Stream(name="records", kind="record", refine=refine_record, is_incremental=True, default_schedule=""),
        Stream(name="orders", kind="order", refine=refine_order, is_incremental=True, default_schedule=""),
    )

    def says(self, stream: str, *pages: Iterable[SourceRecord] | Page | Exception, **last: Any) -> None:
        """Lay out pages; plain lists of records are chained by cursors "1", "2", ..."""
        laid: list[Any] = []
        for number, page in enumerate(pages, start=1):
            is_last = number == len(pages)
            if isinstance(page, Page | Exception):
                laid.append(page)
            else:
                cursor = None if is_last else str(number)
                laid.append(Page(records=list(page), next_cursor=cursor, **(last if is_last else {})))
        self.pages[stream] = laid

    def answer(self, stream: str, request: FetchRequest) -> Page:
        self.requests.append((stream, request))
        pages = self.pages[stream]
        place = int(request.cursor or 0)
        page = pages[place]
        if isinstance(page, Exception):
            del pages[place]  # it passes
            raise page
        return page


class ScriptedConnector(Connector):
    name: ClassVar[str] = "scripted"
    title: ClassVar[str] = "Scripted"
    config_model: ClassVar[type[Config]] = Config
    script: ClassVar[Script]
    on_fetch: ClassVar[Callable[[], None] | None] = None

    def streams(self) -> tuple[Stream, ...]:
        return self.script.streams

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        if on_fetch := type(self).on_fetch:
            on_fetch()
        return self.script.answer(stream.name, request)
