"""What every stream of every room keeps to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from msgspec import structs

from connectors import all_connectors
from connectors.base import MAX_ID_LENGTH
from connectors.kinds import KINDS, Kind
from sandbox import SandboxClient
from tests.connectors.contract.rooms import (
    PAGE_SIZE,
    each_room,
    each_stream,
    full_pass,
    read,
    refined,
    room,
)


@each_room
def test_streams_have_kinds_and_names_of_their_own(name: str, outside: SandboxClient) -> None:
    with room(name, outside.url) as connector:
        offered = connector.streams()
        assert {stream.kind for stream in offered} <= KINDS.keys()
        assert len({stream.name for stream in offered}) == len(offered) > 0
        assert all(stream.ways and set(stream.ways) <= {"poll", "report", "export"} for stream in offered)
        with pytest.raises(KeyError):
            connector.stream("no such stream")


@each_stream
def test_a_stream_has_records_with_ids_of_their_own(
    name: str, stream_name: str, outside: SandboxClient
) -> None:
    found = full_pass(name, stream_name, outside)
    ids = [record.external_id for record in found.records]
    assert [record.problem for record in found.records if record.problem] == []
    assert ids
    assert all(0 < len(one) <= MAX_ID_LENGTH for one in ids)
    assert len(set(ids)) == len(ids), "the same record came twice in one pass"
    assert all(record.updated_at is None or record.updated_at.tzinfo for record in found.records)


@each_stream
def test_every_record_refines(name: str, stream_name: str, outside: SandboxClient) -> None:
    found = full_pass(name, stream_name, outside)
    with room(name, outside.url) as connector:
        kind = connector.stream(stream_name).kind
    kinds = refined(name, stream_name, found)
    assert {type(one).kind for one in kinds} == {kind}
    assert len(kinds) == len(found.records)
    for one in kinds:
        _check(one)
        for field, child_kind in type(one).children.items():
            children = getattr(one, field) or ()
            assert {type(child).kind for child in children} <= {child_kind}
            for child in children:
                _check(child)


def _check(one: Kind) -> None:
    assert one.external_id
    for field, value in structs.asdict(one).items():
        assert not isinstance(value, float), f"{field}: money and quantities are exact"
        is_local = getattr(value, "tzinfo", "zone") is None
        assert not is_local, f"{field}: a time without a zone"
        if field == "currency" and value is not None:
            assert len(value) == 3
            assert value.isupper()


@each_room
def test_a_row_is_told_of_once_by_a_stream_and_alike_by_all(name: str, outside: SandboxClient) -> None:
    # Else it never comes to rest: the streams, or two parents that both claim a child, write it by turns.
    told: dict[tuple[str, str], tuple[str, Kind]] = {}
    with room(name, outside.url) as connector:
        for stream in connector.streams():
            seen: set[tuple[str, str]] = set()
            found = read(connector, stream, page_size=PAGE_SIZE)
            for row in _rows(refined(name, stream.name, found)):
                key = (type(row).kind, row.external_id)
                assert key not in seen, f"{stream.name}: twice in one pass"
                seen.add(key)
                other, as_told = told.setdefault(key, (stream.name, row))
                assert _content(row) == _content(as_told), f"{other} and {stream.name} differ on {key}"


def _rows(kinds: list[Kind]) -> Iterator[Kind]:
    for one in kinds:
        yield one
        for field in type(one).children:
            yield from getattr(one, field) or ()


def _content(row: Kind) -> Kind:
    """Return what is written to its table; its children are compared on their own."""
    return structs.replace(row, updated_at=None, **dict.fromkeys(type(row).children))


@each_stream
def test_refining_keeps_the_id_and_the_time(name: str, stream_name: str, outside: SandboxClient) -> None:
    found = full_pass(name, stream_name, outside)
    for record, kind in zip(found.records, refined(name, stream_name, found), strict=True):
        assert kind.external_id == record.external_id
        assert kind.updated_at in {record.updated_at, None}


@each_stream
def test_two_full_passes_give_identical_rows(name: str, stream_name: str, outside: SandboxClient) -> None:
    first = full_pass(name, stream_name, outside)
    second = full_pass(name, stream_name, outside, page_size=PAGE_SIZE + 7)
    assert first.rows == second.rows
    assert refined(name, stream_name, first) == refined(name, stream_name, first)


@each_stream
def test_an_interrupted_pass_resumes_equal(name: str, stream_name: str, outside: SandboxClient) -> None:
    whole = full_pass(name, stream_name, outside)
    for place in sorted({1, len(whole.cursors) // 2, len(whole.cursors) - 1} - {0}):
        before = [record for page in whole.pages[:place] for record in page.records]
        if place >= len(whole.cursors):
            continue
        # A new process knows the cursor and nothing else.
        after = full_pass(name, stream_name, outside, cursor=whole.cursors[place])
        assert {one.external_id: one.body for one in [*before, *after.records]} == whole.rows


@each_stream
def test_no_cursor_comes_twice(name: str, stream_name: str, outside: SandboxClient) -> None:
    cursors = full_pass(name, stream_name, outside).cursors
    assert len(set(cursors)) == len(cursors)
    assert all(one != other for one, other in pairwise(cursors))


@each_stream
def test_a_window_leaves_nothing_out(name: str, stream_name: str, outside: SandboxClient) -> None:
    with room(name, outside.url) as connector:
        if not connector.stream(stream_name).is_incremental:
            pytest.skip("it lists everything each time")
    whole = full_pass(name, stream_name, outside)
    times = sorted(record.updated_at for record in whole.records if record.updated_at)
    assert len(times) == len(whole.records), "without a time of change there is no window"
    start = times[len(times) // 2]
    wanted = {one.external_id for one in whole.records if one.updated_at and one.updated_at >= start}
    inside = full_pass(name, stream_name, outside, window_start=start)
    assert wanted <= set(inside.rows) <= set(whole.rows)
    later = full_pass(name, stream_name, outside, window_start=times[len(times) * 3 // 4])
    assert set(later.rows) <= set(inside.rows), "a window that begins later holds what an earlier one lacks"
    last = times[-1] + timedelta(days=400)
    assert len(full_pass(name, stream_name, outside, window_start=last).records) < len(whole.records)


@each_stream
def test_a_page_may_be_asked_to_hold_more_than_the_provider_gives(
    name: str, stream_name: str, outside: SandboxClient
) -> None:
    if "streams" in all_connectors()[name].config_model.model_fields:
        pytest.skip("people who describe an API say how long its pages may be")
    assert full_pass(name, stream_name, outside, page_size=100_000).rows
