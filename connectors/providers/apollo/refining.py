"""What Apollo's records mean: contacts are customers, accounts companies."""

from __future__ import annotations

from connectors import normal
from connectors.base import Json
from connectors.fields import Fields
from connectors.kinds import Company, Customer, Deal

_LOCKED = "email_not_unlocked@"


def refine_contact(payload: Json) -> Customer:
    raw = Fields(payload)
    email = normal.email(raw.text("email"))
    return Customer(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        updated_at=raw.moment("updated_at"),
        email=None if email and email.startswith(_LOCKED) else email,
        name=raw.text("name") or normal.full_name(raw.text("first_name"), raw.text("last_name")),
        phone=normal.phone(raw.text("sanitized_phone")),
        country=raw.text("country"),
        status=raw.reference("contact_stage_id"),
        company_name=normal.company_name(raw.text("organization_name")),
        company_external_id=raw.reference("account_id"),
        owner_external_id=raw.reference("owner_id"),
    )


def refine_account(payload: Json) -> Company:
    raw = Fields(payload)
    return Company(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        name=normal.company_name(raw.text("name")),
        domain=raw.text("primary_domain", "domain"),
        industry=raw.text("industry"),
        phone=normal.phone(raw.text("sanitized_phone", "phone")),
        city=raw.text("organization_city"),
        country=raw.text("organization_country"),
        employee_count=raw.integer("estimated_num_employees"),
        status=raw.reference("account_stage_id"),
        owner_external_id=raw.reference("owner_id"),
    )


def refine_deal(payload: Json) -> Deal:
    raw = Fields(payload)
    return Deal(
        external_id=raw.identity(),
        occurred_at=raw.moment("created_at"),
        title=raw.text("name"),
        pipeline=raw.reference("opportunity_pipeline_id"),
        stage=raw.text("stage_name", "opportunity_stage_id"),
        currency=normal.currency(raw.inside("currency").text("iso_code")),
        amount=raw.decimal("amount"),
        is_won=raw.boolean("is_won"),
        is_closed=raw.boolean("is_closed"),
        closes_at=raw.moment("closed_date"),
        owner_external_id=raw.reference("owner_id"),
        company_external_id=raw.reference("account_id"),
    )
