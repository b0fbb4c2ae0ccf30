"""Invoices, receipts, payments and bills as QuickBooks Online lists them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from sandbox.data import Dice, Facts, Record, ware
from sandbox.quickbooks_common import CENT, ZONE, paper, record_id


def customer_of(seed: int, invoice: int, there: Mapping[str, int]) -> str:
    """Known without making the invoice, as its payments name the same."""
    return record_id(Dice(seed, "invoice's customer", invoice).below(there["customers"]))


def make_invoice(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    lines, subtotal = _lines(facts, seed=seed, there=there)
    tax = (subtotal * Decimal("0.08")).quantize(CENT)
    is_voided = facts.index % 29 == 28
    total = Decimal(0) if is_voided else subtotal + tax
    due = (Decimal(0), total, (total / 2).quantize(CENT))[facts.index % 3]
    later = datetime.fromtimestamp(facts.created, ZONE).date() + timedelta(days=30)
    return {
        **paper(facts, prefix=""),
        **({"PrivateNote": "Voided"} if is_voided else {}),
        "DueDate": later.isoformat(),
        "CustomerRef": {"value": customer_of(seed, facts.index, there)},
        "BillEmail": {"Address": f"billing.{facts.index}@example.com"},
        "Line": lines,
        "TxnTaxDetail": {"TotalTax": Decimal(0) if is_voided else tax},
        "TotalAmt": total,
        "Balance": due,
        "EmailStatus": "EmailSent" if facts.version else "NotSet",
    }


def make_sales_receipt(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    lines, subtotal = _lines(facts, seed=seed, there=there)
    lines.append({"Amount": 5, "DetailType": "SalesItemLineDetail", **_shipping()})
    return {
        **paper(facts, prefix="S"),
        "CustomerRef": {"value": record_id(facts.dice.below(there["customers"]))},
        "DepartmentRef": {"value": record_id(facts.dice.below(there["departments"]))},
        "BillEmail": {"Address": f"till.{facts.index}@example.com"},
        "Line": lines,
        "TxnTaxDetail": {"TotalTax": Decimal(0)},
        "TotalAmt": subtotal + 5,
        "Balance": 0,
    }


def _shipping() -> Record:
    return {"SalesItemLineDetail": {"ItemRef": {"value": "SHIPPING_ITEM_ID"}}}


def make_payment(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    invoice = facts.index % there["invoices"]
    amount = Decimal(1_000 + facts.dice.below(90_000) + 100 * facts.version) * CENT
    paid = [(invoice, amount)]
    if facts.index % 6 == 5:
        paid = [(invoice, amount / 2), ((invoice + 1) % there["invoices"], amount / 2)]
    return {
        **paper(facts, prefix="P"),
        "CustomerRef": {"value": customer_of(seed, invoice, there)},
        "PaymentMethodRef": {"value": "1", "name": facts.dice.choice(("Cash", "Check", "Visa"))},
        "PaymentRefNum": f"REF{facts.index}",
        "TotalAmt": amount,
        "UnappliedAmt": 0,
        "Line": [
            {"Amount": part, "LinkedTxn": [{"TxnId": record_id(one), "TxnType": "Invoice"}]}
            for one, part in paid
        ],
    }


def make_refund_receipt(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    lines, subtotal = _lines(facts, seed=seed, there=there)
    return {
        **paper(facts, prefix="R"),
        "CustomerRef": {"value": record_id(facts.dice.below(there["customers"]))},
        "Line": lines,
        "TotalAmt": subtotal,
        "Balance": 0,
    }


def make_bill(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    amount = Decimal(500 + facts.dice.below(300_000) + 100 * facts.version) * CENT
    day = datetime.fromtimestamp(facts.created, ZONE).date() + timedelta(days=14)
    return {
        **paper(facts, prefix="B"),
        "DueDate": day.isoformat(),
        "VendorRef": {"value": record_id(facts.dice.below(there["vendors"]))},
        "APAccountRef": {"value": record_id(1), "name": "Accounts Payable (A/P)"},
        "Line": [
            {
                "Id": "1",
                "Amount": amount,
                "DetailType": "AccountBasedExpenseLineDetail",
                "AccountBasedExpenseLineDetail": {"AccountRef": {"value": record_id(3)}},
            }
        ],
        "TotalAmt": amount,
        "Balance": (amount, Decimal(0))[facts.index % 2],
    }


def _lines(facts: Facts, *, seed: int, there: Mapping[str, int]) -> tuple[list[Record], Decimal]:
    """Return the lines of a sale and what they come to; some in a bundle, some with a discount."""
    dice = facts.dice
    sold = [_sold(dice, seed, there, number=number + 1) for number in range(1 + dice.below(4))]
    gross = sum((line["Amount"] for line in sold), Decimal(0))
    lines = [_bundle(sold)] if facts.index % 8 == 7 else list(sold)
    lines.append({"Amount": gross, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}})
    discount = (gross / 10).quantize(CENT) if facts.index % 5 == 3 else Decimal(0)
    if discount:
        detail = {"PercentBased": True, "DiscountPercent": 10}
        lines.append({"Amount": discount, "DetailType": "DiscountLineDetail", "DiscountLineDetail": detail})
    return lines, gross - discount


def _sold(dice: Dice, seed: int, there: Mapping[str, int], *, number: int) -> Record:
    item, quantity = dice.below(there["items"]), 1 + dice.below(5)
    price = Decimal(ware(seed, item).cents) * CENT
    return {
        "Id": str(number),
        "LineNum": number,
        "Description": ware(seed, item).title,
        "Amount": price * quantity,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {
            "ItemRef": {"value": record_id(item)},
            "UnitPrice": price,
            "Qty": quantity,
            "TaxCodeRef": {"value": "TAX"},
        },
    }


def _bundle(sold: list[Record]) -> Record:
    group = {"GroupItemRef": {"value": "9000"}, "Quantity": 1, "Line": sold}
    return {"Id": "99", "Amount": 0, "DetailType": "GroupLineDetail", "GroupLineDetail": group}
