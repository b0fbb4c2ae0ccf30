"""The nouns of the outside world: Connector, Stream, Page, SourceRecord."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict

from connectors.auth.grants import AuthorizationCode
from connectors.auth.schemes import Authorizer, OAuthToken
from connectors.auth.tokens import TokenStore
from connectors.budgets import Budget, BudgetPolicy
from connectors.checks import Check, checked, scopes_check
from connectors.errors import AuthenticationError, MissingScope
from connectors.kinds import Kind

Json = Mapping[str, Any]

MAX_ID_LENGTH = 255


def now_here() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.fromtimestamp(time.time(), UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What this installation lets a connector reach."""

    #: "host" or "host:port" that may be called although the address is private (tests, sandbox, intranet).
    private_hosts: frozenset[str] = frozenset()
    #: Folders below which local files may be read.
    file_roots: tuple[Path, ...] = ()
    #: Called while a long answer comes in, so that the caller knows we are alive; may raise to stop us.
    on_progress: Callable[[], None] | None = None
    #: Opens the source's shared account for one limit; None where nobody else asks the provider.
    budget: Callable[[BudgetPolicy], Budget] | None = None
    #: Where the source's token is kept for all workers; None where nobody else works for it.
    tokens: TokenStore | None = None
    clock: Callable[[], datetime] = now_here


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record as the provider sent it."""

    #: UTF-8 JSON text; byte for byte as received where the provider speaks JSON.
    body: bytes
    #: The provider's id, exact text, at most MAX_ID_LENGTH characters; "" only with a problem.
    external_id: str = ""
    #: The provider's own time of last change; decides which of two versions is newer.
    updated_at: datetime | None = None
    #: Where it stood, for people: "line 42", "record 3 of the page".
    position: str = ""
    #: Why this record cannot be read or keyed; it then becomes a dead letter with its body.
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """The provider says this object is gone."""

    external_id: str
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer from a provider, and where the next one starts."""

    records: Sequence[SourceRecord] = ()
    tombstones: Sequence[Tombstone] = ()
    #: Opaque; None means this was the last page.
    next_cursor: str | None = None
    #: How many records the source says the whole listing has, when it says so.
    expected_total: int | None = None
    #: Why we stopped although the source has more, and what to do about it ("maxPages is 10; raise it to get
    #: the rest"); such a run is never called complete.
    cut_short: str = ""
    #: Kept on the stream when the run ends well, handed to the next run (ETag, Last-Modified, ...).
    stream_state: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """Which page of which window is wanted."""

    #: None means the first page.
    cursor: str | None = None
    #: Inclusive bounds on the provider's time of last change; None means open.
    window_start: datetime | None = None
    window_end: datetime | None = None
    page_size: int = 100
    #: What the last good run left in Page.stream_state; {} on a full refresh.
    stream_state: Json = field(default_factory=dict)


class Deletes(Enum):
    """How we hear that an object is gone."""

    #: We do not.
    NONE = "none"
    #: The provider says so, in pages with tombstones.
    TOMBSTONES = "tombstones"
    #: It is no longer listed: inferred after a complete full refresh. Not for counted pages, whose rows
    #: shift while we read.
    FULL_PASS = "full pass"  # noqa: S105 - no password


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One kind of record a provider lists."""

    name: str
    #: The refined table it fills first; nested children name their own.
    kind: str
    #: :raises RecordError: if the payload cannot be understood
    refine: Callable[[Json], Kind]
    page_size: int = 100
    #: The provider can list only what changed since a time.
    is_incremental: bool = False
    #: False where pages are counted (page number, offset): rows shift while we read.
    is_safely_resumable: bool = True
    #: crontab text or "every 15m"; staff may change it per stream.
    default_schedule: str = "every 1h"
    deletes: Deletes = Deletes.NONE
    #: What the credentials must be good for.
    scopes: tuple[str, ...] = ()
    #: How it may be read, the usual way first: "poll", "report", "export".
    ways: tuple[str, ...] = ("poll",)
    #: What makes a record one, in the provider's words; several fields where ids are made of them.
    key: tuple[str, ...] = ("id",)
    #: The provider's field that windows go by; "" where there is none.
    cursor_field: str = ""


class Config(BaseModel):
    """Base of every connector's settings: unknown keys are errors, values never change."""

    # A setting is described by the text below it.
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True
    )


