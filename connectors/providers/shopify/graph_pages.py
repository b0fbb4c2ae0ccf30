"""
Pages of a GraphQL listing, each record with all of its children.

A listing is begun anew where it stands before it gets too deep, as Shopify pages through 25,000 objects only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from connectors import exact_json
from connectors.base import FetchRequest, Page, SourceRecord
from connectors.errors import ConfigError, CursorExpired, RecordError, SchemaError
from connectors.http import Answer
from connectors.pages import split_records
from connectors.paths import steps_of, walk
from connectors.providers.shopify.gids import gid_of, number_of
from connectors.providers.shopify.graph import Graph
from connectors.providers.shopify.queries import LEVELS_QUERY, Listing
from connectors.providers.shopify.refused import TooCostly
from connectors.providers.shopify.rest_records import level_id
from connectors.windows import window_end, window_start

MAX_PAGE_SIZE = 250


class _Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cursor: Shopify's own, since when the listing it belongs to lists, and how deep in it that is."""

    after: str | None = None
    since: datetime | None = None
    read: int = 0


_decoder = msgspec.json.Decoder(_Place)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL = b"null"


class GraphPages:
    """Listings of one shop. Belongs to one connector, as its session does."""

    def __init__(self, graph: Graph, *, connector: str, nested_size: int, most: int) -> None:
        self._graph = graph
        self._connector = connector
        self._nested_size = nested_size
        self._most = most
        #: The largest pages that were not too costly, by query.
        self._fitting: dict[str, int] = {}

    def fetch(self, listing: Listing, request: FetchRequest) -> Page:
        """
        Return a page of the listing.

        :raises CursorExpired: if the cursor is not one of a listing, as after a change of `api`
        :raises ConfigError: if Shopify would not page any further, and the listing cannot be begun anew
        """
        place = _place(request.cursor)
        if place.read >= self._most and not listing.is_sorted:
            raise ConfigError(
                f"{self._connector}: {place.read} {listing.path} were read, and Shopify pages through 25,000 "
                'at most. Set api to "bulk" (inventory items) or to "rest", then run a full refresh.'
            )
        answer = self._asked(listing, request, place)
        outer, _, _ = listing.path.rpartition(".")
        if outer and _is_null(answer.body, f"data.{outer}"):
            return Page()
        records, info = self._split(answer, f"data.{listing.path}")
        whole = [self._whole(record, listing) for record in records]
        return Page(records=whole, next_cursor=self._next(listing, place, info, whole))

    def levels(self, location: SourceRecord, cursor: str | None, request: FetchRequest) -> Page:
        """Return a page of what a location has in stock."""
        variables = {
            "id": gid_of("Location", location.external_id),
            "after": cursor,
            "query": condition(request) or None,
        }
        answer = self._fitting_ask(LEVELS_QUERY, request.page_size, variables)
        if _is_null(answer.body, "data.node"):
            return Page()
        records, info = self._split(answer, "data.node.inventoryLevels")
        return Page(
            records=[_level(one) for one in records],
            next_cursor=info.get("endCursor") if info.get("hasNextPage") else None,
        )

    def _asked(self, listing: Listing, request: FetchRequest, place: _Place) -> Answer:
        since = place.since or request.window_start
        variables: dict[str, Any] = {"after": place.after}
        if listing.has_window:
            variables["query"] = _between(since, request.window_end) or None
        return self._fitting_ask(listing.page_query(self._nested_size), request.page_size, variables)

    def _fitting_ask(self, query: str, size: int, variables: Mapping[str, Any]) -> Answer:
        """Ask for so many objects, or for half as often as that is too costly; what fits is kept in mind."""
        size = min(size, self._fitting.get(query, MAX_PAGE_SIZE))
        while True:
            try:
                return self._graph.ask(query, {"first": size, **variables})
            except TooCostly:
                if size == 1:
                    raise
                size = self._fitting[query] = size // 2

    def _split(self, answer: Answer, path: str) -> tuple[Sequence[SourceRecord], Mapping[str, Any]]:
        found = split_records(
            answer.body,
            path=f"{path}.nodes",
            id_path="id",
            updated_path="updatedAt",
            connector=self._connector,
        )
        info = walk(found.envelope, steps_of(f"{path}.pageInfo"))
        if not isinstance(info, Mapping):
            raise SchemaError(f"{self._connector}: no pageInfo at {path!r}")
        return [_numbered(record) for record in found.records], info

    def _next(
        self, listing: Listing, place: _Place, info: Mapping[str, Any], records: Sequence[SourceRecord]
    ) -> str | None:
        if not info.get("hasNextPage"):
            return None
        read = place.read + len(records)
        latest = records[-1].updated_at if records else None
        is_deep = listing.is_sorted and read + MAX_PAGE_SIZE > self._most
        if is_deep and latest is not None and (place.since is None or latest > place.since):
            following = _Place(since=latest)
        else:
            following = _Place(after=info.get("endCursor"), since=place.since, read=read)
        return msgspec.json.encode(following).decode()

    def _whole(self, record: SourceRecord, listing: Listing) -> SourceRecord:
        """Return the record with its children in plain lists, all of them."""
        if record.problem or not listing.nested:
            return record
        payload = exact_json.loads(record.body)
        try:
            for name in listing.nested:
                children = self._children(payload, name, listing)
                if children:
                    payload[name] = children
        except RecordError as error:
            return replace(record, problem=f"its {name} cannot be read: {error}")
        return replace(record, body=exact_json.dumps(payload))

    def _children(self, payload: dict[str, Any], name: str, listing: Listing) -> list[Any]:
        connection = payload.pop(name, None) or {}
        children = list(connection.get("nodes") or ())
        info = connection.get("pageInfo") or {}
        while info.get("hasNextPage"):
            variables = {"id": payload["id"], "after": info.get("endCursor")}
            answer = self._fitting_ask(listing.rest_query(name), MAX_PAGE_SIZE, variables)
            node = walk(exact_json.loads(answer.body), ("data", "node"))
            if node is None:  # gone meanwhile: its next version will tell
                break
            children += node[name]["nodes"]
            info = node[name]["pageInfo"]
        # Of other kinds than were asked for (videos) only {} is left.
        return [one for one in children if one]


