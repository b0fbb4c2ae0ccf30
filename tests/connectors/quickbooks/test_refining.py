"""What the entities of QuickBooks become."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import exact_json
from connectors.errors import RecordError
from connectors.kinds import Customer, Invoice, InvoiceLine, Order, Payment, Product
from connectors.providers.quickbooks import ENTITIES

PAGES = Path(__file__).parent / "pages"


def records(stream: str) -> list[dict[str, Any]]:
    entity = ENTITIES[stream][0]
    found: list[dict[str, Any]] = exact_json.loads((PAGES / f"{stream}_1.json").read_bytes())[
        "QueryResponse"
    ][entity]
    return found


def refined(stream: str, number: int = 0, **changes: Any) -> Any:
    return ENTITIES[stream][2]({**records(stream)[number], **changes})


def test_a_customer_is_understood() -> None:
    assert refined("customers") == Customer(
        external_id="1",
        occurred_at=datetime(2026, 3, 1, 17, tzinfo=UTC),
        updated_at=datetime(2026, 3, 2, 17, 30, tzinfo=UTC),
        email="owner@example.com",
        name="Blue Stool Café",
        phone="+4930123456",
        country="DE",
        status="active",
        company_name="Blue Stool Ltd.",
    )


def test_an_inactive_customer_is_one_with_the_phone_there_is() -> None:
    old: Customer = refined("customers", 1)
    assert (old.status, old.phone, old.email, old.company_name) == ("inactive", "(831) 330-1234", None, None)


def test_an_invoice_is_dated_by_its_day_and_settled_by_its_balance() -> None:
    invoice: Invoice = refined("invoices")
    assert (invoice.number, invoice.customer_external_id, invoice.currency) == ("1001", "1", "USD")
    assert invoice.occurred_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert invoice.due_at == datetime(2026, 3, 31, tzinfo=UTC)
    assert (invoice.total_amount, invoice.tax_amount) == (Decimal("60.50"), Decimal("5.5"))
    assert (invoice.paid_amount, invoice.due_amount) == (Decimal("40.00"), Decimal("20.5"))
    assert (invoice.subtotal_amount, invoice.status) == (Decimal("60.00"), "partly paid")


def test_lines_of_bundles_count_and_subtotals_do_not() -> None:
    invoice: Invoice = refined("invoices")
    stool, cushion, shipping, discount = invoice.lines or ()
    assert stool == InvoiceLine(
        external_id="1-1",
        occurred_at=invoice.occurred_at,
        updated_at=invoice.updated_at,
        invoice_external_id="1",
        product_external_id="7",
        title="Oak stool",
        quantity=Decimal(2),
        unit_price=Decimal(20),
        total_amount=Decimal("40.00"),
        currency="USD",
    )
    assert (cushion.external_id, cushion.title, cushion.product_external_id) == ("1-3", "Cushion", "8")
    assert (shipping.external_id, shipping.product_external_id) == ("1-n3", None)
    assert discount.total_amount == Decimal("-5.00")
    lines = sum((line.total_amount or Decimal() for line in invoice.lines or ()), Decimal())
    assert lines + (invoice.tax_amount or 0) == invoice.total_amount


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Balance": 0}, "paid"),
        ({"Balance": Decimal("60.5")}, "open"),
        ({"Balance": None}, None),
        ({"TotalAmt": 0, "Balance": 0}, "paid"),
        ({"TotalAmt": 0, "Balance": 0, "PrivateNote": "Voided - by mistake"}, "voided"),
        ({"PrivateNote": "Voided"}, "voided"),
        ({"PrivateNote": "Voided the other one"}, "partly paid"),
    ],
)
def test_how_an_invoice_stands_is_told_by_its_amounts(changes: dict[str, Any], status: str | None) -> None:
    assert refined("invoices", **changes).status == status


def test_a_voided_invoice_has_no_lines_and_keeps_none() -> None:
    voided: Invoice = refined("invoices", 1)
    assert (voided.status, voided.lines, voided.currency) == ("voided", (), None)


def test_a_payment_names_the_invoice_it_is_for() -> None:
    payment: Payment = refined("payments")
    assert (payment.invoice_external_id, payment.customer_external_id) == ("1", "1")
    assert (payment.type, payment.method, payment.reference) == ("payment", "Check", "CHK 17")
    assert (payment.amount, payment.status) == (Decimal("40.00"), None)


def test_a_payment_for_several_invoices_names_none() -> None:
    split: Payment = refined("payments", 1)
    assert (split.invoice_external_id, split.status, split.method) == (None, "Completed", None)


def test_a_sales_receipt_is_an_order_paid_at_once() -> None:
    receipt = {**records("invoices")[0], "Balance": 0, "DepartmentRef": {"value": "3"}}
    order: Order = ENTITIES["sales_receipts"][2](receipt)  # type: ignore[assignment]
    assert (order.status, order.location_external_id, order.discount_amount) == ("paid", "3", Decimal("5.00"))
    assert [line.external_id for line in order.lines or ()] == ["1-1", "1-3", "1-n3"]
    assert {line.order_external_id for line in order.lines or ()} == {"1"}
    assert order.payments is None


def test_an_item_is_a_product_with_one_variant() -> None:
    item = {
        "Id": "7",
        "Name": "Stool",
        "FullyQualifiedName": "Seats:Stool",
        "Type": "Inventory",
        "Active": True,
        "Sku": "ST-1",
        "UnitPrice": Decimal("20.5"),
        "QtyOnHand": Decimal("12.5"),
        "PrefVendorRef": {"value": "3", "name": "Casa Ñandú"},
    }
    product: Product = ENTITIES["items"][2](item)  # type: ignore[assignment]
    assert (product.title, product.product_type, product.status) == ("Seats:Stool", "Inventory", "active")
    assert product.vendor == "Casa Ñandú"
    [variant] = product.variants or ()
    assert (variant.external_id, variant.product_external_id, variant.sku) == ("7", "7", "ST-1")
    assert (variant.price, variant.inventory_quantity) == (Decimal("20.5"), 12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Id": None}, "no value for Id"),
        ({"TotalAmt": "much"}, "TotalAmt: 'much' is not a number"),
        ({"CustomerRef": "Zoë"}, "CustomerRef: expected an object"),
        ({"Line": {}}, "Line: expected a list"),
        ({"Line": [None]}, r"Line\[1\]: expected an object"),
        ({"CurrencyRef": {"value": "US dollars"}}, "currency"),
        ({"TxnDate": "last week"}, "TxnDate"),
        ({"MetaData": {"LastUpdatedTime": "soon"}}, r"MetaData\.LastUpdatedTime"),
    ],
)
def test_an_invoice_that_cannot_be_understood_names_the_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        refined("invoices", **changes)
