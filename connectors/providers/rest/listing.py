"""One stream of a REST source: how it pages, what its records become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.base import FetchRequest, Stream
from connectors.errors import ConfigError, SchemaError
from connectors.mapping import FieldMapping
from connectors.pages import RecordList
from connectors.paging import (
    CappedPaging,
    CountedPaging,
    CursorPaging,
    LinkPaging,
    NextUrlPaging,
    PageSeen,
    Paging,
    Unpaged,
)
from connectors.paths import steps_of, walk
from connectors.providers.rest.settings import ListingSettings, PaginationSettings
from connectors.windows import window_end, window_start

_QUOTED = re.compile(r'"([^"\\.]+)"')
_PLAIN = re.compile(r"\w+(\.\w+)*")
_WORDS = {"true": True, "false": False}


class Listing:
    """A stream's settings, checked and made ready."""

    def __init__(self, name: str, settings: ListingSettings) -> None:
        """:raises ConfigError: naming the setting that is not usable"""
        self.settings = settings
        mapping = {"external_id": "id", **_time_of_change(settings), **settings.field_mapping}
        fields = FieldMapping(kind=settings.target_table, mapping=mapping, defaults=_defaults(settings))
        self.id_path = _plain_path("external_id", mapping["external_id"])
        self.updated_path = _updated_path(settings, mapping)
        self.paging = paging_of(settings)
        self.stream = Stream(
            name=name,
            kind=fields.kind.kind,
            refine=fields.refine,
            page_size=settings.pagination.limit,
            is_incremental=settings.incremental is not None,
            is_safely_resumable=self.paging.is_safely_resumable,
        )

    def filters(self, request: FetchRequest) -> dict[str, Any]:
        """Return the parameters that say which records are wanted."""
        filters: dict[str, Any] = dict(self.settings.params)
        asked = self.settings.incremental
        if asked and request.window_start:
            filters[asked.param] = window_start(request.window_start, asked.format)
        if asked and asked.until_param and request.window_end:
            filters[asked.until_param] = window_end(request.window_end, asked.format)
        return filters

    def seen(
        self, request: FetchRequest, listed: RecordList, *, url: str, headers: Mapping[str, str]
    ) -> PageSeen:
        """
        Return what the answer says about the rest of the listing.

        :raises SchemaError: if what should count the records is no count
        """
        pagination = self.settings.pagination
        return PageSeen(
            cursor=request.cursor,
            count=len(listed.records),
            url=url,
            page_size=request.page_size,
            envelope=listed.envelope,
            headers=headers,
            total=self._total(listed.envelope, headers),
            has_more=_flag(listed.envelope, pagination.has_more_path),
        )

    def _total(self, envelope: Mapping[str, Any], headers: Mapping[str, str]) -> int | None:
        path, header = self.settings.pagination.total_path, self.settings.total_header
        place = path or header or ""
        found = walk(envelope, steps_of(path)) if path else headers.get(header or "")
        if found is None or found == "":
            return None
        if not isinstance(found, bool) and re.fullmatch(r"[0-9]{1,18}", str(found)):
            return int(found)
        raise SchemaError(f"rest: the total at {place!r} is no whole number")


def _defaults(settings: ListingSettings) -> dict[str, str]:
    # The source documents give a content type with every target; only content has a place for it.
    is_content = settings.target_table in {"content_item", "content_index"}
    return {"content_type": settings.content_type} if settings.content_type and is_content else {}


def _time_of_change(settings: ListingSettings) -> dict[str, str]:
    asked = settings.incremental
    if asked is None or asked.field is None:
        return {}
    return {"updated_at": ".".join(f'"{step}"' for step in steps_of(asked.field))}


def _plain_path(field: str, path: str) -> str:
    quoted = _QUOTED.fullmatch(path)
    if quoted:
        return quoted[1]
    if _PLAIN.fullmatch(path):
        return path
    raise ConfigError(
        f"fieldMapping.{field}: {path!r} must be a plain dotted path, as records are keyed by it"
    )


def _updated_path(settings: ListingSettings, mapping: Mapping[str, str]) -> str | None:
    if settings.incremental and settings.incremental.field:
        return settings.incremental.field
    return _plain_path("updated_at", mapping["updated_at"]) if "updated_at" in mapping else None


def _flag(envelope: Mapping[str, Any], path: str | None) -> bool | None:
    found = walk(envelope, steps_of(path)) if path else None
    if found is None or isinstance(found, bool):
        return found
    if str(found).lower() in _WORDS:
        return _WORDS[str(found).lower()]
    raise SchemaError(f"rest: {path!r} is neither true nor false")


def paging_of(settings: ListingSettings) -> Paging:
    """Return the way of paging the settings name."""
    pagination = settings.pagination
    paging = _paging_of_type(settings, pagination)
    return CappedPaging(inner=paging, max_pages=pagination.max_pages) if pagination.max_pages else paging


def _paging_of_type(settings: ListingSettings, pagination: PaginationSettings) -> Paging:
    base_url, limit_param = settings.source_identifier, pagination.limit_param
    secret_params = [settings.auth.param] if settings.auth.param else []
    match pagination.type if pagination.enabled else None:
        case None:
            return Unpaged()
        case "page":
            return CountedPaging(
                position_param=pagination.page_param,
                limit_param=limit_param,
                start=pagination.start_page,
                is_offset=False,
            )
        case "offset":
            return CountedPaging(
                position_param=pagination.offset_param, limit_param=limit_param, start=0, is_offset=True
            )
        case "cursor":
            return CursorPaging(
                cursor_param=pagination.cursor_param,
                cursor_path=pagination.cursor_path or "",
                limit_param=limit_param,
            )
        case "next":
            return NextUrlPaging(
                next_path=pagination.next_path,
                base_url=base_url,
                limit_param=limit_param,
                secret_params=secret_params,
            )
        case "link":
            return LinkPaging(base_url=base_url, limit_param=limit_param, secret_params=secret_params)
