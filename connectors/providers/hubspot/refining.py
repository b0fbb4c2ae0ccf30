"""What HubSpot's records mean: property values are texts, and "" is as good as null."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from connectors import normal
from connectors.base import Json
from connectors.errors import RecordError
from connectors.fields import Fields
from connectors.kinds import Company, Customer, Deal, Employee, GenericRecord, Ticket
from connectors.providers.hubspot.legacy import in_todays_shape

#: How HubSpot labels the company a contact, deal or ticket belongs to first of all.
PRIMARY = "Primary"


class Properties:
    """The property values of one record."""

    def __init__(self, raw: Fields) -> None:
        self._values = raw.inside("properties")

    def text(self, *names: str) -> str | None:
        """Return the first of the values that is set."""
        for name in names:
            value = self._values.text(name)
            if value and value.strip():
                return value
        return None

    def moment(self, name: str) -> datetime | None:
        """:raises RecordError: if it is neither ISO 8601 nor epoch milliseconds"""
        try:
            return normal.moment(self._values.text(name))
        except RecordError as error:
            raise RecordError(f"properties.{name}: {error}") from None

    def decimal(self, name: str) -> Decimal | None:
        return self._values.decimal(name)

    def integer(self, name: str) -> int | None:
        return self._values.integer(name)

    def boolean(self, name: str) -> bool | None:
        return self._values.boolean(name)


def refine_contact(payload: Json) -> Customer:
    raw = Fields(in_todays_shape(payload, "contacts"))
    properties = Properties(raw)
    return Customer(
        external_id=raw.identity(),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        email=normal.email(properties.text("email")),
        name=normal.full_name(properties.text("firstname"), properties.text("lastname")),
        phone=normal.phone(properties.text("phone", "mobilephone")),
        country=properties.text("country"),
        status=properties.text("lifecyclestage"),
        company_name=normal.company_name(properties.text("company")),
        company_external_id=properties.text("associatedcompanyid"),
        owner_external_id=properties.text("hubspot_owner_id"),
    )


def refine_company(payload: Json) -> Company:
    raw = Fields(in_todays_shape(payload, "companies"))
    properties = Properties(raw)
    return Company(
        external_id=raw.identity(),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        name=normal.company_name(properties.text("name")),
        domain=properties.text("domain"),
        industry=properties.text("industry"),
        phone=normal.phone(properties.text("phone")),
        city=properties.text("city"),
        country=properties.text("country"),
        employee_count=properties.integer("numberofemployees"),
        status=properties.text("lifecyclestage"),
        owner_external_id=properties.text("hubspot_owner_id"),
    )


def refine_deal(payload: Json, *, account_currency: str | None = None) -> Deal:
    raw = Fields(in_todays_shape(payload, "deals"))
    properties = Properties(raw)
    return Deal(
        external_id=raw.identity(),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        title=properties.text("dealname"),
        pipeline=properties.text("pipeline"),
        stage=properties.text("dealstage"),
        currency=normal.currency(properties.text("deal_currency_code")) or account_currency,
        amount=properties.decimal("amount"),
        is_won=properties.boolean("hs_is_closed_won"),
        is_closed=properties.boolean("hs_is_closed"),
        closes_at=properties.moment("closedate"),
        owner_external_id=properties.text("hubspot_owner_id"),
        company_external_id=_associated(raw, "companies"),
        customer_external_id=_associated(raw, "contacts"),
    )


def refine_ticket(payload: Json) -> Ticket:
    raw = Fields(in_todays_shape(payload, "tickets"))
    properties = Properties(raw)
    return Ticket(
        external_id=raw.identity(),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        title=properties.text("subject"),
        pipeline=properties.text("hs_pipeline"),
        stage=properties.text("hs_pipeline_stage"),
        priority=properties.text("hs_ticket_priority"),
        category=properties.text("hs_ticket_category"),
        closed_at=properties.moment("closed_date"),
        owner_external_id=properties.text("hubspot_owner_id"),
        company_external_id=_associated(raw, "companies"),
        customer_external_id=_associated(raw, "contacts"),
    )


def _associated(raw: Fields, name: str) -> str | None:
    """Return the primary one, or else that of the lowest id."""
    found: str | None = None
    for one in raw.inside("associations").each(name):
        other = one.reference("toObjectId")
        if any(kind.text("label") == PRIMARY for kind in one.each("associationTypes")):
            return other
        found = found or other
    return found


def refine_owner(payload: Json) -> Employee:
    raw = Fields(payload)
    teams = {team.boolean("primary"): team.text("name") for team in raw.each("teams")}
    archived = raw.boolean("archived")
    return Employee(
        external_id=raw.identity(),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        name=normal.full_name(raw.text("firstName"), raw.text("lastName")),
        email=normal.email(raw.text("email")),
        team=teams.get(True) or next(iter(teams.values()), None),
        is_active=None if archived is None else not archived,
    )


def refine_pipeline(payload: Json, *, of: str) -> GenericRecord:
    raw = Fields(payload)
    return GenericRecord(
        external_id=pipeline_id(of, raw.identity()),
        occurred_at=raw.moment("createdAt"),
        updated_at=raw.moment("updatedAt"),
        title=raw.text("label"),
    )


def pipeline_id(of: str, provider_id: str) -> str:
    """Return an id of its own: a pipeline of deals and one of tickets may have the same."""
    return f"{of}/{provider_id}"
