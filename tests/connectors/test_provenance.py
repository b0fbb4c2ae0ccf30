"""The table of fields in the documentation is found by trying: tricky rooms, and what is found in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors import normal
from connectors.fields import Fields
from connectors.kinds import Customer, Invoice, InvoiceLine, Kind, Payment, Reservation
from connectors.mapping import FieldMapping
from connectors.provenance import provenance

BOOKING_SOURCES = {"ios_app": "app", "front_desk": "staff"}
SALES_LINE = "SalesItemLineDetail"
Payload = Mapping[str, Any]


def refine_payment(payload: Payload) -> Kind:
    raw = Fields(payload)
    currency = normal.currency(raw.text("currency"))
    return Payment(
        external_id=raw.identity(),
        occurred_at=raw.moment("created"),
        type="charge",
        currency=currency,
        amount=normal.money(raw.integer("amount"), currency),
        customer_external_id=raw.reference("customer", "customer_id"),
        method=raw.inside("details").text("type"),
    )


def refine_reservation(payload: Payload) -> Kind:
    attributes = Fields(payload).inside("attributes")
    return Reservation(
        external_id=Fields(payload).identity(),
        booking_source=BOOKING_SOURCES.get(attributes.text("source") or "", "other"),
        status="cancelled" if attributes.boolean("is_cancelled") else attributes.text("status"),
    )


def refine_invoice(payload: Payload) -> Kind:
    raw = Fields(payload)
    lines = (line for line in raw.each("Line") if line.text("DetailType") == SALES_LINE)
    return Invoice(
        external_id=raw.identity("Id"),
        lines=tuple(
            InvoiceLine(
                external_id=f"{raw.identity('Id')}:{line.identity('Id')}",
                total_amount=line.decimal("Amount"),
                product_external_id=line.inside(SALES_LINE).inside("ItemRef").reference("value"),
            )
            for line in lines
        ),
    )


def refine_contact(payload: Payload) -> Kind:
    values = payload["properties"]
    if values.get("kind") not in {"person", "firm"}:
        raise ValueError(values)
    name = values.get("name") if values["kind"] == "firm" else values.get("first_name")
    return Customer(external_id=str(payload["id"]), name=name, email=values.get("email"))


def test_plain_fields_fallbacks_money_and_what_is_always_the_same() -> None:
    found = provenance(refine_payment)
    assert found.sources["payment"] == {
        "currency": ["currency"],
        "amount": ["amount"],
        "external_id": ["id"],
        "occurred_at": ["created"],
        "customer_external_id": ["customer", "customer_id"],
        "method": ["details.type"],
    }
    assert found.fixed == {"payment": {"type": "charge"}}
    assert found.unseen == []


def test_classifications_and_flags_are_seen_through() -> None:
    found = provenance(refine_reservation)
    assert found.sources["reservation"] == {
        "external_id": ["id"],
        "booking_source": ["attributes.source"],
        "status": ["attributes.is_cancelled", "attributes.status"],
    }


def test_children_that_only_some_words_bring_are_found() -> None:
    found = provenance(refine_invoice)
    assert found.sources["invoice_line"] == {
        "external_id": ["Id", "Line[].Id"],
        "total_amount": ["Line[].Amount"],
        "product_external_id": ["Line[].SalesItemLineDetail.ItemRef.value"],
    }


def test_a_room_that_reads_the_payload_itself_is_understood() -> None:
    found = provenance(refine_contact)
    assert found.sources["customer"]["external_id"] == ["id"]
    assert found.sources["customer"]["email"] == ["properties.email"]
    assert {"properties.name", "properties.first_name"} <= set(found.sources["customer"]["name"])


def test_a_table_of_paths_is_understood_too() -> None:
    mapping = FieldMapping(
        kind="customer", mapping={"external_id": "id", "name": "person.names.full", "email": "mail || email"}
    )
    found = provenance(mapping.refine)
    assert found.sources["customer"] == {
        "external_id": ["id"],
        "name": ["person.names.full"],
        "email": ["mail", "email"],
    }


def test_what_is_read_without_effect_is_said() -> None:
    def refine(payload: Payload) -> Kind:
        raw = Fields(payload)
        raw.text("livemode")
        return Customer(external_id=raw.identity())

    assert provenance(refine).unseen == ["livemode"]


def test_a_function_that_understands_nothing_says_nothing() -> None:
    def refine(payload: Payload) -> Kind:
        raise ValueError(payload)

    found = provenance(refine)
    assert (found.sources, found.fixed, found.unseen) == ({}, {}, [])
