"""The datasets of the pretended company, and what can be wrong with their records."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from sandbox import quickbooks_names as names
from sandbox import quickbooks_papers as papers
from sandbox.data import Recipe, Record
from sandbox.defects import LONG_ID, json_defects, json_drifts
from sandbox.options import Options
from sandbox.quickbooks_common import COUNTS, ENTITIES, LISTS, Make, counts, record_id


def recipes(options: Options) -> list[tuple[Recipe, int]]:
    """Return how each entity's records are made, and how many there are."""
    there = counts(options)
    return [(_recipe(name, options, there), there[name]) for name in COUNTS]


def _recipe(name: str, options: Options, there: Mapping[str, int]) -> Recipe:
    make, text, typed, is_money, vanishing = _MADE[name]
    return Recipe(
        name=f"quickbooks.{name}",
        make=partial(make, seed=options.seed, there=there),
        external_id=record_id,
        defects={
            **json_defects(text=(text,), typed=(typed,), is_money=is_money),
            "missing_id": _without_id,
            "long_id": _with_a_long_id,
        },
        drifts=json_drifts(retyped=(typed,) if is_money else ("SyncToken",), vanishing=vanishing),
        removed_share=0.0 if ENTITIES[name] in LISTS else 0.02,
    )


def _without_id(record: Record) -> None:
    del record["Id"]


def _with_a_long_id(record: Record) -> None:
    record["Id"] = LONG_ID


#: How each is made; a field of text, one that every reader gives a type, whether that is money, and one
#: that may vanish.
_MADE: dict[str, tuple[Make, str, str, bool, str]] = {
    "customers": (names.make_customer, "Notes", "DisplayName", False, "FullyQualifiedName"),
    "vendors": (names.make_vendor, "PrintOnCheckName", "Balance", True, "CompanyName"),
    "employees": (names.make_employee, "PrintOnCheckName", "DisplayName", False, "GivenName"),
    "departments": (names.make_department, "Name", "FullyQualifiedName", False, "SubDepartment"),
    "accounts": (names.make_account, "AccountType", "CurrentBalance", True, "AcctNum"),
    "items": (names.make_item, "Description", "UnitPrice", True, "Sku"),
    "invoices": (papers.make_invoice, "PrivateNote", "TotalAmt", True, "DocNumber"),
    "payments": (papers.make_payment, "PrivateNote", "TotalAmt", True, "PaymentRefNum"),
    "sales_receipts": (papers.make_sales_receipt, "PrivateNote", "TotalAmt", True, "DepartmentRef"),
    "refund_receipts": (papers.make_refund_receipt, "PrivateNote", "TotalAmt", True, "CustomerRef"),
    "bills": (papers.make_bill, "PrivateNote", "TotalAmt", True, "DueDate"),
}
