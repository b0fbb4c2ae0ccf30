"""What a row becomes: which column is which field, and what its id is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.base import Connector
from connectors.errors import ConfigError, RecordError, SchemaError
from connectors.kinds import CatalogItem, ContentItem, GenericRecord, Kind, Order
from tests.connectors.csv.conftest import pages_of, payloads_of, records_of

Maker = Callable[..., Connector]
S3_ROW = "music,8GB,8,54900,1400,canciones,true,false"


def refined(connector: Connector) -> list[Kind]:
    stream = connector.streams()[0]
    return [stream.refine(json.loads(record.body)) for record in records_of(connector)]


def test_mapped_columns_become_fields(table: Maker) -> None:
    connector = table(
        "song name,artist.name,id,when\nTrip,Möwe,007,2026-01-02T03:04:05Z\n",
        targetTable="content_index",
        contentType="music",
        columnMapping={
            "title": "song name",
            "artist": "artist.name",
            "external_id": "id",
            "updated_at": "when",
        },
    )
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert refined(connector) == [
        ContentItem(external_id="007", title="Trip", artist="Möwe", content_type="music", updated_at=moment)
    ]
    assert records_of(connector)[0].updated_at == moment


def test_columns_named_like_fields_need_no_mapping(table: Maker) -> None:
    connector = table("external_id,title,extra\nx1,Hello,1\n", targetTable="content_index")
    assert refined(connector) == [ContentItem(external_id="x1", title="Hello")]
    assert payloads_of(connector) == [{"external_id": "x1", "title": "Hello", "extra": "1"}]


def test_catalogue_row_without_header_has_the_columns_of_the_interface(table: Maker) -> None:
    connector = table(f"{S3_ROW}\n", targetTable="catalog_items", contentType="music", hasHeader=False)
    (item,) = refined(connector)
    assert item == CatalogItem(
        external_id=item.external_id,
        category_id="music",
        capacity="8GB",
        capacity_gb=Decimal(8),
        price=Decimal(54900),
        content_count=1400,
        content_unit="canciones",
        is_active=True,
        is_popular=False,
    )
    assert records_of(connector)[0].position == "line 1"


def test_catalogue_rows_may_be_told_apart_by_two_columns(table: Maker) -> None:
    connector = table(
        f"{S3_ROW}\n", targetTable="catalog_items", hasHeader=False, externalId=["category_id", "capacity"]
    )
    assert records_of(connector)[0].external_id == "music:8GB" == refined(connector)[0].external_id


@pytest.mark.parametrize(
    "settings",
    [
        {"columnMapping": {"title": 2, "external_id": 1}},
        {"columnMapping": {"title": "2", "external_id": "1"}},
        {"columnMapping": {"title": "name", "external_id": "key"}, "columns": ["key", "name"]},
        {"columnMapping": {"title": 2}, "externalId": 1},
        {"columnMapping": {"title": 2}, "externalId": [1], "columns": ["key", "name"]},
        {"columns": ["external_id", "title"]},
    ],
)
def test_columns_without_header_are_numbered_or_named(table: Maker, settings: dict[str, Any]) -> None:
    connector = table("a1,One\n", targetTable="content_index", hasHeader=False, **settings)
    assert refined(connector) == [ContentItem(external_id="a1", title="One")]


def test_snake_case_settings_mean_the_same(table: Maker) -> None:
    connector = table(
        "a1;One\n", has_header=False, column_mapping={"title": 2, "external_id": 1}, delimiter=";"
    )
    assert refined(connector) == [GenericRecord(external_id="a1", title="One")]


def test_blank_cells_and_null_values_say_nothing(table: Maker) -> None:
    connector = table(
        "external_id,price,is_active,content_count\n1,,,NULL\n2,1.50,no,3\n",
        targetTable="catalog_items",
        nullValues=["NULL"],
    )
    assert refined(connector) == [
        CatalogItem(external_id="1", is_active=True),
        CatalogItem(external_id="2", price=Decimal("1.50"), is_active=False, content_count=3),
    ]
    assert payloads_of(connector)[0]["content_count"] == "NULL"


def test_money_and_large_numbers_stay_exact(table: Maker) -> None:
    connector = table(
        "external_id,total_amount,occurred_at\n12345678901234567890,0.10,2026-01-01\n", targetTable="order"
    )
    (order,) = refined(connector)
    assert isinstance(order, Order)
    assert (order.external_id, str(order.total_amount)) == ("12345678901234567890", "0.10")


def test_value_that_does_not_fit_is_named_when_refining(table: Maker) -> None:
    connector = table("external_id,price\n1,cheap\n", targetTable="catalog_items")
    assert records_of(connector)[0].problem == ""
    with pytest.raises(RecordError, match="price: 'cheap' is not a number"):
        refined(connector)


def test_unreadable_time_of_change_does_not_lose_the_record(table: Maker) -> None:
    (record,) = records_of(table("external_id,updated_at\n1,yesterday\n"))
    assert (record.updated_at, record.problem) == (None, "")


def test_id_of_several_columns_is_unambiguous(table: Maker) -> None:
    connector = table("a,b\nx:y,z\nx,y:z\nx%3Ay,z\nx,\n", externalId=["a", "b"])
    ids = [record.external_id for record in records_of(connector)]
    assert ids == ["x%3Ay:z", "x:y%3Az", "x%253Ay:z", "x:"]


def test_id_columns_may_be_called_by_our_names(table: Maker) -> None:
    connector = table("name,no\nx,1\n", columnMapping={"title": "name"}, externalId=["title", "no"])
    assert records_of(connector)[0].external_id == "x:1"


def test_without_id_columns_the_whole_row_is_the_id(table: Maker) -> None:
    connector = table("a,b\n1,2\n1,3\n1,2\n", columnMapping={"title": "a"})
    first, second, third = (record.external_id for record in records_of(connector))
    assert len(first) == 64
    assert first == third != second


def test_id_of_a_row_does_not_depend_on_the_order_of_its_keys(table: Maker) -> None:
    connector = table("b,a\n1,2\n", columnMapping={"title": "a"})
    (record,) = records_of(connector)
    shuffled = dict(sorted(json.loads(record.body).items()))
    assert connector.streams()[0].refine(shuffled).external_id == record.external_id


@pytest.mark.parametrize(
    ("cell", "said"), [("", "no value in id"), ("N/A", "no value in id"), ("x" * 256, "longer")]
)
def test_row_without_usable_id_is_a_problem(table: Maker, cell: str, said: str) -> None:
    (record,) = records_of(table(f"id,b\n{cell},2\n", externalId="id", nullValues=["N/A"]))
    assert said in record.problem
    assert record.problem.startswith("line 2: ")
    assert (record.external_id, json.loads(record.body)) == ("", {"id": cell, "b": "2"})


def test_longest_allowed_id_is_taken(table: Maker) -> None:
    assert records_of(table(f"id\n{'é' * 255}\n", externalId="id"))[0].external_id == "é" * 255


@pytest.mark.parametrize(
    ("content", "settings", "said"),
    [
        ("a,b\n1,2\n", {"columnMapping": {"title": "c"}}, "line 1 has the columns 'a', 'b', but not 'c'"),
        ("a,b\n1,2\n", {"externalId": "id"}, "has the columns 'a', 'b', but not 'id'"),
        ("a;b\n1;2\n", {"columnMapping": {"title": "a"}}, "has the columns 'a;b', but not 'a'.*delimiter"),
        ("a, b\n1,2\n", {"columnMapping": {"title": "b"}}, "has the columns 'a', ' b', but not 'b'"),
        ("a,b,a\n1,2,3\n", {}, "'a' stands there more than once"),
        ("a,,2\n1,2,3\n", {}, "'2' stands there more than once"),
        (f"{S3_ROW}\n", {"targetTable": "catalog_items"}, "none is a field of catalog_item.*hasHeader"),
        ("1,2\n", {"hasHeader": False, "columnMapping": {"title": 3}}, "'1', '2', but not '3'"),
        ("1,2\n", {"hasHeader": False, "columns": ["a", "b"], "externalId": "c"}, "but not 'c'"),
    ],
)
def test_columns_that_are_not_there_are_named(
    table: Maker, content: str, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=rf"table\.csv: .*{said}"):
        pages_of(table(content, **settings))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"columnMapping": {"titel": "a"}}, "record has no field titel to map to.*title"),
        ({"targetTable": "songs"}, "no kind 'songs'.*content_index"),
        ({"columnMapping": {"title": 1}}, "column 1: the file has a header row"),
        ({"hasHeader": False, "columns": ["a"], "columnMapping": {"title": 2}}, "column 2: .* there are 1"),
        ({"hasHeader": False, "targetTable": "content_index"}, "needs columnMapping"),
        ({"columns": ["a"]}, "set hasHeader to false"),
        ({"externalId": "a", "columnMapping": {"external_id": "b"}}, "not by both"),
        ({"delimiter": '"'}, "must differ"),
        ({"delimiter": "\n"}, "line end"),
        ({"delimiter": ",,"}, "delimiter"),
        ({"colunmMapping": {}}, "colunmMapping"),
        ({"streams": {}}, "settings of each stream"),
        ({"streams": {"a": 1}}, r"streams\.a: give an object"),
        ({"sourceIdentifier": ""}, "sourceIdentifier"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_at_once(
    table: Maker, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        table("a\n", **settings)


def test_broken_first_row_without_header_is_refused(table: Maker) -> None:
    with pytest.raises(SchemaError, match="how many columns"):
        pages_of(table('1,"2"x\n', hasHeader=False))


def test_several_files_share_what_they_do_not_say_themselves(table: Maker) -> None:
    connector = table(
        "a;b\n1;2\n",
        delimiter=";",
        streams={
            "songs": {"columnMapping": {"title": "a"}},
            "films": {"targetTable": "content_index", "delimiter": ","},
        },
    )
    songs, films = connector.streams()
    assert [(stream.name, stream.kind) for stream in (songs, films)] == [
        ("songs", "record"),
        ("films", "content_item"),
    ]
    assert payloads_of(connector) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("column", ["a.b", 'say "x"', "back\\slash", "[0]", "né 😀", "*", "a || b", "`x`"])
def test_any_column_name_can_be_mapped(table: Maker, column: str) -> None:
    quoted = '"' + column.replace('"', '""') + '"'
    connector = table(f"{quoted},id\nvalue,1\n", columnMapping={"title": column, "external_id": "id"})
    assert refined(connector) == [GenericRecord(external_id="1", title="value")]
