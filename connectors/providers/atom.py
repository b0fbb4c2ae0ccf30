"""
Atom and RSS feeds: paged by rel=next or prev-archive, asked only for what changed, with tombstones.

- An entry's id is what the feed says, character by character. RSS items without guid go by their link, those
  without a link by their hash.
- The order of entries means nothing (RFC 4287), so every page is read; `newestFirst` says that a feed is
  sorted, and reading then stops at the first page that lies before the window.
- A first page that has not changed (304) stands for the whole feed: RFC 4287 has a feed's `updated` move with
  every significant change. A full refresh asks without conditions.
- RSS has no time of change: a changed item is noticed by its content.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from email.message import Message
from typing import Any

from pydantic import ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel

from connectors import exact_json
from connectors.auth.schemes import Authorizer, BasicAuth, BearerToken, NoAuth
from connectors.base import (
    MAX_ID_LENGTH,
    Access,
    AuthMode,
    Config,
    Connector,
    FetchRequest,
    Json,
    NoCredentials,
    Page,
    SourceRecord,
    Stream,
    Tombstone,
)
from connectors.configured import streams_by_name
from connectors.errors import ConfigError, RecordError, SchemaError
from connectors.feeds import Feed, parse_feed
from connectors.http import Answer, HttpSession
from connectors.kinds import mappable_fields, to_datetime
from connectors.mapping import FieldMapping
from connectors.redaction import shown_url
from connectors.safe_xml import MAX_XML_BYTES
from connectors.urls import origin

OK, NOT_MODIFIED = 200, 304
ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
USUAL_MAPPING = {
    "external_id": "id",
    "title": "title",
    "artist": "authors[0].name",
    "genre": "categories[0].label || categories[0].term",
    "url": "links[?rel=='alternate'].href | [0]",
    "occurred_at": "published || updated",
    "updated_at": "updated",
}


class FeedConfig(Config):
    """One feed. The names people write are in camel case, as in `sourceIdentifier`."""

    model_config = ConfigDict(alias_generator=to_camel)

    source_identifier: str = Field(min_length=1)
    """The feed's URL."""
    target_table: str = "content_index"
    """A kind, or `content_index`."""
    content_type: str | None = None
    """What the content is (article, book); for content items."""
    field_mapping: dict[str, str] = Field(default_factory=dict)
    """Our field to a JMESPath into the entry, beside or instead of the usual ones."""
    newest_first: bool = False
    """The feed is sorted: reading stops at the first page wholly before the window."""


