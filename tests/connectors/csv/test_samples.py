"""Recorded files from elsewhere, read from outside the project."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import connect
from connectors.base import Access, Connector
from connectors.errors import ConfigError, SchemaError
from connectors.kinds import ProductVariant
from tests.connectors.csv.conftest import pages_of, payloads_of, records_of

SPECTRUM = [
    "comma_in_quotes",
    "empty",
    "empty_crlf",
    "escaped_quotes",
    "json",
    "location_coordinates",
    "newlines",
    "newlines_crlf",
    "quotes_and_newlines",
    "simple",
    "simple_crlf",
    "utf8",
]

Sample = Callable[..., Connector]


@pytest.fixture
def sample(samples: Path) -> Sample:
    """Return a maker of a source over one recorded file."""

    def make(path: str, **config: Any) -> Connector:
        return connect(
            "csv",
            config={"sourceIdentifier": path, "targetTable": "record", **config},
            credentials={},
            access=Access(file_roots=(samples,)),
        )

    return make


@pytest.mark.parametrize("name", SPECTRUM)
def test_csv_spectrum_reads_as_expected(samples: Path, tmp_path: Path, name: str) -> None:
    raw = (samples / "csv" / "csv_spectrum" / f"{name}.csv").read_bytes()
    if name.endswith("_crlf"):  # the recording has lost the very line ends these files are about
        assert b"\r" not in raw
        raw = raw.replace(b"\n", b"\r\n")
    (tmp_path / "table.csv").write_bytes(raw)
    expected = json.loads((samples / "csv" / "csv_spectrum_expected" / f"{name}.json").read_bytes())
    if name == "location_coordinates":
        # The recording contradicts itself: its JSON is one object, its phone number not in the CSV.
        expected = [{**expected, "Contact Phone Number": "2095257564"}]
    config = {"sourceIdentifier": "table.csv", "targetTable": "record"}
    access = Access(file_roots=(tmp_path,))
    assert payloads_of(connect("csv", config=config, credentials={}, access=access)) == expected


@pytest.mark.parametrize("page_size", [500, 777])
def test_music_catalogue_is_complete(samples: Path, sample: Sample, page_size: int) -> None:
    connector = sample(
        "music/music_catalog.csv",
        targetTable="content_index",
        contentType="music",
        columnMapping={
            "title": "song_name",
            "artist": "artist_name",
            "genre": "music_genre",
            "external_id": "track_id",
        },
    )
    records = records_of(connector, page_size=page_size)
    assert [record.problem for record in records if record.problem] == []
    assert len({record.external_id for record in records}) == len(records) == 3503
    with (samples / "music" / "music_catalog.csv").open(encoding="utf-8", newline="") as file:
        assert [json.loads(record.body) for record in records] == list(csv.DictReader(file))
    stream = connector.streams()[0]
    items: list[Any] = [stream.refine(json.loads(record.body)) for record in records]
    assert len({(item.title, item.artist) for item in items}) == 3351
    assert sum(1 for item in items if item.title and not item.title.isascii()) > 100


def test_shop_products_have_one_row_per_variant(sample: Sample) -> None:
    connector = sample(
        "shopify/products_gatsby_demo.csv",
        targetTable="product_variant",
        columnMapping={"title": "Option1 value", "sku": "Variant sku", "price": "Variant price"},
        externalId=["Handle", "sku", "Google shopping mpn"],
    )
    records = records_of(connector)
    assert [record.problem for record in records if record.problem] == []
    assert len({record.external_id for record in records}) == len(records) == 300
    stream = connector.streams()[0]
    variants: list[Any] = [stream.refine(json.loads(record.body)) for record in records]
    assert all(isinstance(variant, ProductVariant) for variant in variants)
    assert sum(variant.price for variant in variants) == Decimal("14668.50")
    assert sum(1 for variant in variants if variant.sku is None) == 100


CSVKIT = "csv/csvkit_examples"
HEADER_OF_MANY_LINES = "\t\n\v\f\r start \t\n\v\f\r end \t\n\v\f\r"


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        (
            "mac_newlines",
            {},
            [{"a": "1", "b": "2", "c": "3"}, {"a": "Once upon\ra time", "b": "5", "c": "6"}],
        ),
        ("test_utf16_big", {}, [{"a": "1", "b": "2", "c": "3"}, {"a": "4", "b": "5", "c": "ʤ"}]),
        ("test_utf16_little", {}, [{"a": "1", "b": "2", "c": "3"}, {"a": "4", "b": "5", "c": "ʤ"}]),
        ("test_utf8_bom", {}, [{"foo": "1", "bar": "2", "baz": "3"}, {"foo": "4", "bar": "5", "baz": "ʤ"}]),
        (
            "test_latin1",
            {"encoding": "latin-1"},
            [{"a": "1", "b": "2", "c": "3"}, {"a": "4", "b": "5", "c": "©"}],
        ),
        ("test_skip_lines", {}, [{"a": "1", "b": "2", "c": "3"}]),
        ("no_header_row", {"hasHeader": False}, [{"1": "1", "2": "2", "3": "3"}]),
        ("test_header_newline", {}, [{HEADER_OF_MANY_LINES: "d", "b": "e", "c": "f"}]),
    ],
)
def test_odd_files_are_read(sample: Sample, name: str, config: dict[str, Any], expected: list[Any]) -> None:
    assert payloads_of(sample(f"{CSVKIT}/{name}.csv", **config), page_size=1) == expected


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("bad", {"line 2": "4 cells where the header has 3", "line 3": "2 cells where the header has 3"}),
        ("null_byte", {"line 2": "NUL"}),
        ("test_join_short_rows", {"line 2": "2 cells where the header has 3", "line 3": "2 cells"}),
    ],
)
def test_broken_rows_are_named(sample: Sample, name: str, problems: dict[str, str]) -> None:
    found = {
        record.position: record.problem
        for record in records_of(sample(f"{CSVKIT}/{name}.csv"))
        if record.problem
    }
    assert found.keys() == problems.keys()
    assert all(said in found[position] for position, said in problems.items())


def test_undeclared_latin_1_is_refused(sample: Sample) -> None:
    with pytest.raises(SchemaError, match="line 3, byte 16 of the file: 0xa9"):
        pages_of(sample(f"{CSVKIT}/test_latin1.csv"), page_size=1)


def test_large_real_file_is_complete(sample: Sample) -> None:
    records = records_of(
        sample(f"{CSVKIT}/realdata/ks_1033_data.csv", externalId=["nsn", "county", "ship_date"])
    )
    assert (len(records), sum(bool(record.problem) for record in records)) == (1575, 0)


def test_file_of_another_shape_is_refused_at_its_header(sample: Sample) -> None:
    with pytest.raises(ConfigError, match="line 1 has the columns"):
        pages_of(sample("csv/clevercsv_examples/airedale.csv", columnMapping={"title": "title"}))
