"""
Reading a list: whole, newest first, and from then on by the events that tell what became of its objects.

A whole reading notes the newest event before it begins; the next run reads the events after that one, oldest
first, and notes the last of them. So nothing is missed that happens meanwhile, and what is noted counts only
once the run has ended well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from connectors.base import FetchRequest, Json, Page, SourceRecord, Tombstone
from connectors.errors import CursorExpired, SchemaError
from connectors.pages import RecordList, split_records
from connectors.providers.stripe.calls import Calls, Told
from connectors.providers.stripe.events import Change, Happened, changes_in
from connectors.providers.stripe.streams import PAGE_SIZE, Resource
from connectors.windows import window_end, window_start

_LIST, _EVENTS = "list", "events"


class Listing:
    """Stripe's lists, as one source reads them."""

    def __init__(
        self, calls: Calls, *, clock: Callable[[], datetime], event_days: int, settle_days: int
    ) -> None:
        self._calls = calls
        self._clock = clock
        # A day less than Stripe keeps them: a run takes its time.
        self._events_last = timedelta(days=event_days - 1)
        self._settles_within = timedelta(days=settle_days)

    def fetch(self, resource: Resource, request: FetchRequest) -> Page:
        """
        Return the page the request asks for.

        :raises CursorExpired: if Stripe does not know any more where the page begins
        :raises ConnectorError: as `Calls.get` does
        """
        way, _, after = (request.cursor or "").partition(" ")
        if way == _LIST:
            return self._listed(resource, request, after)
        if way == _EVENTS:
            return self._happened(resource, request, after)
        if request.cursor is not None:
            raise CursorExpired(f"{request.cursor[:80]!r} is no place in one of Stripe's lists")
        return self._begun(resource, request)

    def _begun(self, resource: Resource, request: FetchRequest) -> Page:
        if not resource.events:
            return self._listed(resource, request, "")
        known = request.stream_state
        if not _is_usable(known, since=self._clock() - self._events_last):
            known = {}
        if known.get("event"):
            try:
                return self._happened(resource, request, str(known["event"]))
            except CursorExpired:
                known = {}  # forgotten before its time: everything is listed again
        now, newest = self._newest_event()
        if known and newest is None:
            return Page(stream_state=known)  # nothing has happened, then as now
        noted = _noted(newest) if newest else {"event": "", "created": int(now.timestamp())}
        return replace(self._listed(resource, request, ""), stream_state=noted)

    def _newest_event(self) -> tuple[datetime, Happened | None]:
        """Return until when events are surely known, and the newest of those; None where there is none."""
        said = self._calls.get("/events", {"limit": PAGE_SIZE})
        found = changes_in(_split(said).records)
        settled = [one.event for one in found if one.event.at <= said.as_of]
        oldest = found[-1].event if found else None
        return said.as_of, settled[0] if settled else oldest

    def _listed(self, resource: Resource, request: FetchRequest, after: str) -> Page:
        params = {
            "limit": min(request.page_size, PAGE_SIZE),
            **resource.params,
            **({} if resource.events else self._window(request)),
            **({"starting_after": after} if after else {}),
        }
        said = self._calls.get(f"/{resource.name}", params)
        listed = _split(said, updated_path=None if resource.events else "created")
        records = listed.records
        if resource.events:
            # As they are now, and so newer than what any event tells of before.
            records = [structs.replace(record, updated_at=said.as_of) for record in records]
        return Page(records=records, next_cursor=_cursor(_LIST, following(listed, list(reversed(records)))))

    def _window(self, request: FetchRequest) -> dict[str, str]:
        bounds = {}
        if request.window_start:
            since = request.window_start - self._settles_within
            bounds["created[gte]"] = window_start(since, "epoch_s")
        if request.window_end:
            bounds["created[lte]"] = window_end(request.window_end, "epoch_s")
        return bounds

    def _happened(self, resource: Resource, request: FetchRequest, after: str) -> Page:
        """Return what became of the objects by the events that follow one, which come newest first."""
        types = {f"types[{number}]": name for number, name in enumerate(resource.events)}
        params = {"limit": min(request.page_size, PAGE_SIZE), "ending_before": after, **types}
        said = self._calls.get("/events", params)
        listed = _split(said)
        found = changes_in(listed.records)
        settled = next((one.event for one in found if one.event.at <= said.as_of), None)
        gone, there = _sorted(_last_of_each(found), resource)
        return Page(
            records=there,
            tombstones=gone,
            next_cursor=_cursor(_EVENTS, following(listed, listed.records)),
            stream_state=_noted(settled) if settled else None,
        )


def _noted(event: Happened) -> Json:
    return {"event": event.id, "created": int(event.at.timestamp())}


def _is_usable(known: Json, *, since: datetime) -> bool:
    """Tell whether Stripe still has the events after the one noted."""
    noted, created = known.get("event"), known.get("created")
    if not isinstance(noted, str) or not isinstance(created, int):
        return False
    return datetime.fromtimestamp(created, UTC) > since


def _split(said: Told, *, updated_path: str | None = None) -> RecordList:
    return split_records(
        said.answer.body,
        path="data",
        id_path="id",
        updated_path=updated_path,
        connector="stripe",
        content_type=said.answer.headers.get("Content-Type", ""),
    )


def following(listed: RecordList, records: Sequence[SourceRecord]) -> str | None:
    """
    Return where the next page starts: at the first of these whose id is known; None after the last page.

    :raises SchemaError: if that cannot be told
    """
    has_more: Any = listed.envelope.get("has_more")
    if not isinstance(has_more, bool):
        raise SchemaError("stripe: the list does not say whether it has more")
    if not has_more:
        return None
    place = next((record.external_id for record in records if record.external_id), "")
    if not place:
        raise SchemaError("stripe: the list says it has more, but no object of this page has an id")
    return place


def _cursor(way: str, place: str | None) -> str | None:
    return None if place is None else f"{way} {place}"


def _last_of_each(found: Sequence[Change]) -> list[Change]:
    """Return the newest change of each object, oldest first; what has no id stays."""
    newest = {one.record.external_id or one.event.id: one for one in reversed(found)}
    return list(newest.values())


def _sorted(found: Sequence[Change], resource: Resource) -> tuple[list[Tombstone], list[SourceRecord]]:
    gone, there = [], []
    for one in found:
        if one.event.type == resource.deleted_by and one.record.external_id:
            gone.append(Tombstone(external_id=one.record.external_id, deleted_at=one.event.at))
        else:
            there.append(one.record)
    return gone, there