class AtomConfig(Config):
    """One feed, or several under `streams`."""

    streams: dict[str, FeedConfig]
    """Settings of each feed by the name of its stream; one feed may stand at the top level."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        return streams_by_name(values, default_name="entries")


class Public(NoCredentials):
    """For feeds that anyone may read."""

    title = "Public feed"

    def authorizer(self) -> Authorizer:
        return NoAuth()


class BearerCredentials(AuthMode):
    mode = "token"
    title = "Bearer token"

    token: SecretStr
    """Sent as bearer token."""

    def authorizer(self) -> Authorizer:
        return BearerToken(self.token.get_secret_value())


class BasicCredentials(AuthMode):
    mode = "basic"
    title = "User name and password"

    username: str
    """Sent by HTTP Basic."""
    password: SecretStr
    """Sent by HTTP Basic."""

    def authorizer(self) -> Authorizer:
        return BasicAuth(username=self.username, password=self.password.get_secret_value())


class Atom(Connector):
    name = "atom"
    title = "Atom or RSS feed"
    config_model = AtomConfig
    example = {"sourceIdentifier": "https://example.com/feed.atom", "contentType": "article"}
    auth_modes = (Public, BearerCredentials, BasicCredentials)

    def __init__(
        self,
        *,
        config: AtomConfig,
        credentials: Public | BearerCredentials | BasicCredentials,
        access: Access,
    ) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._feeds = config.streams
        self._streams = tuple(_stream(name, feed) for name, feed in config.streams.items())
        self._auth = credentials.authorizer()
        self._session = HttpSession(
            connector=self.name, access=access, headers={"Accept": ACCEPT}, auth=self._auth
        )

    def streams(self) -> tuple[Stream, ...]:
        return self._streams

    def authorizers(self) -> Collection[Authorizer]:
        return (self._auth,)

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        settings = self._feeds[stream.name]
        url = request.cursor or settings.source_identifier
        conditions = _conditions(request, url)
        answer = self._session.request(
            "GET",
            url,
            headers=conditions,
            accept=frozenset({OK, NOT_MODIFIED} if conditions else {OK}),
            max_bytes=MAX_XML_BYTES,
        )
        if answer.status == NOT_MODIFIED:
            return Page(stream_state=request.stream_state)
        feed = _parsed(answer)
        is_done = settings.newest_first and _lies_before(feed, request.window_start)
        return Page(
            records=[_record(entry, number) for number, entry in enumerate(feed.entries, start=1)],
            tombstones=_tombstones(feed),
            next_cursor=None if is_done else _next_cursor(feed, url, settings.source_identifier),
            stream_state=_state(answer, url) if request.cursor is None else None,
        )

    def close(self) -> None:
        self._session.close()


def _stream(name: str, settings: FeedConfig) -> Stream:
    if "external_id" in settings.field_mapping:
        raise ConfigError("fieldMapping: external_id is always the id the feed gives; leave it out.")
    kind = FieldMapping(kind=settings.target_table, mapping=settings.field_mapping).kind
    fields = mappable_fields(kind)
    usual = {field: path for field, path in USUAL_MAPPING.items() if field in fields}
    mapping = FieldMapping(
        kind=settings.target_table,
        mapping={**usual, **settings.field_mapping},
        defaults={"content_type": settings.content_type} if "content_type" in fields else {},
    )
    return Stream(
        name=name,
        kind=kind.kind,
        refine=mapping.refine,
        is_incremental=settings.newest_first,
        # "?page=2" holds other entries once new ones have come in front of it.
        is_safely_resumable=False,
    )


def _conditions(request: FetchRequest, url: str) -> dict[str, str]:
    state = request.stream_state
    if request.cursor is not None or state.get("url") != url:
        return {}
    known = {"If-None-Match": state.get("etag"), "If-Modified-Since": state.get("last_modified")}
    return {name: str(value) for name, value in known.items() if value}


def _state(answer: Answer, url: str) -> Json:
    validators = {"etag": answer.headers.get("ETag"), "last_modified": answer.headers.get("Last-Modified")}
    return {"url": url, **{name: value for name, value in validators.items() if value}}


def _parsed(answer: Answer) -> Feed:
    message = Message()
    message["Content-Type"] = answer.headers.get("Content-Type", "")
    try:
        return parse_feed(answer.body, url=answer.url, charset=message.get_content_charset())
    except SchemaError as error:
        error.args = (f"atom: {shown_url(answer.url)}: {error}",)
        raise


def _next_cursor(feed: Feed, url: str, first_url: str) -> str | None:
    next_url = feed.next_url
    if next_url is None:
        return None
    here, there = shown_url(url), shown_url(next_url)
    if _origin(next_url) != _origin(first_url):
        raise ConfigError(
            f"atom: {here} goes on at {there}, which is another server. Pages are read from one server only,"
            " as the credentials go with every call; if that one is right, set sourceIdentifier to it."
        )
    return next_url


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        return origin(url)
    except ValueError:
        return None


def _record(entry: Json, number: int) -> SourceRecord:
    external_id = str(entry.get("id", ""))
    problem = ""
    if not external_id:
        problem = f"entry {number} has no id"
    elif len(external_id) > MAX_ID_LENGTH:
        problem = f"entry {number}: its id is longer than {MAX_ID_LENGTH} characters"
    return SourceRecord(
        body=exact_json.dumps(entry),
        external_id="" if problem else external_id,
        updated_at=_time(entry.get("updated")),
        position=f"entry {number}",
        problem=problem,
    )


def _tombstones(feed: Feed) -> list[Tombstone]:
    # One without a usable ref names no entry that could have been kept.
    usable = [gone for gone in feed.deleted if 0 < len(gone.ref) <= MAX_ID_LENGTH]
    return [Tombstone(external_id=gone.ref, deleted_at=_time(gone.when)) for gone in usable]


def _lies_before(feed: Feed, start: datetime | None) -> bool:
    times = [_time(entry.get("updated") or entry.get("published")) for entry in feed.entries]
    return bool(times) and start is not None and all(time is not None and time < start for time in times)


def _time(text: str | None) -> datetime | None:
    with suppress(RecordError):  # refining will say so; the entry itself can be kept
        return to_datetime("time", text) if text else None
    return None
