"""Lines of invoices that have more than the ten which come with them: a call and more per invoice."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

import msgspec

from connectors.base import FetchRequest, Json, Page, SourceRecord
from connectors.http import RefusedRequest
from connectors.nested import NestedListing
from connectors.pages import split_records
from connectors.providers.stripe.calls import Calls
from connectors.providers.stripe.listing import Listing, following
from connectors.providers.stripe.streams import INVOICES, PAGE_SIZE


class _Lines(msgspec.Struct):
    has_more: bool = False


class _Invoice(msgspec.Struct):
    lines: _Lines | None = None


_decoder = msgspec.json.Decoder(_Invoice)


class InvoiceLines:
    """The lines of long invoices, as one source reads them."""

    def __init__(self, calls: Calls, listing: Listing) -> None:
        self._calls = calls
        self._listing = listing
        self._nested = NestedListing(parents=self._invoices, children=self._lines)
        self._state: Json | None = None

    def fetch(self, request: FetchRequest) -> Page:
        """:raises ConnectorError: as `Listing.fetch` does"""
        page = self._nested.fetch(request)
        state, self._state = self._state, None
        return replace(page, stream_state=state)

    def _invoices(self, request: FetchRequest) -> Page:
        page = self._listing.fetch(INVOICES, request)
        # What is noted of the events is of the invoices' page, which is asked for once for many of lines.
        self._state = page.stream_state
        return page

    def _lines(self, invoice: SourceRecord, after: str | None, request: FetchRequest) -> Page:
        if not _is_long(invoice):
            return Page()
        params = {
            "limit": min(request.page_size, PAGE_SIZE),
            **({"starting_after": after} if after else {}),
        }
        try:
            said = self._calls.get(f"/invoices/{invoice.external_id}/lines", params)
        except RefusedRequest as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
            return Page()  # a draft that is gone by now
        listed = split_records(
            said.answer.body, path="data", id_path="id", updated_path=None, connector="stripe"
        )
        records = [msgspec.structs.replace(line, updated_at=said.as_of) for line in listed.records]
        return Page(records=records, next_cursor=following(listed, list(reversed(records))))


def _is_long(invoice: SourceRecord) -> bool:
    try:
        lines = _decoder.decode(invoice.body).lines
    except msgspec.DecodeError:
        return False  # its letter says what is wrong with it
    return lines is not None and lines.has_more
