"""Reading goes on exactly where it stopped, and starts again when the file is another one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import delimited, files
from connectors.base import Connector, FetchRequest, SourceRecord
from connectors.delimited import Dialect, RowReader
from connectors.errors import CursorExpired
from tests.connectors.csv.conftest import pages_of, records_of

Maker = Callable[..., Connector]
TEXT = 'a,b\r\n"1\r\n",x\n\n2,"y"\r3\n4,"é\n""",\n"5",😀\r\n6,end'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"])
@pytest.mark.parametrize("page_size", [1, 2, 3, 4, 5, 6, 7])
def test_pages_of_any_size_give_the_same_records(table: Maker, encoding: str, page_size: int) -> None:
    configured = encoding if encoding == "gb18030" else None
    connector = table(TEXT.encode(encoding), encoding=configured)
    whole = records_of(connector, page_size=500)
    assert len(whole) == 6
    assert records_of(connector, page_size=page_size) == whole


def test_chunks_of_any_size_give_the_same_records(table: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = table(TEXT.encode("utf-16"))
    whole = records_of(connector)
    for size in range(4, 40):
        monkeypatch.setattr(files, "CHUNK_BYTES", size)
        assert records_of(connector, page_size=2) == whole


def test_last_page_is_known_to_be_the_last(table: Maker) -> None:
    assert [len(page.records) for page in pages_of(table("a\n1\n2\n3\n4\n"), page_size=2)] == [2, 2]


def test_page_ends_early_when_its_rows_are_large(table: Maker) -> None:
    row = ("x" * 1_000_000) + "\n"
    sizes = [len(page.records) for page in pages_of(table("a\n" + row * 20))]
    assert sizes == [9, 9, 2]


@given(
    cells=st.lists(
        st.lists(st.text(alphabet='ab"\n\r,é😀 ', max_size=5), min_size=2, max_size=2), min_size=1, max_size=8
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-32-be"]),
    cut=st.integers(min_value=1, max_value=9),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_written_cells_are_read_back(cells: list[list[str]], end: str, encoding: str, cut: int) -> None:
    text = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + end for row in cells)
    raw = text.encode(encoding)
    chunks = [raw[start : start + cut] for start in range(0, len(raw), cut)]
    reader = RowReader(chunks, encoding=encoding, dialect=Dialect())
    read = []
    for row in reader:
        read.append(row.cells)
        rest = RowReader([raw[reader.offset :]], encoding=encoding, dialect=Dialect(), offset=reader.offset)
        assert [later.cells for later in rest] == cells[len(read) :]
    assert read == cells
    assert reader.offset == len(raw)


@pytest.mark.parametrize("change", ["append", "rewrite", "touch"])
def test_changed_file_is_read_again_from_the_start(folder: Path, table: Maker, change: str) -> None:
    connector = table("a\n1\n2\n3\n")
    stream = connector.streams()[0]
    first = connector.fetch(stream, FetchRequest(page_size=1))
    path = folder / "table.csv"
    status = path.stat()
    if change == "append":
        with path.open("a") as file:
            file.write("4\n")
    elif change == "rewrite":
        path.write_text("a\n9\n8\n7\n")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(CursorExpired, match="changed since the page before"):
        connector.fetch(stream, FetchRequest(cursor=first.next_cursor, page_size=1))


def test_file_that_grows_while_it_is_read_is_read_again(
    folder: Path, table: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = table("a\n1\n")
    lines = delimited.physical_lines

    def grow(*args: object) -> object:
        with (folder / "table.csv").open("a") as file:
            file.write("2\n")
        return lines(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(delimited, "physical_lines", grow)
    with pytest.raises(CursorExpired, match="changed while it was read"):
        pages_of(connector)


@pytest.mark.parametrize("cursor", ["", "12", "{}", '{"offset": "x"}', "not json"])
def test_unreadable_cursor_means_starting_again(table: Maker, cursor: str) -> None:
    connector = table("a\n1\n")
    with pytest.raises(CursorExpired):
        connector.fetch(connector.streams()[0], FetchRequest(cursor=cursor))


def test_unchanged_file_is_not_read_again(table: Maker) -> None:
    connector = table("a\n1\n")
    state = pages_of(connector)[-1].stream_state
    (page,) = pages_of(connector, state=state)
    assert (list(page.records), page.next_cursor, page.stream_state) == ([], None, state)


def test_full_refresh_reads_an_unchanged_file(table: Maker) -> None:
    connector = table("a\n1\n")
    pages_of(connector)
    assert len(records_of(connector, state={})) == 1


def test_changed_settings_read_an_unchanged_file(table: Maker, source: Maker) -> None:
    state = pages_of(table("a,b\n1,2\n"))[-1].stream_state
    same = source(sourceIdentifier="table.csv", targetTable="record")
    other = source(sourceIdentifier="table.csv", targetTable="record", externalId="a")
    assert (len(records_of(same, state=state)), len(records_of(other, state=state))) == (0, 1)


def test_changed_file_is_read_with_its_old_state(table: Maker) -> None:
    state = pages_of(table("a\n1\n"))[-1].stream_state
    records: list[SourceRecord] = records_of(table("a\n2\n"), state=state)
    assert [record.body for record in records] == [b'{"a":"2"}']
