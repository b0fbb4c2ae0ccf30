"""What Stripe's objects become, in current and in older shapes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from connectors.errors import RecordError
from connectors.kinds import BalanceTransaction, Customer, InvoiceLine, Payment, Price
from connectors.providers.stripe import billing, refining

AT = 1_700_000_000
THEN = datetime.fromtimestamp(AT, UTC)


def test_a_customer_is_understood() -> None:
    payload = {
        "id": "cus_1",
        "object": "customer",
        "created": AT,
        "email": "Zoe@Example.com",
        "name": "Zoë Łukasik",
        "phone": "030 1234567",
        "address": {"country": "DE"},
    }
    assert refining.refine_customer(payload) == Customer(
        external_id="cus_1",
        occurred_at=THEN,
        email="zoe@example.com",
        name="Zoë Łukasik",
        phone="+49301234567",
        country="DE",
    )


def test_what_is_left_of_a_deleted_object_is_no_row() -> None:
    with pytest.raises(RecordError, match="deleted"):
        refining.refine_customer({"id": "cus_1", "object": "customer", "deleted": True})


@pytest.mark.parametrize(
    ("minor", "code", "major"),
    [(1050, "usd", "10.50"), (1050, "jpy", "1050"), (1050, "kwd", "1.050"), (0, "eur", "0.00")],
)
def test_amounts_are_in_the_currencys_minor_unit(minor: int, code: str, major: str) -> None:
    charge = refining.refine_charge({"id": "ch_1", "amount": minor, "currency": code})
    assert (charge.amount, charge.currency) == (Decimal(major), code.upper())


def test_a_price_may_be_finer_than_a_cent() -> None:
    payload: dict[str, Any] = {
        "id": "price_1",
        "active": True,
        "created": AT,
        "currency": "usd",
        "nickname": None,
        "product": "prod_1",
        "recurring": {"interval": "month", "interval_count": 3},
        "type": "recurring",
        "unit_amount": None,
        "unit_amount_decimal": "0.125",
    }
    assert refining.refine_price(payload) == Price(
        external_id="price_1",
        occurred_at=THEN,
        product_external_id="prod_1",
        type="recurring",
        currency="USD",
        amount=Decimal("0.00125"),
        interval="month",
        interval_count=3,
        is_active=True,
    )


def test_relations_are_found_by_id_and_in_full() -> None:
    payload = {
        "id": "ch_1",
        "amount": 100,
        "amount_refunded": 40,
        "currency": "eur",
        "customer": {"id": "cus_1", "object": "customer"},
        "invoice": "in_1",
        "payment_intent": {"id": "pi_1"},
        "payment_method_details": {"type": "sepa_debit"},
        "status": "succeeded",
    }
    assert refining.refine_charge(payload) == Payment(
        external_id="ch_1",
        type="charge",
        status="succeeded",
        method="sepa_debit",
        currency="EUR",
        amount=Decimal("1.00"),
        refunded_amount=Decimal("0.40"),
        customer_external_id="cus_1",
        invoice_external_id="in_1",
        parent_external_id="pi_1",
    )


def test_a_refund_and_a_dispute_belong_to_the_charge_or_else_to_the_intent() -> None:
    both = {"id": "x_1", "amount": 1, "currency": "usd", "charge": "ch_1", "payment_intent": "pi_1"}
    assert refining.refine_refund(both).payment_external_id == "ch_1"
    assert refining.refine_refund({**both, "charge": None}).payment_external_id == "pi_1"
    dispute = refining.refine_dispute({**both, "evidence_details": {"due_by": AT}})
    assert (dispute.payment_external_id, dispute.due_at) == ("ch_1", THEN)


@pytest.mark.parametrize(
    ("source", "relation"),
    [
        ("ch_1", "payment_external_id"),
        ("py_1", "payment_external_id"),
        ("re_1", "refund_external_id"),
        ("po_1", "payout_external_id"),
        ("adj_1", None),
    ],
)
def test_a_balance_transaction_points_to_what_moved_the_money(source: str, relation: str | None) -> None:
    payload = {
        "id": "txn_1",
        "amount": -500,
        "fee": 30,
        "net": -530,
        "currency": "usd",
        "source": source,
        "available_on": AT,
        "status": "pending",
        "type": "charge",
    }
    whole = BalanceTransaction(
        external_id="txn_1",
        type="charge",
        status="pending",
        reference=source,
        currency="USD",
        amount=Decimal("-5.00"),
        fee_amount=Decimal("0.30"),
        net_amount=Decimal("-5.30"),
        available_at=THEN,
    )
    wanted = replace(whole, **{relation: source}) if relation else whole
    assert refining.refine_balance_transaction(payload) == wanted


def test_a_row_of_a_report_is_in_major_units() -> None:
    row = {
        "balance_transaction_id": "txn_1",
        "created_utc": "2023-11-14 22:13:20",
        "available_on_utc": "",
        "currency": "usd",
        "gross": "10.00",
        "fee": "0.59",
        "net": "9.41",
        "reporting_category": "charge",
        "source_id": "ch_1",
        "automatic_payout_id": "po_7",
    }
    moved = refining.refine_balance_row(row)
    assert (moved.amount, moved.fee_amount, moved.net_amount) == (
        Decimal("10.00"),
        Decimal("0.59"),
        Decimal("9.41"),
    )
    assert (moved.occurred_at, moved.available_at) == (THEN, None)
    assert (moved.payment_external_id, moved.payout_external_id) == ("ch_1", "po_7")


INVOICE: dict[str, Any] = {
    "id": "in_1",
    "amount_paid": 0,
    "amount_remaining": 1190,
    "created": AT,
    "currency": "eur",
    "customer": "cus_1",
    "number": "A-1",
    "status": "open",
    "subtotal": 1000,
    "total": 1190,
}


def test_the_subscription_and_the_tax_of_an_invoice_are_found_where_versions_put_them() -> None:
    now = billing.refine_invoice(
        {
            **INVOICE,
            "parent": {"subscription_details": {"subscription": "sub_1"}},
            "total_taxes": [{"amount": 100}, {"amount": 90}],
        }
    )
    before = billing.refine_invoice({**INVOICE, "subscription": "sub_1", "tax": 190})
    assert now.subscription_external_id == before.subscription_external_id == "sub_1"
    assert now.tax_amount == before.tax_amount == Decimal("1.90")
    assert billing.refine_invoice({**INVOICE, "total_taxes": []}).tax_amount == 0
    assert billing.refine_invoice(INVOICE).tax_amount is None


def test_an_invoice_has_its_lines_unless_there_are_more_than_came_with_it() -> None:
    line = {
        "id": "il_1",
        "amount": 1000,
        "currency": "eur",
        "description": "2 x Mug",
        "period": {"start": AT, "end": AT + 60},
        "pricing": {
            "price_details": {"price": "price_1", "product": "prod_1"},
            "unit_amount_decimal": "500",
        },
        "quantity": 2,
    }
    listed = {"data": [line], "has_more": False}
    [found] = billing.refine_invoice({**INVOICE, "lines": listed}).lines or ()
    assert found == InvoiceLine(
        external_id="il_1",
        occurred_at=THEN,
        invoice_external_id="in_1",
        product_external_id="prod_1",
        price_external_id="price_1",
        title="2 x Mug",
        quantity=Decimal(2),
        unit_price=Decimal("5.00"),
        total_amount=Decimal("10.00"),
        currency="EUR",
        period_starts_at=THEN,
        period_ends_at=datetime.fromtimestamp(AT + 60, UTC),
    )
    assert billing.refine_invoice({**INVOICE, "lines": {**listed, "has_more": True}}).lines is None
    assert billing.refine_invoice({**INVOICE, "lines": {"data": []}}).lines == ()
    assert billing.refine_invoice(INVOICE).lines is None


def test_a_line_of_an_older_version_names_its_price_in_full() -> None:
    line = {
        "id": "il_1",
        "amount": 2500,
        "currency": "usd",
        "invoice": "in_1",
        "price": {"id": "small", "product": "prod_1", "unit_amount": 2500},
    }
    found = billing.refine_invoice_line(line)
    assert (found.price_external_id, found.product_external_id) == ("small", "prod_1")
    assert (found.unit_price, found.invoice_external_id) == (Decimal("25.00"), "in_1")


def item(unit_amount: int | None, quantity: int | None, **more: Any) -> dict[str, Any]:
    recurring = {"interval": "month", "interval_count": 1}
    price = {"id": f"price_{unit_amount}", "unit_amount": unit_amount, "recurring": recurring}
    return {"id": "si_1", "price": price, "quantity": quantity, **more}


def subscription(*items: dict[str, Any], **more: Any) -> Any:
    payload = {"id": "sub_1", "currency": "usd", "status": "active", "items": {"data": list(items)}, **more}
    return billing.refine_subscription(payload)


def test_a_subscription_comes_to_the_sum_of_its_items() -> None:
    found = subscription(item(1000, 2), item(250, None))
    assert (found.amount, found.price_external_id, found.quantity) == (
        Decimal("22.50"),
        "price_1000",
        Decimal(2),
    )
    assert (found.interval, found.interval_count) == ("month", 1)
    assert subscription(item(1000, 2), item(None, 1)).amount is None
    assert subscription().amount is None


def test_the_period_of_a_subscription_is_found_where_versions_put_it() -> None:
    now = subscription(item(1, 1, current_period_start=AT, current_period_end=AT + 60))
    before = subscription(item(1, 1), current_period_start=AT, current_period_end=AT + 60)
    assert now.period_starts_at == before.period_starts_at == THEN
    assert now.period_ends_at == before.period_ends_at


def test_a_subscription_may_be_about_to_end_in_two_ways() -> None:
    assert subscription(cancel_at_period_end=False).is_ending is False
    assert subscription(cancel_at_period_end=True).is_ending is True
    assert subscription(cancel_at_period_end=False, cancel_at=AT).is_ending is True
