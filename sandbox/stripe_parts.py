"""What there is of Stripe's streams that are no lists of its: lines of long invoices, rows of reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from sandbox.dataset import Dataset
from sandbox.simulators import Part, Parts, Setting
from sandbox.stripe_billing import lines_of
from sandbox.stripe_records import MOST_LINES_SHOWN, Shop, counts, index_of
from sandbox.stripe_reports import Reports

LINES, REPORT = "stripe.invoice_lines", "stripe-reports.payout_reconciliation"


def parts(setting: Setting) -> Mapping[str, Parts]:
    shop = Shop(setting.options.seed, counts(setting.options))
    reports = Reports(setting.datasets["balance_transactions"], seconds=0.0, clock=setting.clock)
    return {
        LINES: partial(_lines, setting.datasets["invoices"], shop),
        REPORT: lambda: (Part(external_id=one) for one in reports.ids()),
    }


def _lines(invoices: Dataset, shop: Shop) -> Iterator[Part]:
    """Yield all lines of invoices that have more than come with them, if those can be read."""
    for version in invoices.versions():
        index = index_of("invoices", version.external_id)
        lines: list[dict[str, Any]] = lines_of(shop, index) if index is not None else []
        if len(lines) > MOST_LINES_SHOWN and _is_json(version.row):
            for line in lines:
                yield Part(external_id=line["id"], body=msgspec.json.encode(line))


def _is_json(row: bytes) -> bool:
    try:
        msgspec.json.decode(row, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True
