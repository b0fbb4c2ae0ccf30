"""Every room, set up against its simulator, and ways to read its streams to their end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel

from connectors import all_connectors, connect, exact_json
from connectors.auth.tokens import MemoryTokens
from connectors.base import Access, Connector, FetchRequest, Page, SourceRecord, Stream, Tombstone
from connectors.errors import NotReady, RateLimited
from connectors.kinds import Kind
from sandbox import SandboxClient
from sandbox.simulators import Offer, all_simulators

ROOMS = tuple(all_connectors())
PAGE_SIZE = 10
#: Nobody answers there.
NOWHERE = "http://127.0.0.1:1"
MOST_PAGES = 2_000
MOST_WAITS = 200
#: A simulator's clock is the real one: what it makes us wait for is short.
LONGEST_WAIT = 0.5


@contextmanager
def room(name: str, url: str, *, credentials: Mapping[str, Any] | None = None) -> Iterator[Connector]:
    """Open the connector on the sandbox at `url`, as a source set up by the simulator's offer."""
    offer = all_simulators()[name].offer(url)
    connector = connect(
        name,
        config=offer.config,
        credentials=offer.credentials if credentials is None else credentials,
        access=Access(private_hosts=frozenset({url.removeprefix("http://")}), tokens=MemoryTokens()),
    )
    try:
        yield connector
    finally:
        connector.close()


def offer_of(name: str, sandbox: SandboxClient) -> Offer:
    return all_simulators()[name].offer(sandbox.url)


def streams() -> list[tuple[str, str]]:
    """Return each room with each of its streams; nothing is asked for."""
    found = []
    for name in sorted(set(ROOMS) & set(all_simulators())):
        with room(name, NOWHERE) as connector:
            found += [(name, stream.name) for stream in connector.streams()]
    return found


each_room = pytest.mark.parametrize("name", ROOMS)
STREAMS = streams()
each_stream = pytest.mark.parametrize(("name", "stream_name"), STREAMS, ids=[f"{a}-{b}" for a, b in STREAMS])


@dataclass(slots=True)
class Pass:
    """What one reading of a stream came to."""

    pages: list[Page] = field(default_factory=list)
    cursors: list[str | None] = field(default_factory=list)

    @property
    def records(self) -> list[SourceRecord]:
        return [record for page in self.pages for record in page.records]

    @property
    def tombstones(self) -> list[Tombstone]:
        return [gone for page in self.pages for gone in page.tombstones]

    @property
    def rows(self) -> dict[str, bytes]:
        """The newest body of each record, by id."""
        return {record.external_id: record.body for record in self.records}


def read(connector: Connector, stream: Stream, *, cursor: str | None = None, **request: Any) -> Pass:
    """Read from `cursor` to the end, waiting as told."""
    found = Pass()
    while len(found.pages) < MOST_PAGES:
        found.cursors.append(cursor)
        found.pages.append(fetch(connector, stream, FetchRequest(cursor=cursor, **request)))
        cursor = found.pages[-1].next_cursor
        if cursor is None:
            return found
    raise AssertionError(f"{connector.name}/{stream.name}: no end after {MOST_PAGES} pages")


def full_pass(name: str, stream_name: str, outside: SandboxClient, **request: Any) -> Pass:
    with room(name, outside.url) as connector:
        return read(connector, connector.stream(stream_name), **{"page_size": PAGE_SIZE, **request})


def refined(name: str, stream_name: str, found: Pass) -> list[Kind]:
    with room(name, NOWHERE) as connector:
        refine = connector.stream(stream_name).refine
        return [refine(exact_json.loads(record.body)) for record in found.records if not record.problem]


def fetch(connector: Connector, stream: Stream, request: FetchRequest) -> Page:
    for _ in range(MOST_WAITS):
        try:
            return connector.fetch(stream, request)
        except (NotReady, RateLimited) as wait:
            time.sleep(min(wait.retry_after or LONGEST_WAIT, LONGEST_WAIT))
    raise AssertionError(f"{connector.name}/{stream.name}: still told to wait after {MOST_WAITS} tries")


def secrets_in(values: Any) -> Iterator[str]:
    """Yield the texts of credentials that would give someone away."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            if name not in {"mode", "username", "client_id", "clientId"}:
                yield from secrets_in(value)
    elif isinstance(values, str) and len(values) >= 6 and "://" not in values:
        yield values


def shown_by(error: BaseException | None) -> list[str]:
    """Return all that an error, and those it came from, would show."""
    shown: list[str] = []
    while error is not None:
        shown += [str(error), repr(error), repr(error.args)]
        error = error.__cause__ or error.__context__
    return shown


def fields_of(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, str | None]]:
    """Yield each setting, nested ones too, with what is said about it."""
    for name, setting in model.model_fields.items():
        yield f"{place}{setting.alias or name}", setting.description
        for inner in _models_in(setting.annotation):
            yield from fields_of(inner, f"{place}{setting.alias or name}.")


def _models_in(hint: Any) -> Iterator[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for inner in getattr(hint, "__args__", ()):
        yield from _models_in(inner)
