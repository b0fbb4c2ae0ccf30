"""The ways providers page: from an answer to the next cursor, from a cursor to the next request."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from requests.utils import parse_header_links

from connectors.errors import ConfigError, CursorExpired, SchemaError
from connectors.paths import steps_of, walk
from connectors.urls import origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCall:
    """What to ask for: a listing's own parameters with some more, or another URL altogether."""

    params: Mapping[str, Any] = field(default_factory=dict)
    #: Complete, its parameters included; None means the listing's own URL.
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSeen:
    """What a page's answer says about the next one."""

    #: The cursor that was asked for; None for the first page.
    cursor: str | None
    #: Records on this page, readable or not.
    count: int
    #: Of the answer.
    url: str
    #: How many were asked for: counted pages are numbered by it.
    page_size: int
    envelope: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: How many records the whole listing has, where the source says so.
    total: int | None = None
    #: Whether the source says that there are more; None where it does not say.
    has_more: bool | None = None


class Paging(Protocol):
    """One way of paging."""

    @property
    def is_safely_resumable(self) -> bool:
        """False where pages are counted: rows shift while we read."""

    def call(self, cursor: str | None, page_size: int) -> PageCall:
        """:raises CursorExpired: if the cursor is not one of ours, as after a change of the settings"""

    def next_cursor(self, seen: PageSeen) -> str | None:
        """
        Return where the next page starts; None after the last.

        Whether it was read before is found out when that page lands: raising here would lose this one.

        :raises ConfigError: if the next page is on another host
        :raises SchemaError: if the answer contradicts itself
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaged:
    """Everything in one answer."""

    is_safely_resumable: ClassVar[bool] = True

    def call(self, cursor: str | None, page_size: int) -> PageCall:
        return PageCall()

    def next_cursor(self, seen: PageSeen) -> str | None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedPaging:
    """
    By page number, or by offset (how many records to leave out).

    The end is where the source says so. Where it says nothing: an empty page, or one shorter than an
    earlier one. A first page shorter than the limit is no end, as many sources cap the limit in silence.
    """

    is_safely_resumable: ClassVar[bool] = False

    position_param: str
    limit_param: str | None
    start: int
    #: Page numbers go up by one, offsets by what was read.
    is_offset: bool

    def call(self, cursor: str | None, page_size: int) -> PageCall:
        here = self._place(cursor)
        # Pages of another size would begin elsewhere; staff may change the size while a run goes on.
        limit = {self.limit_param: here.size or page_size} if self.limit_param else {}
        return PageCall(params={self.position_param: here.position, **limit})

    def next_cursor(self, seen: PageSeen) -> str | None:
        here = self._place(seen.cursor)
        read = here.read + seen.count
        if seen.count == 0 or self._is_end(seen, here, read):
            return None
        step = seen.count if self.is_offset else 1
        longest, size = max(here.longest, seen.count), here.size or seen.page_size
        return _Place(here.position + step, read, longest, size).as_cursor()

    def _is_end(self, seen: PageSeen, here: _Place, read: int) -> bool:
        if seen.has_more is not None:
            return not seen.has_more
        if seen.total is not None:
            return read >= seen.total
        return seen.count < here.longest

    def _place(self, cursor: str | None) -> _Place:
        return _Place(self.start, 0, 0, 0) if cursor is None else _Place.from_cursor(cursor)


@dataclass(frozen=True, slots=True)
class _Place:
    position: int
    read: int
    longest: int
    size: int

    def as_cursor(self) -> str:
        return json.dumps([self.position, self.read, self.longest, self.size])

    @classmethod
    def from_cursor(cls, cursor: str) -> _Place:
        try:
            position, read, longest, size = json.loads(cursor)
            return cls(int(position), int(read), int(longest), int(size))
        except (ValueError, TypeError):
            raise CursorExpired(
                f"{cursor[:80]!r} is no counted page: the way of paging was changed"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorPaging:
    """By a text the source hands out with each page."""

    is_safely_resumable: ClassVar[bool] = True

    cursor_param: str
    cursor_path: str
    limit_param: str | None

    def call(self, cursor: str | None, page_size: int) -> PageCall:
        limit = {self.limit_param: page_size} if self.limit_param else {}
        return PageCall(params={**limit, **({} if cursor is None else {self.cursor_param: cursor})})

    def next_cursor(self, seen: PageSeen) -> str | None:
        return _after(seen, _text_at(seen.envelope, self.cursor_path))


@dataclass(frozen=True, slots=True, kw_only=True)
class NextUrlPaging:
    """By the next page's URL in the body, absolute or relative."""

    is_safely_resumable: ClassVar[bool] = True

    next_path: str
    base_url: str
    limit_param: str | None
    #: Parameters never kept in a cursor: keys that the source copies into its links.
    secret_params: Collection[str] = ()

    def call(self, cursor: str | None, page_size: int) -> PageCall:
        return _url_call(cursor, self.base_url, self.limit_param, page_size)

    def next_cursor(self, seen: PageSeen) -> str | None:
        found = _text_at(seen.envelope, self.next_path)
        return _after(seen, found and same_host_url(seen.url, found, self.base_url, self.secret_params))


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPaging:
    """By the Link header with rel=next (RFC 8288)."""

    is_safely_resumable: ClassVar[bool] = True

    base_url: str
    limit_param: str | None
    secret_params: Collection[str] = ()

    def call(self, cursor: str | None, page_size: int) -> PageCall:
        return _url_call(cursor, self.base_url, self.limit_param, page_size)

    def next_cursor(self, seen: PageSeen) -> str | None:
        found = next_link(seen.headers)
        return _after(seen, found and same_host_url(seen.url, found, self.base_url, self.secret_params))


