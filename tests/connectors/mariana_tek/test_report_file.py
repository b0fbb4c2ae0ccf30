"""The file of a made report: found wherever its table stands, read without being held."""

from __future__ import annotations

import io
import json
import tracemalloc
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any

import pytest

from connectors import exact_json
from connectors.errors import BadResponse, SchemaError
from connectors.providers.mariana_tek.report_file import whole_file
from connectors.providers.mariana_tek.settings import TableReport

REPORT = TableReport(id="9", slug="people", key=("customer_id",))
MB = 2**20


def read(file: IO[bytes]) -> tuple[list[Any], int | None]:
    records, total = whole_file(file, report=REPORT, connector="mariana_tek")
    return [exact_json.loads(record.body)["row"] for record in records], total


def written(told: Any) -> IO[bytes]:
    return io.BytesIO(json.dumps(told).encode())


TABLE = {"headers": ["Customer ID", "Tags"], "rows": [[1, ["a"]], [2, []]], "total_records": 2}


@pytest.mark.parametrize("told", [TABLE, {"data": TABLE}, {"data": {"attributes": TABLE, "id": "7"}}])
def test_the_table_is_found_where_it_stands(told: Any) -> None:
    assert read(written(told)) == (
        [{"customer_id": 1, "tags": ["a"]}, {"customer_id": 2, "tags": []}],
        2,
    )


def test_headers_may_stand_behind_the_rows() -> None:
    assert read(written({"rows": [[1], [2]], "headers": ["Customer ID"]})) == (
        [{"customer_id": 1}, {"customer_id": 2}],
        None,
    )


def test_a_report_without_any_row_is_read() -> None:
    assert read(written({"headers": ["Customer ID"], "rows": [], "total_records": 0})) == ([], 0)


def test_a_report_that_lost_all_its_rows_is_refused() -> None:
    with pytest.raises(SchemaError, match="has 3 rows and holds 0"):
        read(written({"headers": ["Customer ID"], "rows": [], "total_records": 3}))


def test_numbers_are_exact() -> None:
    text = b'{"headers": ["Customer ID", "Price"], "rows": [[9007199254740993, 0.1234567890123456789]]}'
    found, _ = read(io.BytesIO(text))
    assert found == [{"customer_id": 9007199254740993, "price": Decimal("0.1234567890123456789")}]


def test_a_row_that_cannot_be_kept_costs_no_other() -> None:
    text = b'{"headers": ["Customer ID"], "rows": [[1], [%s], {"a": {"b": 1}}, "text", ["\\ud800"], [7]]}'
    records, _ = whole_file(io.BytesIO(text % (b"1" * 5_000)), report=REPORT, connector="mariana_tek")
    assert [record.problem[:6] for record in records] == ["", "row 2:", "row 3:", "row 4:", "row 5:", ""]


@pytest.mark.parametrize("body", [b"<html>", b"7", b"", b'{"headers": ["Customer ID"], "rows": [[1], ['])
def test_what_cannot_be_read_is_told(body: bytes) -> None:
    with pytest.raises(BadResponse, match="mariana_tek: a report cannot be read: the document"):
        read(io.BytesIO(body))


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"data": {}},
        {"headers": {}, "rows": [[1]]},
        {"headers": ["Customer ID"]},
        {"headers": ["Customer ID"], "rows": {}},
        {"headers": ["Customer ID"], "data": {"rows": [[1]]}},
    ],
)
def test_what_is_no_table_is_told(told: Any) -> None:
    with pytest.raises(SchemaError, match="without headers and rows"):
        read(written(told))


def test_memory_does_not_grow_with_the_file() -> None:
    with TemporaryFile() as file:
        file.write(b'{"headers": ["Customer ID", "Note"], "rows": [')
        row = b'[%d, "' + b"x" * 1000 + b'"]'
        file.write(b",".join(row % number for number in range(30_000)))
        file.write(b"]}")
        size = file.tell()
        file.seek(0)
        tracemalloc.start()
        records, _ = whole_file(file, report=REPORT, connector="mariana_tek")
        count = sum(1 for _ in records)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (count, size > 25 * MB) == (30_000, True)
    assert peak < 16 * MB
