"""`describe` tells what the code says, and the documentation tells the same."""

from __future__ import annotations

import pytest

from connectors import all_connectors
from ingest.management.commands.describe import page_of, with_description
from tests.commands.commanding import run as command


@pytest.mark.parametrize("name", all_connectors())
def test_the_documentation_says_what_the_code_says(name: str) -> None:
    page = page_of(name).read_text(encoding="utf-8")
    assert with_description(page, name) == page, f"run: manage.py describe {name} --write"


@pytest.mark.parametrize("name", all_connectors())
def test_an_example_is_one_that_the_connector_takes(name: str) -> None:
    cls = all_connectors()[name]
    cls.config_model.model_validate(dict(cls.example))


def test_streams_and_the_origin_of_fields_are_told() -> None:
    told = command("describe", "shopify").out
    assert (
        "| `orders` | order, order_line, payment, refund, fulfillment | `id` | `updatedAt` | poll | none | 10 "
        "| `read_orders` |" in told
    )
    assert "| order | customer_external_id | `customer.id` |" in told
    assert "| order_line | currency | `currencyCode` |" in told


def test_settings_within_settings_are_told_by_their_place() -> None:
    told = command("describe", "rest").out
    assert "| `pagination.type` | How the next page is found. One of `page`, `offset`," in told
    assert "| `sourceIdentifier` | The listing's URL. Required. |" in told
    assert "Streams, kinds and fields are what the settings of the source say." in told


def test_a_connector_that_is_none_names_those_there_are() -> None:
    done = command("describe", "shopfy")
    assert done.code == 2
    assert "There are: atom, csv, " in done.err