def condition(request: FetchRequest) -> str:
    """Return the window as Shopify's search syntax has it."""
    return _between(request.window_start, request.window_end)


def _between(start: datetime | None, end: datetime | None) -> str:
    bounds = []
    if start:
        bounds.append(f"updated_at:>='{window_start(start)}'")
    if end:
        bounds.append(f"updated_at:<='{window_end(end)}'")
    return " AND ".join(bounds)


def _place(cursor: str | None) -> _Place:
    try:
        return _decoder.decode(cursor) if cursor else _Place()
    except msgspec.DecodeError:
        raise CursorExpired(
            f"{(cursor or '')[:80]!r} is no place in a GraphQL listing: `api` was changed"
        ) from None


def _is_null(body: bytes, path: str) -> bool:
    """
    Tell whether there is null on the way: the account of a shop without one, a location that is gone.

    What is elsewhere is not read: a record that cannot be is no reason to lose its page.
    """
    text: bytes | msgspec.Raw = body
    for step in steps_of(path):
        try:
            text = _members.decode(text).get(step, _NULL)
        except msgspec.DecodeError:
            return False
        if bytes(text) == _NULL:
            return True
    return False


def _numbered(record: SourceRecord) -> SourceRecord:
    number = number_of(record.external_id)
    return record if number == record.external_id else replace(record, external_id=number)


def _level(record: SourceRecord) -> SourceRecord:
    """Return a level under the name it has by REST, too."""
    if record.problem:
        return record
    payload = exact_json.loads(record.body)
    item, location = (walk(payload, (name, "id")) for name in ("item", "location"))
    if not isinstance(item, str) or not isinstance(location, str):
        return replace(record, external_id="", problem="no item.id and location.id, which are its key")
    return replace(record, external_id=level_id(number_of(item), number_of(location)))


def numbered(page: Page) -> Page:
    """Return the page with its records under their numbers."""
    return Page(
        records=[_numbered(record) for record in page.records],
        next_cursor=page.next_cursor,
        expected_total=page.expected_total,
    )
