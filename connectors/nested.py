"""Children that need a call per parent: parents listed page by page, their children asked for in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import msgspec

from connectors.base import FetchRequest, Page, SourceRecord
from connectors.errors import CursorExpired, NotAsked, TransientError

#: So many that long stretches of parents without children are soon over, so few that a page stays short.
PARENTS_AT_ONCE = 50


class _Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cursor: the page of parents, the parent on it, and where its list of children goes on."""

    parents: str | None = None
    number: int = 0
    #: Who stands there; where the page has changed meanwhile, it is looked for.
    parent: str = ""
    children: str | None = None


_decoder = msgspec.json.Decoder(_Place)


class NestedListing:
    """One stream of children. Belongs to one connector, as its sessions do."""

    def __init__(
        self,
        *,
        parents: Callable[[FetchRequest], Page],
        children: Callable[[SourceRecord, str | None, FetchRequest], Page],
        parents_at_once: int = PARENTS_AT_ONCE,
    ) -> None:
        """
        Take how to list parents, and one page of a parent's children at a cursor (None: the first).

        A parent that is gone by now has no children: `children` then returns an empty page.
        """
        self._list_parents = parents
        self._list_children = children
        self._at_once = parents_at_once
        self._held: tuple[FetchRequest, Page] | None = None

    def fetch(self, request: FetchRequest) -> Page:
        """
        Return the children of some parents, a page full or fewer.

        What was asked for before an error is kept: the error comes again with the next page if it lasts.

        :raises TransientError: if the first call may work later
        :raises CursorExpired: if the parent to go on at is gone, or the cursor is of another kind
        """
        place = _place_of(request.cursor) if request.cursor else _Place()
        parents = self._parents(request, place.parents)
        number, inside = _found(parents, place)
        found: list[SourceRecord] = []
        for asked, parent in enumerate(islice(parents.records, number, number + self._at_once)):
            try:
                page = self._list_children(parent, inside, request) if parent.external_id else Page()
            except (TransientError, NotAsked):
                if not asked:
                    raise
                break
            found += page.records
            inside = page.next_cursor
            if inside is not None:
                break
            number += 1
            if len(found) >= request.page_size:
                break
        return Page(records=found, next_cursor=_following(parents, place.parents, number, inside))

    def _parents(self, request: FetchRequest, cursor: str | None) -> Page:
        # One page of parents lasts for many of children, but not for another run: that asks anew.
        wanted = replace(request, cursor=cursor)
        if request.cursor is None or self._held is None or self._held[0] != wanted:
            self._held = wanted, self._list_parents(wanted)
        return self._held[1]


def _place_of(cursor: str) -> _Place:
    try:
        return _decoder.decode(cursor)
    except msgspec.DecodeError:
        raise CursorExpired("the cursor names no parent: the settings were changed during the run") from None


def _found(parents: Page, place: _Place) -> tuple[int, str | None]:
    """
    Return where to go on: at the parent that stood there.

    :raises CursorExpired: if it is gone: who stood before it is not known, and no page may come again
    """
    ids = [parent.external_id for parent in parents.records]
    if not place.parent or ids[place.number : place.number + 1] == [place.parent]:
        return place.number, place.children
    if place.parent not in ids:
        raise CursorExpired(
            f"Parents moved while their children were read: {place.parent} is not on its page any more."
        )
    return ids.index(place.parent), place.children


def _following(parents: Page, cursor: str | None, number: int, inside: str | None) -> str | None:
    if number < len(parents.records):
        parent = parents.records[number].external_id
        place = _Place(parents=cursor, number=number, parent=parent, children=inside)
    elif parents.next_cursor is not None:
        place = _Place(parents=parents.next_cursor)
    else:
        return None
    return msgspec.json.encode(place).decode()
