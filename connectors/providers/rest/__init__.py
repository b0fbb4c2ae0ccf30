"""
REST: any JSON API, by its settings alone.

- Counted pages (page, offset) shift while they are read, so such streams are not safely resumable; name a
  total (`totalPath`, `totalHeader`) where there is one, and a run that missed something says so.
- `maxPages` ends a run early without an error. Only a total tells such a run from a complete one.
- A page number past the end that answers 404 ends the listing where nothing else tells its end.
"""

from __future__ import annotations

from typing import Any

from connectors.base import Access, Connector, FetchRequest, Page, Stream
from connectors.errors import AuthenticationError, CursorExpired
from connectors.http import Answer, HttpSession, RefusedRequest
from connectors.pages import split_records
from connectors.paging import CappedPaging
from connectors.providers.rest.auth import auth_of, secrets_in
from connectors.providers.rest.listing import Listing
from connectors.providers.rest.settings import RestConfig, RestCredentials

_NOT_FOUND, _GONE = 404, 410
_FORGOTTEN = frozenset({400, 404, 422})
_SIGNS_OF_A_CURSOR = (b"cursor", b"expired", b"page_token", b"pagetoken")


class Rest(Connector):
    name = "rest"
    title = "REST API"
    config_model = RestConfig
    credentials_model = RestCredentials

    def __init__(self, *, config: RestConfig, credentials: RestCredentials, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._http = HttpSession(connector=self.name, access=access, secrets=secrets_in(credentials))
        self._listings = {name: Listing(name, settings) for name, settings in config.streams.items()}
        self._auths = {
            name: auth_of(settings.auth, credentials, self._http) for name, settings in config.streams.items()
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
            next_cursor=listing.paging.next_cursor(seen),
            expected_total=seen.total,
            cut_short=listing.paging.cut_short(seen) if isinstance(listing.paging, CappedPaging) else "",
        )

    def close(self) -> None:
        self._http.close()

    def _ask(self, listing: Listing, request: FetchRequest) -> Answer:
        try:
            return self._call(listing, request)
        except AuthenticationError:
            if not self._auths[listing.stream.name].renew():
                raise
        return self._call(listing, request)

    def _call(self, listing: Listing, request: FetchRequest) -> Answer:
        settings = listing.settings
        call = listing.paging.call(request.cursor, request.page_size)
        proof = self._auths[listing.stream.name].proof()
        filters = {} if call.url else {**listing.filters(request), **call.params}
        is_post = settings.method == "POST"
        return self._http.request(
            settings.method,
            call.url or settings.source_identifier,
            params={**proof.params, **({} if is_post else _in_query(filters))},
            headers={"Accept": "application/json", **settings.headers, **proof.headers},
            json_body=filters if is_post else None,
        )


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
