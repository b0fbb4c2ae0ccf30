"""Contacts, companies, deals, tickets: all by listing, what changed by searching, then the archive."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.base import FetchRequest, Page, SourceRecord, Tombstone
from connectors.http import Answer
from connectors.pages import RecordList, split_records
from connectors.paths import walk
from connectors.providers.hubspot.api import Api
from connectors.providers.hubspot.associations import with_associations
from connectors.providers.hubspot.auth import NAME
from connectors.providers.hubspot.offering import ObjectType
from connectors.providers.hubspot.places import ARCHIVE, Place, place_of
from connectors.providers.hubspot.searching import cut, search_body
from connectors.providers.hubspot.settings import HubSpotConfig

MOST_LISTED = 100
#: Ids of those that were merged into a record: "76340251;46897301".
_MERGED = re.compile(rb'"hs_merged_object_ids"\s*:\s*"([0-9; ]+)"')


class Objects:
    """Reads objects of any type."""

    def __init__(self, api: Api, config: HubSpotConfig) -> None:
        self._api = api
        self._config = config

    def fetch(self, kind: ObjectType, request: FetchRequest) -> Page:
        """:raises ConnectorError: as Connector.fetch does"""
        place = place_of(request)
        if place.phase == "archived":
            return self._archived(kind, place, request)
        if place.phase == "changed":
            records, following = self._changed(kind, place, request)
        else:
            records, following = self._all(kind, place, request)
        if following is None and self._config.archived:
            following = ARCHIVE
        if kind.associated:
            url = self._config.associations_url
            records = with_associations(self._api, url, records, of=kind.name, to=kind.associated)
        return Page(
            records=records,
            tombstones=tuple(_merged(records)),
            next_cursor=following.cursor() if following else None,
        )

    def _all(
        self, kind: ObjectType, place: Place, request: FetchRequest
    ) -> tuple[Sequence[SourceRecord], Place | None]:
        answer = self._listed(kind, place, request, properties=_asked(kind))
        found = _split(answer)
        after = next_after(found.envelope)
        return found.records, Place(after=after) if after else None

    def _changed(
        self, kind: ObjectType, place: Place, request: FetchRequest
    ) -> tuple[Sequence[SourceRecord], Place | None]:
        asked = search_body(place, request, modified_by=kind.modified_by, properties=_asked(kind))
        found = _split(self._api.search(f"{self._config.objects_url}/{kind.name}/search", asked))
        taken = cut(found.records, place, more=next_after(found.envelope), modified_by=kind.modified_by)
        if not taken.records and taken.following and taken.following.beyond:
            # The page was of one time only: what it held is read by id, at once.
            return self._changed(kind, taken.following, request)
        return taken.records, taken.following

    def _archived(self, kind: ObjectType, place: Place, request: FetchRequest) -> Page:
        answer = self._listed(kind, place, request, properties=("hs_object_id",), archived="true")
        found = split_records(
            answer.body,
            path="results",
            id_path="id",
            updated_path="archivedAt",
            connector=NAME,
            content_type=answer.headers.get("Content-Type", ""),
        )
        gone = [
            Tombstone(external_id=one.external_id, deleted_at=one.updated_at)
            for one in found.records
            if one.external_id
        ]
        after = next_after(found.envelope)
        return Page(
            tombstones=gone, next_cursor=Place(phase="archived", after=after).cursor() if after else None
        )

    def _listed(
        self,
        kind: ObjectType,
        place: Place,
        request: FetchRequest,
        *,
        properties: Sequence[str],
        archived: str = "false",
    ) -> Answer:
        params = {
            "limit": min(request.page_size, MOST_LISTED),
            "properties": ",".join(properties),
            "archived": archived,
            **({"after": place.after} if place.after else {}),
        }
        return self._api.get(f"{self._config.objects_url}/{kind.name}", params)


def _asked(kind: ObjectType) -> tuple[str, ...]:
    # A property of one's own may be among ours.
    return tuple(dict.fromkeys(kind.all_properties))


def _split(answer: Answer) -> RecordList:
    return split_records(
        answer.body,
        path="results",
        id_path="id",
        updated_path="updatedAt",
        connector=NAME,
        content_type=answer.headers.get("Content-Type", ""),
    )


def next_after(envelope: Mapping[str, Any]) -> str | None:
    """Return what the next page starts after; None on the last one."""
    after = walk(envelope, ("paging", "next", "after"))
    return None if after is None or after == "" else str(after)


def _merged(records: Sequence[SourceRecord]) -> Iterator[Tombstone]:
    """Yield those that were merged into others: they are listed no more, nor are they in the archive."""
    for record in records:
        for found in _MERGED.findall(record.body):
            for merged in found.decode().replace(" ", "").split(";"):
                if merged and merged != record.external_id:
                    yield Tombstone(external_id=merged, deleted_at=record.updated_at)
