"""The form of a source: what it says of each connector, and how it takes credentials."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connectors import all_connectors
from ingest.models import Source
from tests.admin.pages import detail_of
from tests.admin.shop import Shop
from tests.admin.test_sources import add, save

ADD = "admin:ingest_source_add"


def errors_of(answer: Any) -> str:
    return str(answer.context["adminform"].form.errors)


def test_the_form_shows_an_example_and_the_ways_in_of_every_connector(boss: Client) -> None:
    page = boss.get(reverse(ADD)).content.decode()
    for name, cls in all_connectors().items():
        assert page.count(f'data-guide="{name}"') == 2, name  # beside the settings and the credentials
        for mode in cls.auth_modes:
            assert f"<b>{mode.title}</b>" in page, (name, mode.mode)


def test_the_form_says_what_each_setting_is_for(boss: Client) -> None:
    page = boss.get(reverse(ADD)).content.decode()
    assert "Admin API access token, " in page
    assert "<code>shpat_...</code>" in page
    assert "save, then press Connect on the source" in page


def test_no_connector_is_chosen_beforehand(boss: Client) -> None:
    assert "This field is required" in errors_of(add(boss, connector=""))
    assert not Source.objects.exists()


def test_the_page_of_a_source_speaks_of_its_own_connector_only(shop: Shop, boss: Client) -> None:
    page = boss.get(detail_of(shop.source)).content.decode()
    assert set(re.findall(r'data-guide="(\w+)"', page)) == {"shopify"}
    # The settings that are there are not to be written over with an example.
    assert 'data-fill="config"' not in page


@pytest.mark.parametrize("given", ['{"access_token": "..."}', '{"mode": "oauth", "client_id": "..."}'])
def test_an_example_left_as_it_is_is_no_credential(boss: Client, given: str) -> None:
    told = errors_of(add(boss, new_credentials=given))
    assert "Put your own value for " in told
    assert not Source.objects.exists()


def test_an_example_in_place_of_new_credentials_changes_nothing(shop: Shop, boss: Client) -> None:
    before = Source.objects.get().credentials
    save(boss, shop, new_credentials='{"access_token": "..."}')
    assert Source.objects.get().credentials == before


def test_a_misspelled_setting_is_told_with_the_one_that_was_meant(boss: Client) -> None:
    told = errors_of(add(boss, config='{"shopp": "demo.myshopify.com"}'))
    assert "shopp: there is no such setting; did you mean shop?" in told


def test_an_error_is_told_in_words_of_ours(boss: Client) -> None:
    told = errors_of(add(boss, config='{"shop": "not a shop"}'))
    assert "give the shop&#x27;s own domain" in told
    assert "Value error" not in told
