"""The nouns of the outside world: Connector, Stream, Page, SourceRecord."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict

from connectors.kinds import Kind

Json = Mapping[str, Any]

MAX_ID_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What this installation lets a connector reach."""

    #: "host" or "host:port" that may be called although the address is private (tests, sandbox, intranet).
    private_hosts: frozenset[str] = frozenset()
    #: Folders below which local files may be read.
    file_roots: tuple[Path, ...] = ()
    #: Called while a long answer comes in, so that the caller knows we are alive; may raise to stop us.
    on_progress: Callable[[], None] | None = None


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
    #: Why we stopped although the source has more ("maxPages is 10"); such a run is never called complete.
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


class Config(BaseModel):
    """Base of every connector's settings: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class NoCredentials(Config):
    """For sources that need none."""


class Connector:
    """A provider. Subclasses say where its pages are; they never touch the database."""

    name: ClassVar[str]
    #: As people write it.
    title: ClassVar[str]
    config_model: ClassVar[type[Config]]
    credentials_model: ClassVar[type[Config]] = NoCredentials

    def __init__(self, *, config: Any, credentials: Any, access: Access) -> None:
        """Take validated `config` and `credentials` (instances of the two models above)."""
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