class AuthMode(Config):
    """One way in, by the credentials it takes. Which one is in use is said by `mode` or by what is given."""

    mode: ClassVar[str]
    #: As people read it.
    title: ClassVar[str]
    #: A person lets us in on a page of the provider: the source's page in the admin has a Connect button.
    connects: ClassVar[bool] = False

    def doubt(self) -> str:
        """Return why these look like the wrong kind of key, as far as that can be seen; else ""."""
        return ""


class NoCredentials(AuthMode):
    """For sources that need none."""

    mode = "none"
    title = "No credentials"


class Connector:
    """A provider. Subclasses say where its pages are; they never touch the database."""

    name: ClassVar[str]
    #: As people write it.
    title: ClassVar[str]
    config_model: ClassVar[type[Config]]
    #: A config such as people write.
    example: ClassVar[Json] = {}
    auth_modes: ClassVar[tuple[type[AuthMode], ...]] = (NoCredentials,)

    def __init__(self, *, config: Any, credentials: Any, access: Access) -> None:
        """Take validated `config` and `credentials`, an instance of one of the modes."""
        self.config = config
        self.credentials = credentials
        self.access = access

    def streams(self) -> tuple[Stream, ...]:
        """Return what this source offers; for configured connectors, what its config names."""
        raise NotImplementedError

    def stream(self, name: str) -> Stream:
        """:raises KeyError: if there is no such stream"""
        return {stream.name: stream for stream in self.streams()}[name]

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        """
        Return the page the request asks for.

        :raises TransientError: if the same call may work later
        :raises ConfigError: if a person has to change something first
        :raises SchemaError: if the answer is not what the provider documents
        :raises CursorExpired: if the provider forgot the cursor
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of connections and files."""

    # Who asks

    def auth_shown(self) -> str:
        """Return which way in is in use, for people."""
        return str(self.credentials.title)

    def authorizers(self) -> Collection[Authorizer]:
        """Return what goes with the calls."""
        return ()

    def authorization(self) -> AuthorizationCode | None:
        """Return how a person lets us in on a page of the provider, where the mode in use has one."""
        return None

    def probe(self, streams: Collection[str] | None = None) -> Iterator[Check]:
        """
        Test the way in: a fresh token, its scopes, and at once the data itself, of these streams or of all.

        A token endpoint that answers proves nothing: its token may be no good where the data is.
        """
        wanted = [one for one in self.streams() if streams is None or one.name in streams]
        doubt = self.credentials.doubt()
        yield Check(name="credentials", seconds=0.0, is_ok=not doubt, told=doubt or self.auth_shown())
        needed = {scope for stream in wanted for scope in stream.scopes}
        tokens = [one for one in self.authorizers() if isinstance(one, OAuthToken)]
        for token in tokens:
            yield Check(name="stored token", seconds=0.0, is_ok=True, told=token.stored_shown())
            fresh = checked("fresh token", token.fresh_shown)
            yield fresh
            if fresh.is_final:
                return
            if needed:
                yield scopes_check(token.token().scopes, needed)
        for stream in wanted:
            if "poll" not in stream.ways:
                told = f"not tried: it is read by {' or '.join(stream.ways)} only, which would start one"
                yield Check(name=f"stream: {stream.name}", seconds=0.0, is_ok=True, told=told, is_taken=False)
                continue
            data = checked(f"data: {stream.name}", partial(self._first_record, stream, bool(tokens)))
            yield data
            if data.is_final:
                return

    def _first_record(self, stream: Stream, is_fresh: bool) -> str:
        try:
            page = self.fetch(stream, FetchRequest(page_size=1))
        except MissingScope:
            raise
        except AuthenticationError as error:
            why = "Wrong kind of key" if is_fresh else "Stale token or wrong kind of key"
            raise AuthenticationError(f"{why}: {error}", body=error.body) from None
        return "answered, with records" if page.records else "answered, and has none"
