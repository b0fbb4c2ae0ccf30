"""`describe` tells what the code says, and the documentation tells the same."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from connectors import all_connectors
from connectors.base import Config, Connector, Stream
from connectors.describing import describe, markdown
from ingest.management.commands.describe import page_of, with_description
from tests.commands.commanding import run as command


@pytest.mark.parametrize("name", all_connectors())
def test_the_documentation_says_what_the_code_says(name: str) -> None:
    page = page_of(name).read_text(encoding="utf-8")
    assert with_description(page, name) == page, f"run: manage.py describe {name} --write"


def test_a_page_that_is_out_of_date_would_be_seen() -> None:
    page = page_of("shopify").read_text(encoding="utf-8")
    stale = page.replace("| order | email | `email` |", "| order | email | `e_mail` |")
    assert stale != page
    assert with_description(stale, "shopify") == page


@pytest.mark.parametrize("name", all_connectors())
def test_an_example_is_one_that_the_connector_takes(name: str) -> None:
    cls = all_connectors()[name]
    cls.config_model.model_validate(dict(cls.example))


def test_streams_and_the_origin_of_fields_are_told() -> None:
    told = command("describe", "shopify").out
    kinds = "order, order_line, payment, refund, fulfillment"
    assert f"| `orders` | {kinds} | `id` | `updatedAt` | poll | none | 10 | `read_orders` |" in told
    assert "| order | customer_external_id | `customer.id` |" in told
    assert "| order_line | currency | `currencyCode` |" in told


def test_settings_within_settings_are_told_by_their_place() -> None:
    told = command("describe", "rest").out
    assert "| `pagination.type` | How the next page is found. One of `page`, `offset`," in told
    assert "| `sourceIdentifier` | The listing's URL. Required. |" in told
    assert "Streams, kinds and fields are what the settings of the source say." in told


class _Config(Config):
    key: SecretStr = SecretStr("")
    """
    A key, if it takes one | two.

    Told on several lines.
    """
    secret: SecretStr = SecretStr("sesame")
    """Opens it."""
    folder: Path = Path("in")
    """Where it is."""
    shape: Literal["round", "square"] = "round"
    """How it looks."""


class _Odd(Connector):
    name = "odd"
    title = "Odd"
    config_model = _Config

    def streams(self) -> tuple[Stream, ...]:
        return ()


def test_settings_of_any_type_with_texts_of_any_length_are_one_row_each() -> None:
    told = markdown(describe(_Odd))
    assert "| `key` | A key, if it takes one \\| two. Told on several lines. |\n" in told
    assert "| `secret` | Opens it. |\n" in told
    assert "| `folder` | Where it is. Default `in`. |\n" in told
    assert "| `shape` | How it looks. One of `round`, `square`. Default `round`. |\n" in told
    assert "sesame" not in told


def test_a_connector_that_is_none_names_those_there_are() -> None:
    done = command("describe", "shopfy")
    assert done.code == 2
    assert f"There are: {', '.join(all_connectors())}." in done.err
