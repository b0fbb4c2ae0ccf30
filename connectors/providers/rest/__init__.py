"""
REST: any JSON API, by its settings alone.

- Counted pages (page, offset) shift while they are read, so such streams are not safely resumable; name a
  total (`totalPath`, `totalHeader`) where there is one, and a run that missed something says so.
- `maxPages` ends a run early without an error. Only a total tells such a run from a complete one.
- A page number past the end that answers 404 ends the listing where nothing else tells its end.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from connectors.auth.grants import AuthorizationCode
from connectors.auth.schemes import Authorizer
from connectors.base import Access, Connector, FetchRequest, Page, Stream
from connectors.errors import CursorExpired
from connectors.http import Answer, HttpSession, RefusedRequest
from connectors.pages import split_records
from connectors.paging import CappedPaging
from connectors.providers.rest.auth import Ways, secrets_in
from connectors.providers.rest.listing import Listing
from connectors.providers.rest.settings import AuthSettings, RestConfig, RestCredentials

_NOT_FOUND, _GONE = 404, 410
_FORGOTTEN = frozenset({400, 404, 422})
_SIGNS_OF_A_CURSOR = (b"cursor", b"expired", b"page_token", b"pagetoken")


class Rest(Connector):
    name = "rest"
    title = "REST API"
    config_model = RestConfig
    example = {
        "sourceIdentifier": "https://api.example.com/v1/songs",
        "dataPath": "data.items",
        "targetTable": "content_index",
        "contentType": "music",
        "fieldMapping": {"external_id": "id", "title": "name", "artist": "artist.name"},
        "pagination": {"type": "page", "limitParam": "limit", "totalPath": "meta.total"},
        "incremental": {"param": "updated_since", "field": "updated_at"},
    }
    auth_modes = (RestCredentials,)

    def __init__(self, *, config: RestConfig, credentials: RestCredentials, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._listings = {name: Listing(name, settings) for name, settings in config.streams.items()}
        self._ways = Ways((one.auth for one in config.streams.values()), credentials, access)
        secrets = secrets_in(credentials)
        self._sessions = {
            settings: HttpSession(connector=self.name, access=access, secrets=secrets, auth=auth)
            for settings, auth in self._ways.by_settings.items()
        }

    def streams(self) -> tuple[Stream, ...]:
        return tuple(listing.stream for listing in self._listings.values())

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        listing = self._listings[stream.name]
        try:
            answer = self._ask(listing, request)
        except RefusedRequest as error:
            return _page_after(error, listing, request)
        listed = split_records(
            answer.body,
            path=listing.settings.data_path,
            id_path=listing.id_path,
            updated_path=listing.updated_path,
            connector=self.name,
            content_type=answer.headers.get("Content-Type", ""),
        )
        seen = listing.seen(request, listed, url=answer.url, headers=answer.headers)
        return Page(
            records=listed.records,
            next_cursor=self._ways.to_keep(listing.paging.next_cursor(seen), listing.settings.auth),
            expected_total=seen.total,
            cut_short=listing.paging.cut_short(seen) if isinstance(listing.paging, CappedPaging) else "",
        )

    def close(self) -> None:
        self._ways.close()
        for session in self._sessions.values():
            session.close()

    def auth_shown(self) -> str:
        wanted = dict.fromkeys(settings.auth for settings in self.config.streams.values())
        return ", ".join(dict.fromkeys(_shown(settings) for settings in wanted))

    def authorizers(self) -> Collection[Authorizer]:
        return self._ways.by_settings.values()

    def authorization(self) -> AuthorizationCode | None:
        return self._ways.grant if isinstance(self._ways.grant, AuthorizationCode) else None

    def _ask(self, listing: Listing, request: FetchRequest) -> Answer:
        settings = listing.settings
        call = listing.paging.call(request.cursor, request.page_size)
        filters = {} if call.url else {**listing.filters(request), **call.params}
        is_post = settings.method == "POST"
        return self._sessions[settings.auth].request(
            settings.method,
            call.url or settings.source_identifier,
            params={} if is_post else _in_query(filters),
            headers={"Accept": "application/json", **settings.headers},
            json_body=filters if is_post else None,
        )


def _shown(settings: AuthSettings) -> str:
    return f"{settings.type} ({settings.grant})" if settings.type == "oauth2" else settings.type


def _in_query(params: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items()}


def _page_after(error: RefusedRequest, listing: Listing, request: FetchRequest) -> Page:
    """Return the empty page past the end, or raise what the refusal means."""
    pagination = listing.settings.pagination
    if request.cursor is None:
        raise error
    if pagination.type in {"page", "offset"}:
        is_end_told = pagination.total_path or pagination.has_more_path or listing.settings.total_header
        if error.status == _NOT_FOUND and not is_end_told:
            return Page()
        raise error
    speaks_of_cursor = any(sign in error.body.lower() for sign in _SIGNS_OF_A_CURSOR)
    if error.status == _GONE or (error.status in _FORGOTTEN and speaks_of_cursor):
        raise CursorExpired(str(error)) from None
    raise error
