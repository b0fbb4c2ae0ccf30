"""The contract suite can fail: a room that breaks its word is caught, whichever word it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import pytest

from connectors.base import FetchRequest, Page, Stream
from connectors.providers.shopify import Shopify
from sandbox import SandboxClient
from tests.connectors.contract import test_contract as contract
from tests.connectors.contract.rooms import room

Answer = Callable[[Page, FetchRequest, bool], Page]
NUMBERS = count()


def twice(page: Page, request: FetchRequest, is_first: bool) -> Page:
    return dataclasses.replace(page, records=[*page.records, page.records[0]])


def without_ids(page: Page, request: FetchRequest, is_first: bool) -> Page:
    return dataclasses.replace(
        page, records=[msgspec.structs.replace(one, external_id="") for one in page.records]
    )


def other_each_time(page: Page, request: FetchRequest, is_first: bool) -> Page:
    first = msgspec.structs.replace(page.records[0], body=b'{"id": %d}' % next(NUMBERS))
    return dataclasses.replace(page, records=[first, *page.records[1:]])


def loses_on_resuming(page: Page, request: FetchRequest, is_first: bool) -> Page:
    return dataclasses.replace(page, records=page.records[1:]) if is_first and request.cursor else page


def narrows_the_window(page: Page, request: FetchRequest, is_first: bool) -> Page:
    start = request.window_start
    if start is None:
        return page
    kept = [one for one in page.records if one.updated_at and one.updated_at > start]
    return dataclasses.replace(page, records=kept)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (twice, contract.test_a_stream_has_records_with_ids_of_their_own),
        (without_ids, contract.test_a_stream_has_records_with_ids_of_their_own),
        (other_each_time, contract.test_two_full_passes_give_identical_rows),
        (loses_on_resuming, contract.test_an_interrupted_pass_resumes_equal),
        (narrows_the_window, contract.test_a_window_leaves_nothing_out),
    ],
)
def test_pages_that_break_the_contract_are_caught(
    broken: Answer, check: Callable[..., None], outside: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Shopify.fetch

    def fetch(self: Any, stream: Stream, request: FetchRequest) -> Page:
        is_first = not hasattr(self, "has_fetched")
        self.has_fetched = True
        return broken(honest(self, stream, request), request, is_first)

    monkeypatch.setattr(Shopify, "fetch", fetch)
    with pytest.raises(AssertionError):
        check("shopify", "orders", outside)


def test_a_secret_that_shows_is_caught(
    outside: SandboxClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        Shopify, "__repr__", lambda self: self.credentials.access_token.get_secret_value(), raising=False
    )
    with pytest.raises(AssertionError):
        contract.test_no_secret_is_in_any_log_or_error("shopify", "orders", outside, caplog)


def test_records_that_do_not_refine_are_caught(
    outside: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = [dataclasses.replace(one, kind="customer") for one in Shopify.streams(_any_shop(outside))]
    monkeypatch.setattr(Shopify, "streams", lambda self: tuple(offered))
    with pytest.raises(AssertionError):
        contract.test_every_record_refines("shopify", "orders", outside)


def _any_shop(outside: SandboxClient) -> Any:
    with room("shopify", outside.url) as connector:
        return connector
