"""Recorded answers of QuickBooks Online, written in JSON as the API does it, refined to the last record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from connectors import exact_json
from connectors.errors import RecordError
from connectors.kinds import KINDS, Invoice, Kind, Order
from connectors.providers.quickbooks import ENTITIES

REFINE = {entity: (kind, refine) for entity, kind, refine, _ in ENTITIES.values()}
#: Lists of one are lists in JSON, too.
LISTS = frozenset({"Line", "LinkedTxn", "TaxLine", "CustomField", "OtherContactInfo", "NameValue", "Tag"})
#: Edited by hand for tests of theirs: the lines do not make the total.
ODD = frozenset({"invoice", "sales_receipt", "fetch_sales_receipt_by_id"})
#: Cut off, or a tag is not closed.
NO_XML = frozenset(
    (
        "company_currency_query",
        "deleted_employee",
        "deleted_purchase_order",
        "exchange_rate",
        "fetch_employee_by_id",
        "purchase_create",
        "tax_agencies",
        "tax_agency",
        "tax_agency_entity",
        "tax_service",
        "tax_service_entity",
    )
)
#: Written as numbers in JSON; nothing else that looks like one is.
NUMBERS = frozenset(
    (
        "Amount",
        "Balance",
        "CurrentBalance",
        "Qty",
        "QtyOnHand",
        "TotalAmt",
        "TotalTax",
        "UnappliedAmt",
        "UnitPrice",
    )
)


def recorded(folder: Path) -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Yield each object of our entities with its file, its entity, and whether it says that it is gone."""
    for file in sorted(folder.glob("*.xml")):
        if file.stem in NO_XML:
            continue
        for element in ET.fromstring(file.read_bytes().strip()).iter():
            entity = element.tag.rpartition("}")[2]
            if entity in REFINE and len(element):
                yield file.stem, entity, _object(element), element.get("status") == "Deleted"


def _object(element: ET.Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        name = child.tag.rpartition("}")[2]
        value = _value(name, child)
        if name in LISTS:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _value(name: str, element: ET.Element) -> Any:
    text = (element.text or "").strip()
    if name.endswith("Ref") or name == "CustomerMemo":
        named = {"name": element.get("name")} if element.get("name") else {}
        return {"value": text, **named}
    if len(element) or name.endswith("Detail"):
        return _object(element)
    if text in {"true", "false"}:
        return text == "true"
    return exact_json.loads(text.encode()) if name in NUMBERS and text else text


def test_every_recorded_object_is_a_row_or_says_why_not(samples: Path) -> None:
    rows: Counter[str] = Counter()
    refused: list[str] = []
    for file, entity, payload, _ in recorded(samples / "quickbooks" / "ruby_fixtures_xml"):
        kind, refine = REFINE[entity]
        try:
            one: Kind = refine(payload)
        except RecordError as error:
            refused.append(f"{file} {entity}: {error}")
            continue
        assert type(one) is KINDS[kind]
        assert one.external_id == payload["Id"]
        rows[entity] += 1
    assert refused == [
        "bill_create_request Bill: no value for Id",
        "bill_line_item_expense Bill: no value for Id",
        "invoice_sparse_create_request Invoice: no value for Id",
    ]
    assert rows == {
        "Invoice": 14,
        "Account": 12,
        "Customer": 11,
        "Payment": 11,
        "Item": 8,
        "SalesReceipt": 8,
        "Vendor": 7,
        "Department": 6,
        "Bill": 5,
        "RefundReceipt": 5,
        "Employee": 3,
    }


def test_recorded_sales_add_up(samples: Path) -> None:
    """Lines, bundles opened and discounts taken off, and tax make the total."""
    checked = 0
    for file, entity, payload, _ in recorded(samples / "quickbooks" / "ruby_fixtures_xml"):
        if entity not in {"Invoice", "SalesReceipt"} or "TotalAmt" not in payload or "Id" not in payload:
            continue
        sale = REFINE[entity][1](payload)
        assert isinstance(sale, Invoice | Order)
        if not sale.lines or file in ODD:
            continue
        lines = sum(line.total_amount or Decimal() for line in sale.lines)
        assert lines + (sale.tax_amount or 0) == sale.total_amount, file
        checked += 1
    assert checked == 12


def test_recorded_voids_and_inactive_names_are_told_as_such(samples: Path) -> None:
    found = {
        (file, entity): REFINE[entity][1](payload)
        for file, entity, payload, is_gone in recorded(samples / "quickbooks" / "ruby_fixtures_xml")
        if not is_gone and "Id" in payload
    }
    assert found["invoice_void_success_response", "Invoice"].status == "voided"  # type: ignore[attr-defined]
    assert found["payment_void_response_success", "Payment"].status == "voided"  # type: ignore[attr-defined]
    deleted = found["deleted_customer", "Customer"]
    assert (deleted.name, deleted.status) == ("Thrifty Meats (deleted)", "inactive")  # type: ignore[attr-defined]
