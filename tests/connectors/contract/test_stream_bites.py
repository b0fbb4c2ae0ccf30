"""The contract of streams can fail: a room that breaks its word is caught, whichever word it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from msgspec import structs

from connectors.base import FetchRequest, Page, SourceRecord
from connectors.errors import ConnectorError
from connectors.kinds import Customer, Kind, Order, OrderLine
from tests.connectors.contract import rooms, small
from tests.connectors.contract import test_streams as streams
from tests.connectors.contract.small import (
    CAUGHT,
    LINES,
    ORDERS,
    Run,
    Small,
    room_with,
    with_pages,
    with_records,
    with_rows,
    with_streams,
)


def twice(page: Page, *_: Any) -> Page:
    return replace(page, records=[*page.records, page.records[0]])


def twice_in_a_pass(page: Page, request: FetchRequest, room: Small) -> Page:
    return replace(page, records=[*page.records, room.listed(ORDERS)[0]]) if request.cursor else page


def other_each_time(record: SourceRecord, numbers: Any = count()) -> SourceRecord:  # noqa: B008 - counts on
    body = record.body[:-1] + b',"seen":%d}' % next(numbers)
    return structs.replace(record, body=body)


def fewer_by_size(page: Page, request: FetchRequest, room: Small) -> Page:
    return replace(page, records=page.records[1:]) if request.page_size > rooms.PAGE_SIZE else page


def loses_on_resuming(page: Page, request: FetchRequest, room: Small) -> Page:
    is_first = not hasattr(room, "has_fetched")
    room.has_fetched = True  # type: ignore[attr-defined]
    return replace(page, records=page.records[1:]) if is_first and request.cursor else page


def goes_in_circles(page: Page, request: FetchRequest, room: Small) -> Page:
    room.asked = getattr(room, "asked", 0) + 1  # type: ignore[attr-defined]
    return replace(page, next_cursor="0" if room.asked < 4 else None)  # type: ignore[attr-defined]


def never_ends(page: Page, *_: Any) -> Page:
    return replace(page, next_cursor="0")


def has_begun(one: SourceRecord, start: datetime | None, *, later: timedelta) -> bool:
    return start is None or one.updated_at is None or one.updated_at >= start + later


def narrow(self: Small, one: SourceRecord, request: FetchRequest) -> bool:
    return has_begun(one, request.window_start, later=timedelta(seconds=1))


def unheeded(self: Small, one: SourceRecord, request: FetchRequest) -> bool:
    return True


def backwards(self: Small, one: SourceRecord, request: FetchRequest) -> bool:
    """Later windows hold one record that earlier ones leave out."""
    start = request.window_start
    if start is not None and one.external_id == "o3":
        return start > small.NOON + timedelta(hours=20)
    return has_begun(one, start, later=timedelta())


def strict_on_size(page: Page, request: FetchRequest, room: Small) -> Page:
    if request.page_size > small.MOST:
        raise ConnectorError("small: at most 20")
    return page


def refuses_to_refine(order: Order) -> Kind:
    raise ConnectorError("small: cannot be understood")


def children_of(order: Order, **changes: Any) -> Order:
    lines = [structs.replace(line, **changes) for line in order.lines or ()]
    return structs.replace(order, lines=tuple(lines))


IDS, REFINES, KEPT, ALIKE, AGAIN, RESUMED, CURSORS, WINDOW, ONCE = (
    streams.test_a_stream_has_records_with_ids_of_their_own,
    streams.test_every_record_refines,
    streams.test_refining_keeps_the_id_and_the_time,
    streams.test_streams_have_kinds_and_names_of_their_own,
    streams.test_two_full_passes_give_identical_rows,
    streams.test_an_interrupted_pass_resumes_equal,
    streams.test_no_cursor_comes_twice,
    streams.test_a_window_leaves_nothing_out,
    streams.test_a_row_is_told_of_once_by_a_stream_and_alike_by_all,
)
put = structs.replace
NAIVE = datetime(2026, 7, 1)  # noqa: DTZ001 - that is what is wrong with it
BROKEN_STREAMS = {
    "a kind nobody knows": (with_streams(replace(ORDERS, kind="parcel")), ALIKE),
    "two streams of one name": (with_streams(ORDERS, replace(LINES, name="orders")), ALIKE),
    "no stream at all": (with_streams(), ALIKE),
    "a way nobody knows": (with_streams(replace(ORDERS, ways=("pigeon",))), ALIKE),
    "any stream is there": (room_with(stream=lambda self, name: ORDERS), ALIKE),
    "no page with records": (with_pages(lambda page, *_: replace(page, records=())), IDS),
    "a record twice on a page": (with_pages(twice), IDS),
    "a record twice in a pass": (with_pages(twice_in_a_pass), IDS),
    "records without ids": (with_records(lambda one: put(one, external_id="")), IDS),
    "ids too long": (with_records(lambda one: put(one, external_id=one.external_id.zfill(256))), IDS),
    "records with problems": (with_records(lambda one: put(one, problem="odd")), IDS),
    "local times of change": (with_records(lambda one: put(one, updated_at=NAIVE)), IDS),
    "records nobody understands": (with_rows(refuses_to_refine), REFINES),
    "rows of another kind": (with_rows(lambda one: Customer(external_id=one.external_id)), REFINES),
    "rows without ids": (with_rows(lambda one: put(one, external_id="")), REFINES),
    "inexact money": (with_rows(lambda one: put(one, total_amount=9.99)), REFINES),
    "local times": (with_rows(lambda one: put(one, occurred_at=NAIVE)), REFINES),
    "currencies that are none": (with_rows(lambda one: put(one, currency="eur")), REFINES),
    "inexact money of children": (with_rows(partial(children_of, unit_price=9.99)), REFINES),
    "children of another kind": (with_rows(lambda one: put(one, payments=one.lines)), REFINES),
    "ids changed in refining": (with_rows(lambda one: put(one, external_id="7")), KEPT),
    "times changed in refining": (with_rows(lambda one: put(one, updated_at=small.NOON)), KEPT),
    "another body each time": (with_records(other_each_time), AGAIN),
    "fewer rows on longer pages": (with_pages(fewer_by_size), AGAIN),
    "something lost on going on": (with_pages(loses_on_resuming), RESUMED),
    "a cursor twice": (with_pages(goes_in_circles), CURSORS),
    "a cursor forever": (with_pages(never_ends), CURSORS),
    "a window that leaves out its edge": (room_with(is_within=narrow), WINDOW),
    "a window nobody heeds": (room_with(is_within=unheeded), WINDOW),
    "a window that goes backwards": (room_with(is_within=backwards), WINDOW),
    "a window without times": (with_records(lambda one: put(one, updated_at=None)), WINDOW),
    "a page size that is refused": (
        with_pages(strict_on_size),
        streams.test_a_page_may_be_asked_to_hold_more_than_the_provider_gives,
    ),
    "children with the same id in all orders": (with_rows(partial(children_of, external_id="1")), ONCE),
    "a child claimed by two parents": (
        with_rows(lambda one: children_of(one, external_id="1") if one.external_id in {"o1", "o2"} else one),
        ONCE,
    ),
    "streams that tell of a row differently": (with_rows(partial(children_of, title="Other")), ONCE),
    "streams of one kind with the same ids": (
        with_streams(
            LINES, replace(ORDERS, kind="order_line", refine=lambda _: OrderLine(external_id="o1-0"))
        ),
        ONCE,
    ),
}


@pytest.mark.parametrize(("room", "check"), BROKEN_STREAMS.values(), ids=BROKEN_STREAMS)
def test_streams_that_break_the_contract_are_caught(
    room: type[Small], check: Callable[..., None], run: Run
) -> None:
    with pytest.raises(CAUGHT):
        run(check, room)
