"""Children that need a call per parent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from connectors.base import FetchRequest, Page, SourceRecord
from connectors.errors import CursorExpired, RateLimited
from connectors.nested import NestedListing


def one(external_id: str) -> SourceRecord:
    return SourceRecord(body=b"{}", external_id=external_id)


@dataclass
class Provider:
    """Parents in pages of three, each with as many children as stands there, in pages of two."""

    children: dict[str, int]
    calls: list[str] = field(default_factory=list)
    refuses_after: int = 10**6

    def list_parents(self, request: FetchRequest) -> Page:
        self.calls.append(f"parents {request.cursor}")
        first = int(request.cursor or 0)
        ids = list(self.children)
        following = str(first + 3) if first + 3 < len(ids) else None
        return Page(records=[one(name) for name in ids[first : first + 3]], next_cursor=following)

    def list_children(self, parent: SourceRecord, cursor: str | None, request: FetchRequest) -> Page:
        if len(self.calls) >= self.refuses_after:
            raise RateLimited("slow down", retry_after=1)
        name = parent.external_id
        self.calls.append(name)
        first, count = int(cursor or 0), self.children[name]
        last = min(first + 2, count)
        return Page(
            records=[one(f"{name}{number}") for number in range(first, last)],
            next_cursor=str(last) if last < count else None,
        )

    def listing(self, at_once: int = 50) -> NestedListing:
        return NestedListing(parents=self.list_parents, children=self.list_children, parents_at_once=at_once)


SHOPS = {"a": 1, "b": 0, "c": 5, "d": 0, "e": 0, "f": 2, "g": 1}
ALL = ["a0", "c0", "c1", "c2", "c3", "c4", "f0", "f1", "g0"]


def read_all(provider: Provider, *, new_worker_each_page: bool, at_once: int) -> list[str]:
    listing, cursor, found = provider.listing(at_once), None, []
    for _ in range(50):
        page = listing.fetch(FetchRequest(cursor=cursor))
        found += [record.external_id for record in page.records]
        cursor = page.next_cursor
        if cursor is None:
            return found
        if new_worker_each_page:
            listing = provider.listing(at_once)
    raise AssertionError("no end")


@pytest.mark.parametrize("at_once", [1, 2, 50])
@pytest.mark.parametrize("new_worker_each_page", [False, True])
def test_every_child_comes_once_wherever_reading_is_interrupted(
    at_once: int, new_worker_each_page: bool
) -> None:
    provider = Provider(dict(SHOPS))

    assert read_all(provider, new_worker_each_page=new_worker_each_page, at_once=at_once) == ALL


def test_a_page_of_parents_is_asked_for_once() -> None:
    provider = Provider(dict(SHOPS))
    read_all(provider, new_worker_each_page=False, at_once=1)

    assert [call for call in provider.calls if call.startswith("parents")] == [
        "parents None",
        "parents 3",
        "parents 6",
    ]


def test_what_came_before_a_refusal_is_kept() -> None:
    provider = Provider({"a": 1, "b": 1, "c": 1}, refuses_after=3)
    page = provider.listing().fetch(FetchRequest())
    assert [record.external_id for record in page.records] == ["a0", "b0"]

    with pytest.raises(RateLimited):
        provider.listing().fetch(FetchRequest(cursor=page.next_cursor))


def test_a_parent_that_moved_on_its_page_is_found_again() -> None:
    provider = Provider({"a": 1, "b": 1, "c": 1})
    cursor = provider.listing(at_once=2).fetch(FetchRequest()).next_cursor
    provider.children = {"b": 1, "c": 1, "d": 1}  # a was deleted, so that all moved up

    page = provider.listing().fetch(FetchRequest(cursor=cursor))

    assert [record.external_id for record in page.records] == ["c0", "d0"]


def test_where_the_parent_is_gone_the_window_is_begun_again() -> None:
    provider = Provider({"a": 1, "b": 1, "c": 1})
    cursor = provider.listing(at_once=1).fetch(FetchRequest()).next_cursor
    provider.children = {"a": 1, "c": 1}

    with pytest.raises(CursorExpired, match="b is not on its page any more"):
        provider.listing().fetch(FetchRequest(cursor=cursor))


@pytest.mark.parametrize("cursor", ["page2", '{"number":"x"}', "[]"])
def test_a_cursor_from_before_the_settings_were_changed_is_over(cursor: str) -> None:
    with pytest.raises(CursorExpired, match="settings"):
        Provider({"a": 1}).listing().fetch(FetchRequest(cursor=cursor))


def test_a_run_that_begins_does_not_go_by_the_parents_of_the_last_one() -> None:
    provider = Provider({"a": 1, "b": 1})
    listing = provider.listing()
    assert [record.external_id for record in listing.fetch(FetchRequest()).records] == ["a0", "b0"]

    provider.children = {"b": 1, "c": 1}
    assert [record.external_id for record in listing.fetch(FetchRequest()).records] == ["b0", "c0"]


def test_a_run_over_another_window_does_not_go_by_the_parents_of_the_last_one() -> None:
    provider = Provider({"a": 1, "b": 1})
    listing = provider.listing(at_once=1)
    cursor = listing.fetch(FetchRequest()).next_cursor

    provider.children = {"a": 1, "b": 1, "c": 1}
    page = listing.fetch(FetchRequest(cursor=cursor, window_start=datetime(2026, 7, 1, tzinfo=UTC)))
    assert [record.external_id for record in page.records] == ["b0"]
    assert page.next_cursor is not None, "c is on the page of parents now"
