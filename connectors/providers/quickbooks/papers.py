"""
What the papers of bookkeeping become: invoices and receipts with their lines, payments, refunds, bills.

Quirks, as of 2026-11-22:
- Ids are unique per company and entity, those of lines within their paper only; discount and shipping lines
  have none (ruckus/quickbooks-ruby spec/fixtures).
- The last line of a sale is its subtotal, and a bundle holds its lines within; neither is to be added up
  with the others (the same, invoice_with_bundle_line_item.xml).
- Nothing says that a paper was voided but a note that is or begins with "Voided", and amounts of 0, which
  two of three recordings do not have (the same, invoice_void_success_response.xml,
  payment_void_response_success.xml). Whether it is paid is told by its balance only.
- Shipping is sold as the item SHIPPING_ITEM_ID, which no list of items has (the same, refund_receipts.xml).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from connectors.base import Json
from connectors.fields import Fields
from connectors.kinds import Bill, Invoice, InvoiceLine, Order, OrderLine, Payment, Refund
from connectors.providers.quickbooks import parts

SOLD, BUNDLE, DISCOUNT, SUBTOTAL = (
    "SalesItemLineDetail",
    "GroupLineDetail",
    "DiscountLineDetail",
    "SubTotalLineDetail",
)
SHIPPING_ITEM = "SHIPPING_ITEM_ID"
VOIDED_NOTE = "Voided"
INVOICE = "Invoice"
VOIDED, PAID, PARTLY_PAID, OPEN = "voided", "paid", "partly paid", "open"


def refine_invoice(payload: Json) -> Invoice:
    raw = Fields(payload)
    external_id = raw.identity("Id")
    total, due = raw.decimal("TotalAmt"), raw.decimal("Balance")
    return Invoice(
        external_id=external_id,
        occurred_at=parts.dated(raw),
        updated_at=parts.updated(raw),
        number=raw.text("DocNumber"),
        status=_settled(raw, total, due),
        customer_external_id=raw.inside("CustomerRef").reference("value"),
        email=parts.email(raw.inside("BillEmail")),
        currency=parts.currency(raw),
        total_amount=total,
        subtotal_amount=_sum(raw, SUBTOTAL),
        tax_amount=raw.inside("TxnTaxDetail").decimal("TotalTax"),
        paid_amount=None if total is None or due is None else total - due,
        due_amount=due,
        due_at=raw.moment("DueDate"),
        lines=tuple(_invoice_line(line, raw) for line in _lines(raw, external_id)),
    )


def refine_sales_receipt(payload: Json) -> Order:
    raw = Fields(payload)
    external_id = raw.identity("Id")
    total = raw.decimal("TotalAmt")
    return Order(
        external_id=external_id,
        occurred_at=parts.dated(raw),
        updated_at=parts.updated(raw),
        number=raw.text("DocNumber"),
        customer_external_id=raw.inside("CustomerRef").reference("value"),
        location_external_id=raw.inside("DepartmentRef").reference("value"),
        email=parts.email(raw.inside("BillEmail")),
        status=VOIDED if _is_voided(raw, total) else PAID,
        currency=parts.currency(raw),
        total_amount=total,
        subtotal_amount=_sum(raw, SUBTOTAL),
        tax_amount=raw.inside("TxnTaxDetail").decimal("TotalTax"),
        discount_amount=_sum(raw, DISCOUNT),
        lines=tuple(_order_line(line, raw) for line in _lines(raw, external_id) if line.type != DISCOUNT),
    )


def refine_payment(payload: Json) -> Payment:
    raw = Fields(payload)
    amount = raw.decimal("TotalAmt")
    charged = raw.inside("CreditCardPayment").inside("CreditChargeResponse")
    return Payment(
        external_id=raw.identity("Id"),
        occurred_at=parts.dated(raw),
        updated_at=parts.updated(raw),
        type="payment",
        status=VOIDED if _is_voided(raw, amount) else charged.text("Status"),
        method=raw.inside("PaymentMethodRef").text("name", "value"),
        reference=raw.text("PaymentRefNum"),
        currency=parts.currency(raw),
        amount=amount,
        customer_external_id=raw.inside("CustomerRef").reference("value"),
        invoice_external_id=_only_invoice(raw),
    )


def refine_refund_receipt(payload: Json) -> Refund:
    raw = Fields(payload)
    amount = raw.decimal("TotalAmt")
    return Refund(
        external_id=raw.identity("Id"),
        occurred_at=parts.dated(raw),
        updated_at=parts.updated(raw),
        status=VOIDED if _is_voided(raw, amount) else None,
        currency=parts.currency(raw),
        amount=amount,
    )


def refine_bill(payload: Json) -> Bill:
    raw = Fields(payload)
    total, due = raw.decimal("TotalAmt"), raw.decimal("Balance")
    return Bill(
        external_id=raw.identity("Id"),
        occurred_at=parts.dated(raw),
        updated_at=parts.updated(raw),
        number=raw.text("DocNumber"),
        status=_settled(raw, total, due),
        vendor_external_id=raw.inside("VendorRef").reference("value"),
        account_external_id=raw.inside("APAccountRef").reference("value"),
        currency=parts.currency(raw),
        total_amount=total,
        due_amount=due,
        due_at=raw.moment("DueDate"),
    )


# Lines


@dataclass(frozen=True, slots=True)
class _Line:
    """A line that is to be added up, and what it is called among all lines."""

    external_id: str
    type: str
    raw: Fields

    @property
    def detail(self) -> Fields:
        return self.raw.inside(SOLD)

    @property
    def item(self) -> str | None:
        found = self.detail.inside("ItemRef").reference("value")
        return None if found == SHIPPING_ITEM else found

    @property
    def title(self) -> str | None:
        return self.raw.text("Description") or self.detail.inside("ItemRef").text("name")


def _lines(raw: Fields, parent: str) -> Iterator[_Line]:
    for number, (kind, line) in enumerate(_walked(raw), 1):
        own = line.reference("Id")
        yield _Line(f"{parent}-{own}" if own else f"{parent}-n{number}", kind, line)


def _walked(raw: Fields) -> Iterator[tuple[str, Fields]]:
    for line in raw.each("Line"):
        kind = line.text("DetailType")
        if kind == BUNDLE:
            yield from ((SOLD, inner) for inner in line.inside(BUNDLE).each("Line"))
        elif kind in (SOLD, DISCOUNT):
            yield kind, line


def _invoice_line(line: _Line, raw: Fields) -> InvoiceLine:
    amount = line.raw.decimal("Amount")
    return InvoiceLine(
        external_id=line.external_id,
        occurred_at=parts.dated(raw),
        updated_at=parts.updated(raw),
        invoice_external_id=raw.identity("Id"),
        product_external_id=line.item,
        title=line.title,
        quantity=line.detail.decimal("Qty"),
        unit_price=line.detail.decimal("UnitPrice"),
        # A discount is written without a sign.
        total_amount=-amount if line.type == DISCOUNT and amount is not None else amount,
        currency=parts.currency(raw),
    )


def _order_line(line: _Line, raw: Fields) -> OrderLine:
    return OrderLine(
        external_id=line.external_id,
        occurred_at=parts.dated(raw),
        updated_at=parts.updated(raw),
        order_external_id=raw.identity("Id"),
        product_external_id=line.item,
        variant_external_id=line.item,
        title=line.title,
        quantity=line.detail.decimal("Qty"),
        unit_price=line.detail.decimal("UnitPrice"),
        total_amount=line.raw.decimal("Amount"),
        currency=parts.currency(raw),
    )


def _sum(raw: Fields, kind: str) -> Decimal | None:
    amounts = [line.decimal("Amount") for line in raw.each("Line") if line.text("DetailType") == kind]
    given = [amount for amount in amounts if amount is not None]
    return sum(given, Decimal()) if given else None


# How they stand


def _is_voided(raw: Fields, total: Decimal | None) -> bool:
    note = raw.text("PrivateNote") or ""
    return note == VOIDED_NOTE or (total == 0 and note.startswith(VOIDED_NOTE))


def _settled(raw: Fields, total: Decimal | None, due: Decimal | None) -> str | None:
    """Return how far a paper is paid, as nothing in it says so in words."""
    if _is_voided(raw, total):
        return VOIDED
    if due is None or total is None:
        return None
    if due == 0:
        return PAID
    return OPEN if due == total else PARTLY_PAID


def _only_invoice(raw: Fields) -> str | None:
    """Return the invoice a payment is for; none where it is split over several."""
    linked = [
        one.reference("TxnId")
        for line in raw.each("Line")
        for one in line.each("LinkedTxn")
        if one.text("TxnType") == INVOICE
    ]
    return linked[0] if len(set(linked)) == 1 else None
