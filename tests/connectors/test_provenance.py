"""The table of fields in the documentation is found by trying: tricky rooms, and what is found in them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from connectors import all_connectors, normal
from connectors.describing import describe
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


def refine_receipt(payload: Payload) -> Kind:
    raw = Fields(payload)
    sums = [line.decimal("Amount") for line in raw.each("Line") if line.text("DetailType") == "SubTotal"]
    return Invoice(
        external_id=raw.identity("Id"),
        subtotal_amount=next(iter(sums), None),
        status="paid" if raw.text("State", "Status") in {"Settled", "Closed"} else "open",
    )


def refine_statement(payload: Payload) -> Kind:
    raw = Fields(payload)
    listed = raw.inside("lines")
    if "data" not in payload["lines"] or listed.boolean("has_more"):
        return Invoice(external_id=raw.identity())
    lines = tuple(InvoiceLine(external_id=line.identity()) for line in listed.each("data"))
    return Invoice(external_id=raw.identity(), lines=lines)


def refine_session(payload: Payload) -> Kind:
    raw = Fields(payload)
    is_gone, is_listed = raw.moment("gone_at") is not None, raw.boolean("listed")
    return Reservation(external_id=raw.identity(), status="gone" if is_gone else str(is_listed))


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


def test_a_word_is_heard_where_it_is_compared() -> None:
    found = provenance(refine_receipt)
    assert found.sources["invoice"] == {
        "external_id": ["Id"],
        "subtotal_amount": ["Line[].DetailType", "Line[].Amount"],
        "status": ["State", "Status"],
    }


def test_children_behind_a_refusal_and_a_flag_are_found() -> None:
    found = provenance(refine_statement)
    assert found.sources["invoice_line"] == {"external_id": ["lines.data[].id"]}
    assert "lines.has_more" in found.sources["invoice"]["lines"]


def test_what_another_answer_hides_is_found() -> None:
    found = provenance(refine_session)
    assert found.sources["reservation"]["status"] == ["gone_at", "listed"]
    assert found.unseen == []


def test_a_currency_to_fall_back_on_is_found() -> None:
    def refine(payload: Payload) -> Kind:
        raw = Fields(payload)
        code = normal.currency(raw.inside("price").text("currency")) or normal.currency(raw.text("currency"))
        return Payment(external_id=raw.identity(), currency=code)

    assert provenance(refine).sources["payment"]["currency"] == ["price.currency", "currency"]


def test_a_sum_is_not_taken_for_another_field() -> None:
    names = [f"part{number}" for number in range(25)]

    def refine(payload: Payload) -> Kind:
        raw = Fields(payload)
        parts = [raw.decimal(name) or Decimal() for name in names]
        return Payment(external_id=raw.identity(), amount=parts[0] + parts[1], refunded_amount=parts[2])

    found = provenance(refine)
    assert found.sources["payment"]["amount"] == ["part0", "part1"]
    assert found.sources["payment"]["refunded_amount"] == ["part2"]
    assert found.unseen == names[3:]


def test_more_than_can_be_tried_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert provenance(refine_payment).is_complete
    monkeypatch.setattr("connectors.provenance.MOST_TRIES", 20)
    assert not provenance(refine_payment).is_complete


ROOMS = {
    f"{one.name}.{stream.name}": (stream.kind, one.fields[stream.name])
    for one in map(describe, all_connectors().values())
    for stream in one.streams
}


@pytest.mark.parametrize("name", ROOMS)
def test_every_stream_of_every_room_is_found_out_completely(name: str) -> None:
    kind, found = ROOMS[name]
    assert found.is_complete
    assert "external_id" in found.sources[kind]


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
