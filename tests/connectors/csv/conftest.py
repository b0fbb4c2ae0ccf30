"""A folder files may be read from, and a way to read a source to its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connectors import connect
from connectors.base import Access, Connector, FetchRequest, Json, Page, SourceRecord


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the one folder that may be read, with another one beside it that may not."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.csv").write_text("title\nhidden\n")
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
def source(folder: Path, httpserver: HTTPServer) -> Callable[..., Connector]:
    """Return a maker of csv sources that may read `folder` and call the test server."""

    def make(**config: Any) -> Connector:
        access = Access(
            file_roots=(folder,), private_hosts=frozenset({f"{httpserver.host}:{httpserver.port}"})
        )
        return connect("csv", config=config, credentials={}, access=access)

    return make


@pytest.fixture
def table(folder: Path, source: Callable[..., Connector]) -> Callable[..., Connector]:
    """Return a maker of a source over a file with the content given."""

    def make(content: bytes | str, **config: Any) -> Connector:
        raw = content.encode() if isinstance(content, str) else content
        (folder / "table.csv").write_bytes(raw)
        return source(**{"sourceIdentifier": "table.csv", "targetTable": "record", **config})

    return make


def pages_of(connector: Connector, *, page_size: int = 500, state: Json | None = None) -> list[Page]:
    """Return every page of the connector's first stream."""
    stream = connector.streams()[0]
    pages: list[Page] = []
    cursor = None
    while not pages or cursor is not None:
        request = FetchRequest(cursor=cursor, page_size=page_size, stream_state=state or {})
        pages.append(connector.fetch(stream, request))
        cursor = pages[-1].next_cursor
    return pages


def records_of(connector: Connector, **options: Any) -> list[SourceRecord]:
    """Return every record of the connector's first stream."""
    return [record for page in pages_of(connector, **options) for record in page.records]


def payloads_of(connector: Connector, **options: Any) -> list[Any]:
    """Return every record's payload; a broken row is an error."""
    records = records_of(connector, **options)
    assert [record.problem for record in records if record.problem] == []
    return [json.loads(record.body) for record in records]