def next_link(headers: Mapping[str, str]) -> str | None:
    """Return the target of rel=next in the Link header, as it stands there."""
    for link in parse_header_links(headers.get("Link", "")):
        if "next" in link.get("rel", "").lower().split():
            return link["url"]
    return None


def same_host_url(here: str, found: str, base_url: str, secret_params: Collection[str] = ()) -> str:
    """
    Return the absolute URL of a link found in the answer from `here`.

    :raises ConfigError: if it leads elsewhere than to the base URL's host: our credentials go with it
    :raises SchemaError: if it is no URL
    """
    try:
        target = urlsplit(urljoin(here, found))
        is_ours = origin(target.geturl()) == origin(base_url)
    except ValueError:
        raise SchemaError("the link to the next page is no URL") from None
    if not is_ours:
        elsewhere = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
        raise ConfigError(
            f"the next page is on {elsewhere}, but our credentials go to {urlsplit(base_url).netloc} only: "
            "check the address in the settings of the source"
        )
    if secret_params:
        kept = [(k, v) for k, v in parse_qsl(target.query, keep_blank_values=True) if k not in secret_params]
        target = target._replace(query=urlencode(kept))
    return urlunsplit(target)


def _url_call(cursor: str | None, base_url: str, limit_param: str | None, page_size: int) -> PageCall:
    if cursor is None:
        return PageCall(params={limit_param: page_size} if limit_param else {})
    if origin(cursor) != origin(base_url):
        raise CursorExpired("the cursor leads to another host: the address of the source was changed")
    return PageCall(url=cursor)


def _text_at(envelope: Mapping[str, Any], path: str) -> str | None:
    value = walk(envelope, steps_of(path))
    if value is None or value is False or value == "":
        return None
    if isinstance(value, str | int) and value is not True:
        return str(value)
    raise SchemaError(f"the next cursor at {path!r} is neither text nor a number")


def _after(seen: PageSeen, following: str | None) -> str | None:
    if seen.has_more is False:
        return None
    if following is None and seen.has_more:
        raise SchemaError("the answer says there are more records, but not where the next page starts")
    return following


@dataclass(frozen=True, slots=True, kw_only=True)
class CappedPaging:
    """Another way of paging, stopped after so many pages. The cursor counts them: "3 <cursor>"."""

    inner: Paging
    max_pages: int

    @property
    def is_safely_resumable(self) -> bool:
        return self.inner.is_safely_resumable

    def call(self, cursor: str | None, page_size: int) -> PageCall:
        return self.inner.call(_uncounted(cursor)[1], page_size)

    def next_cursor(self, seen: PageSeen) -> str | None:
        pages, _ = _uncounted(seen.cursor)
        following = self._following(seen)
        return None if following is None or pages + 1 >= self.max_pages else f"{pages + 1} {following}"

    def cut_short(self, seen: PageSeen) -> str:
        """Return why paging stops after this page although there is more; "" if it does not."""
        is_cut = self._following(seen) is not None and self.next_cursor(seen) is None
        return f"maxPages is {self.max_pages}; raise it to get the rest" if is_cut else ""

    def _following(self, seen: PageSeen) -> str | None:
        return self.inner.next_cursor(replace(seen, cursor=_uncounted(seen.cursor)[1]))


def _uncounted(cursor: str | None) -> tuple[int, str | None]:
    if cursor is None:
        return 0, None
    pages, _, inner = cursor.partition(" ")
    if not (pages.isdecimal() and inner):
        raise CursorExpired(f"{cursor[:80]!r} counts no pages: maxPages was changed during the run")
    return int(pages), inner
