"""HubSpot: what its records become."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import connect, exact_json
from connectors.base import Access
from connectors.errors import RecordError
from connectors.kinds import Company, Customer, Deal, Employee, GenericRecord, Ticket

PAGES = Path(__file__).parent / "pages"
CREATED = datetime(2026, 3, 1, 9, 0, 0, 120_000, tzinfo=UTC)
UPDATED = datetime(2026, 3, 4, 17, 30, 5, 7_000, tzinfo=UTC)


def records(stream: str) -> list[dict[str, Any]]:
    body = exact_json.loads((PAGES / f"{stream}_1.json").read_bytes())
    return body["results"]  # type: ignore[no-any-return]


def refine(stream: str, payload: dict[str, Any], **config: Any) -> Any:
    connector = connect("hubspot", config=config, credentials={"access_token": "pat-na1-x"}, access=Access())
    return connector.stream(stream).refine(payload)


def refined(stream: str, number: int = 0, **config: Any) -> Any:
    return refine(stream, records(stream)[number], **config)


def test_a_contact_is_understood() -> None:
    assert refined("contacts") == Customer(
        external_id="151",
        occurred_at=CREATED,
        updated_at=UPDATED,
        email="zoe@example.com",
        name="Zoë Łukasik",
        phone="+4930123456",
        country="Poland",
        status="lead",
        company_name="North & Sons",
        company_external_id="9001",
        owner_external_id="44",
    )


def test_a_contact_with_nothing_set_is_understood() -> None:
    contact: Customer = refined("contacts", 1)
    assert (contact.external_id, contact.email, contact.name, contact.phone) == ("152", None, None, None)
    assert (contact.company_external_id, contact.owner_external_id) == (None, None)


def test_the_mobile_phone_stands_in_for_an_empty_one() -> None:
    properties = {**records("contacts")[0]["properties"], "phone": "", "mobilephone": "+1 500 555 0006"}
    contact = refine("contacts", {**records("contacts")[0], "properties": properties})
    assert contact.phone == "+15005550006"


def test_a_company_is_understood() -> None:
    assert refined("companies") == Company(
        external_id="9001",
        occurred_at=CREATED,
        updated_at=UPDATED,
        name="North & Sons",
        domain="north.example",
        industry="RETAIL",
        phone=None,
        city="Łódź",
        country="Poland",
        employee_count=25,
        status="customer",
        owner_external_id="44",
    )


def test_a_deal_is_understood_with_whom_it_belongs_to() -> None:
    assert refined("deals") == Deal(
        external_id="14001",
        occurred_at=CREATED,
        updated_at=UPDATED,
        title="Stools for the café",
        pipeline="default",
        stage="closedwon",
        currency="EUR",
        amount=Decimal("1000.00"),
        is_won=True,
        is_closed=True,
        closes_at=datetime(2026, 4, 1, tzinfo=UTC),
        owner_external_id="44",
        company_external_id="9002",
        customer_external_id="151",
    )


def test_a_deal_of_an_account_with_one_currency_has_that_one() -> None:
    deal: Deal = refined("deals", 1)
    assert (deal.currency, deal.amount, deal.closes_at) == (None, None, None)
    assert (deal.company_external_id, deal.customer_external_id) == (None, None)
    assert refined("deals", 1, currency="PLN").currency == "PLN"
    assert refined("deals", 0, currency="PLN").currency == "EUR"


def test_a_time_in_milliseconds_is_understood() -> None:
    properties = {**records("deals")[0]["properties"], "closedate": "1775001600000"}
    deal = refine("deals", {**records("deals")[0], "properties": properties})
    assert deal.closes_at == datetime(2026, 4, 1, tzinfo=UTC)


def test_a_ticket_is_understood() -> None:
    ticket: Ticket = refined("tickets")
    assert (ticket.title, ticket.pipeline, ticket.stage) == ("Wobbly stool", "0", "4")
    assert (ticket.priority, ticket.category) == ("HIGH", "PRODUCT_ISSUE;OTHER")
    assert ticket.closed_at == datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
    assert (ticket.customer_external_id, ticket.company_external_id) == ("152", None)


def test_owners_are_understood_archived_ones_too() -> None:
    assert refined("owners") == Employee(
        external_id="44",
        occurred_at=CREATED,
        updated_at=UPDATED,
        name="Ana Tamm",
        email="ana@example.com",
        team="Süd",
        is_active=True,
    )
    queue: Employee = refined("owners", 1)
    assert (queue.name, queue.team, queue.is_active) == (None, None, False)


@pytest.mark.parametrize(
    ("stream", "external_id"),
    [("deal_pipelines", "deals/default"), ("ticket_pipelines", "tickets/default")],
)
def test_pipelines_of_one_id_stay_apart(stream: str, external_id: str) -> None:
    pipeline = refine(stream, records("deal_pipelines")[0])
    assert pipeline == GenericRecord(
        external_id=external_id, occurred_at=CREATED, updated_at=UPDATED, title="Sales"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": None}, "no value for id"),
        ({"updatedAt": "last week"}, "updatedAt"),
        ({"properties": ["amount"]}, "properties: expected an object"),
        ({"properties": {"amount": "much"}}, "properties.amount: 'much' is not a number"),
        ({"properties": {"amount": {"value": 1}}}, "properties.amount"),
        ({"properties": {"hs_is_closed": "perhaps"}}, "properties.hs_is_closed"),
        ({"properties": {"closedate": "soon"}}, "properties.closedate"),
        ({"properties": {"deal_currency_code": "euros"}}, "currency"),
        ({"associations": {"companies": [{"toObjectId": {}}]}}, r"associations.companies\[1\].toObjectId"),
    ],
)
def test_a_deal_that_cannot_be_understood_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        refine("deals", {**records("deals")[0], **change})


def test_a_record_of_the_retired_api_is_understood() -> None:
    old = {
        "portalId": 62515,
        "dealId": 1169756,
        "isDeleted": False,
        "associations": {
            "associatedVids": [27136],
            "associatedCompanyIds": [8954037],
            "associatedDealIds": [],
        },
        "properties": {
            "createdate": {"value": "1418044235821", "timestamp": 1418044235821},
            "dealname": {"value": "Old"},
            "amount": {"value": "12.5"},
        },
    }
    deal: Deal = refine("deals", json.loads(json.dumps(old)))
    assert (deal.external_id, deal.title, deal.amount) == ("1169756", "Old", Decimal("12.5"))
    assert (deal.customer_external_id, deal.company_external_id) == ("27136", "8954037")
    assert deal.occurred_at == datetime(2014, 12, 8, 13, 10, 35, 821_000, tzinfo=UTC)
