"""From an answer to the next cursor and back."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import ConfigError, CursorExpired, SchemaError
from connectors.paging import (
    CappedPaging,
    CountedPaging,
    CursorPaging,
    LinkPaging,
    NextUrlPaging,
    PageCall,
    PageSeen,
    Paging,
    Unpaged,
    next_link,
    same_host_url,
)

BASE = "https://api.example/v1/items"
PAGES = CountedPaging(position_param="page", limit_param="limit", start=1, is_offset=False)
OFFSETS = CountedPaging(position_param="offset", limit_param="limit", start=0, is_offset=True)
CURSORS = CursorPaging(cursor_param="after", cursor_path="meta.next", limit_param="limit")
NEXT = NextUrlPaging(next_path="links.next", base_url=BASE, limit_param="limit", secret_params=("key",))
LINKS = LinkPaging(base_url=BASE, limit_param="per_page")


def seen(cursor: str | None = None, count: int = 100, **more: Any) -> PageSeen:
    return PageSeen(**{"cursor": cursor, "count": count, "page_size": 100, "url": BASE, **more})


def walk_through(paging: Paging, counts: list[int], **more: Any) -> list[PageCall]:
    """Return the calls made where the source answers with so many records each time."""
    cursor, calls = None, []
    for count in counts:
        calls.append(paging.call(cursor, 100))
        cursor = paging.next_cursor(seen(cursor, count, **more))
        if cursor is None:
            break
    return calls


def test_one_answer_without_paging_is_all() -> None:
    assert Unpaged().call(None, 100) == PageCall()
    assert Unpaged().next_cursor(seen()) is None


def test_pages_are_numbered_from_the_start_page() -> None:
    calls = walk_through(PAGES, [100, 100, 7, 0])
    assert [call.params for call in calls] == [{"page": number, "limit": 100} for number in (1, 2, 3)]


@pytest.mark.parametrize("paging", [PAGES, OFFSETS], ids=["page", "offset"])
def test_counted_pages_keep_the_size_they_began_with(paging: CountedPaging) -> None:
    """Page 2 of pages of 50 is not where page 1 of pages of 100 has ended."""
    cursor = paging.next_cursor(seen(None, 100, total=300, page_size=100))
    assert paging.call(cursor, 50).params["limit"] == 100
    cursor = paging.next_cursor(seen(cursor, 100, total=300, page_size=50))
    assert paging.call(cursor, 50).params["limit"] == 100


def test_offsets_go_on_by_what_was_read_even_where_the_limit_was_capped() -> None:
    calls = walk_through(OFFSETS, [40, 40, 3, 0])
    assert [call.params["offset"] for call in calls] == [0, 40, 80]


each_counted_way = pytest.mark.parametrize("paging", [PAGES, OFFSETS], ids=["page", "offset"])


@each_counted_way
def test_empty_page_is_the_end(paging: CountedPaging) -> None:
    assert len(walk_through(paging, [100, 100, 0, 100])) == 3


@each_counted_way
def test_page_shorter_than_an_earlier_one_is_the_end(paging: CountedPaging) -> None:
    assert len(walk_through(paging, [100, 99, 100])) == 2


@each_counted_way
def test_short_first_page_is_no_end_as_the_limit_may_be_capped(paging: CountedPaging) -> None:
    assert len(walk_through(paging, [20, 20, 20, 0])) == 4


@each_counted_way
def test_total_reached_is_the_end(paging: CountedPaging) -> None:
    assert len(walk_through(paging, [100, 100, 100], total=200)) == 2


@each_counted_way
def test_short_page_below_the_total_is_no_end(paging: CountedPaging) -> None:
    assert len(walk_through(paging, [100, 50, 50, 100], total=200)) == 3


@each_counted_way
def test_source_has_the_last_word_on_more(paging: CountedPaging) -> None:
    assert len(walk_through(paging, [100, 100], has_more=False)) == 1
    assert len(walk_through(paging, [100, 5, 100, 0], has_more=True)) == 4


@each_counted_way
def test_total_too_high_does_not_go_on_for_ever(paging: CountedPaging) -> None:
    assert len(walk_through(paging, [100, 0, 100], total=1_000_000)) == 2


@each_counted_way
def test_counted_paging_is_not_safely_resumable(paging: CountedPaging) -> None:
    assert not paging.is_safely_resumable


@each_counted_way
@pytest.mark.parametrize("cursor", ["abc", "3", "[1]", '["x", 0, 0]', "https://api.example/?page=2"])
def test_a_cursor_of_another_kind_starts_again(paging: CountedPaging, cursor: str) -> None:
    with pytest.raises(CursorExpired):
        paging.call(cursor, 100)


def test_limit_is_sent_only_where_it_has_a_name() -> None:
    unnamed = CountedPaging(position_param="p", limit_param=None, start=0, is_offset=False)
    assert unnamed.call(None, 100).params == {"p": 0}


def test_cursor_in_the_body_is_sent_back_as_it_came() -> None:
    cursor = CURSORS.next_cursor(seen(envelope={"meta": {"next": "a b/+=="}}))
    assert cursor == "a b/+=="
    assert CURSORS.call(cursor, 50).params == {"after": "a b/+==", "limit": 50}
    assert CURSORS.call(None, 50).params == {"limit": 50}


def test_cursor_may_be_a_number() -> None:
    assert (
        CURSORS.next_cursor(seen(envelope={"meta": {"next": 12345678901234567890}})) == "12345678901234567890"
    )


@pytest.mark.parametrize(
    "envelope", [{}, {"meta": None}, {"meta": {}}, {"meta": {"next": None}}, {"meta": {"next": ""}}]
)
def test_no_cursor_is_the_end(envelope: dict[str, Any]) -> None:
    assert CURSORS.next_cursor(seen(envelope=envelope)) is None


def test_cursor_that_is_an_object_is_a_schema_error() -> None:
    with pytest.raises(SchemaError, match=r"'meta\.next'"):
        CURSORS.next_cursor(seen(envelope={"meta": {"next": {"id": 1}}}))


def test_has_more_false_ends_although_there_is_a_cursor() -> None:
    assert CURSORS.next_cursor(seen(envelope={"meta": {"next": "x"}}, has_more=False)) is None


def test_has_more_without_a_cursor_is_a_schema_error() -> None:
    with pytest.raises(SchemaError, match="not where the next page starts"):
        CURSORS.next_cursor(seen(envelope={}, has_more=True))


@pytest.mark.parametrize(
    ("paging", "answer", "cursor"),
    [
        (CURSORS, {"envelope": {"meta": {"next": "x"}}}, "x"),
        (NEXT, {"envelope": {"links": {"next": f"{BASE}?p=2"}}}, f"{BASE}?p=2"),
        (LINKS, {"headers": {"Link": f'<{BASE}?p=2>; rel="next"'}}, f"{BASE}?p=2"),
    ],
    ids=["cursor", "next", "link"],
)
def test_a_page_that_says_it_is_its_own_next_is_kept(
    paging: Paging, answer: dict[str, Any], cursor: str
) -> None:
    """Landing refuses the repetition; an error here would cost the records of this page."""
    assert paging.next_cursor(seen(cursor, **answer)) == cursor


@pytest.mark.parametrize(
    ("found", "url"),
    [
        ("https://api.example/v1/items?p=2", "https://api.example/v1/items?p=2"),
        ("https://api.example:443/v1/items?p=2", "https://api.example:443/v1/items?p=2"),
        ("/v1/items?p=2", "https://api.example/v1/items?p=2"),
        ("?p=2", "https://api.example/v1/items?p=2"),
        ("/v1/items?key=hidden&p=2&key=too", "https://api.example/v1/items?p=2"),
    ],
)
def test_next_url_may_be_relative_and_loses_its_keys(found: str, url: str) -> None:
    assert NEXT.next_cursor(seen(envelope={"links": {"next": found}})) == url
    assert NEXT.call(url, 100) == PageCall(url=url)


@pytest.mark.parametrize(
    "found",
    [
        "https://evil.example/v1/items",
        "//evil.example/v1/items",
        "http://api.example/v1/items",
        "https://api.example:8443/v1/items",
        "https://api.example.evil.example/",
        "https://api.example@evil.example/",
        "file:///etc/passwd",
    ],
)
def test_next_page_on_another_host_is_refused(found: str) -> None:
    with pytest.raises(ConfigError, match="the next page is on"):
        NEXT.next_cursor(seen(envelope={"links": {"next": found}}))
    with pytest.raises(ConfigError, match="the next page is on"):
        LINKS.next_cursor(seen(headers={"Link": f'<{found}>; rel="next"'}))


def test_next_page_that_is_no_url_is_a_schema_error() -> None:
    with pytest.raises(SchemaError, match="no URL"):
        same_host_url(BASE, "http://[/", BASE)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://x/?a=1,2>; rel="prev", <https://x/?b=3,4>; rel="next"', "https://x/?b=3,4"),
        ("<https://x/2>; rel=next", "https://x/2"),
        ('<https://x/2>; title="more"; rel="last NEXT"', "https://x/2"),
        ('<https://x/2>; rel="nextish"', None),
        ('<https://x/1>; rel="first"', None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_link_header_is_read(header: str, target: str | None) -> None:
    assert next_link({"Link": header}) == target


def test_link_paging_sends_its_own_parameters_only_at_first() -> None:
    assert LINKS.call(None, 250) == PageCall(params={"per_page": 250})
    cursor = LINKS.next_cursor(seen(headers={"Link": f'<{BASE}?page_info=abc&limit=250>; rel="next"'}))
    assert LINKS.call(cursor, 250) == PageCall(url=f"{BASE}?page_info=abc&limit=250")


def test_a_stored_url_of_another_host_is_not_called() -> None:
    with pytest.raises(CursorExpired, match="address of the source was changed"):
        LINKS.call("https://old.example/v1/items?p=2", 100)


@pytest.mark.parametrize("paging", [CURSORS, NEXT, LINKS], ids=["cursor", "next", "link"])
def test_named_places_are_safely_resumable(paging: Paging) -> None:
    assert paging.is_safely_resumable


def test_capped_paging_stops_after_so_many_pages() -> None:
    capped = CappedPaging(inner=PAGES, max_pages=2)
    assert [call.params["page"] for call in walk_through(capped, [100] * 9)] == [1, 2]
    assert not capped.is_safely_resumable


def test_capped_paging_keeps_the_inner_cursor_whole() -> None:
    capped = CappedPaging(inner=CURSORS, max_pages=9)
    cursor = capped.next_cursor(seen(envelope={"meta": {"next": "a b"}}))
    assert capped.call(cursor, 10).params["after"] == "a b"


def test_a_cursor_from_before_the_cap_starts_again() -> None:
    with pytest.raises(CursorExpired, match="maxPages was changed"):
        CappedPaging(inner=CURSORS, max_pages=2).call("abc", 10)
