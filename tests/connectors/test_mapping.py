"""From any payload to a kind."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import ConfigError, RecordError
from connectors.fields import Fields
from connectors.kinds import CatalogItem, ContentItem, Customer, GenericRecord
from connectors.mapping import FieldMapping


def test_dotted_paths_fill_the_fields_of_the_kind() -> None:
    mapping = FieldMapping(
        kind="content_item",
        mapping={"external_id": "id", "title": "name", "artist": "artist.name", "updated_at": "changed"},
        defaults={"content_type": "music"},
    )
    payload = {"id": 7, "name": "Café", "artist": {"name": "Ana"}, "changed": "2026-01-02T03:04:05Z"}
    assert mapping.refine(payload) == ContentItem(
        external_id="7",
        title="Café",
        artist="Ana",
        content_type="music",
        updated_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("tags[0]", "a"),
        ("tags[-1]", "b"),
        ("join('/', tags)", "a/b"),
        ("artists[?main].name | [0]", "Ana"),
        ('"odd name"', "odd"),
        ('"a.b"', "dotted"),
        ("missing.deep.path", None),
        ("tags.nothing", None),
        ("name || title", "fallback"),
    ],
)
def test_paths_may_be_any_jmespath(path: str, found: str | None) -> None:
    payload = {
        "id": "1",
        "tags": ["a", "b"],
        "artists": [{"name": "Bob", "main": False}, {"name": "Ana", "main": True}],
        "odd name": "odd",
        "a.b": "dotted",
        "title": "fallback",
    }
    mapping = FieldMapping(kind="record", mapping={"external_id": "id", "title": path})
    assert mapping.refine(payload) == GenericRecord(external_id="1", title=found)


def test_default_gives_way_to_what_the_record_says() -> None:
    mapping = FieldMapping(
        kind="catalog_item",
        mapping={"external_id": "id", "currency": "cur", "price": "price"},
        defaults={"currency": "CLP"},
    )
    assert mapping.refine({"id": 1, "cur": None}) == CatalogItem(external_id="1", currency="CLP")
    assert mapping.refine({"id": 1, "cur": "USD", "price": Decimal("54900.10")}) == CatalogItem(
        external_id="1", currency="USD", price=Decimal("54900.10")
    )


def test_only_what_is_mapped_is_filled() -> None:
    mapping = FieldMapping(kind="record", mapping={"external_id": "id"})
    assert mapping.refine({"id": 5, "title": "not asked for"}) == GenericRecord(external_id="5")


def test_kind_may_be_named_by_its_alias() -> None:
    assert FieldMapping(kind="content_index", mapping={"external_id": "id"}).kind is ContentItem


def test_unknown_kind_is_a_config_error_listing_the_known() -> None:
    with pytest.raises(ConfigError, match=r"no kind 'orderz'.*catalog_item.*order"):
        FieldMapping(kind="orderz", mapping={})


@pytest.mark.parametrize("where", ["mapping", "defaults"])
def test_unknown_field_is_a_config_error_listing_the_possible(where: str) -> None:
    arguments: dict[str, Any] = {"mapping": {"external_id": "id"}, "defaults": {}}
    arguments[where] = {"e_mail": "mail"}
    with pytest.raises(ConfigError, match=r"customer has no field e_mail.*Possible: company_external_id, "):
        FieldMapping(kind="customer", **arguments)


@pytest.mark.parametrize("path", ["", "a-b", "a..b", "[", "foo bar"])
def test_a_path_that_is_none_is_a_config_error_naming_its_field(path: str) -> None:
    with pytest.raises(ConfigError, match=r"^title: "):
        FieldMapping(kind="record", mapping={"title": path})


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "external_id"),
        ({"id": None}, "external_id"),
        ({"id": 1, "mail": ["x"]}, "email"),
        ({"id": 1, "mail": {"a": 1}}, "email"),
        ({"id": 1, "at": "yesterday"}, "updated_at"),
    ],
)
def test_a_value_that_does_not_fit_names_its_field(payload: dict[str, Any], message: str) -> None:
    mapping = FieldMapping(
        kind="customer", mapping={"external_id": "id", "email": "mail", "updated_at": "at"}
    )
    with pytest.raises(RecordError, match=message):
        mapping.refine(payload)


def test_a_function_that_does_not_fit_the_record_is_a_record_error() -> None:
    mapping = FieldMapping(kind="customer", mapping={"external_id": "id", "name": "join(' ', names)"})
    assert mapping.refine({"id": 1, "names": ["A", "B"]}) == Customer(external_id="1", name="A B")
    with pytest.raises(RecordError, match=r"^name: the path does not fit this record"):
        mapping.refine({"id": 1, "names": 5})


def test_fields_name_the_place_of_what_does_not_fit() -> None:
    raw = Fields({"lines": [{"price": "1.10"}, {"price": "abc"}], "customer": None, "total": "9"})
    first, second = raw.each("lines")
    assert first.decimal("price") == Decimal("1.10")
    assert raw.inside("customer").text("name") is None
    assert list(raw.each("missing")) == []
    with pytest.raises(RecordError, match=r"^lines\[2\]\.price: 'abc' is not a number"):
        second.decimal("price")
    with pytest.raises(RecordError, match=r"^no value for lines\[1\]\.id"):
        first.identity()


@pytest.mark.parametrize("value", [True, Decimal("1.5"), [1], {"a": 1}])
def test_fields_take_only_text_and_whole_numbers_for_ids(value: object) -> None:
    with pytest.raises(RecordError, match=r"^id: "):
        Fields({"id": value}).identity()


@pytest.mark.parametrize("payload", [None, 1, "x", []])
def test_fields_of_something_else_are_refused(payload: object) -> None:
    with pytest.raises(RecordError, match=r"^record: expected an object"):
        Fields(payload)


def test_a_list_that_is_none_is_refused() -> None:
    with pytest.raises(RecordError, match=r"^lines: expected a list"):
        list(Fields({"lines": {"a": 1}}).each("lines"))
