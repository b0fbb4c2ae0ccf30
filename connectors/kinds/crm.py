"""Kinds of customer relations; the contacts themselves are customers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from connectors.kinds.base import Kind


class Employee(Kind, frozen=True, kw_only=True):
    """One of our own people at the provider: who owns a deal, who teaches a class."""

    kind: ClassVar[str] = "employee"

    name: str | None = None
    email: str | None = None
    team: str | None = None
    is_active: bool | None = None


class Company(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "company"

    name: str | None = None
    domain: str | None = None
    industry: str | None = None
    phone: str | None = None
    city: str | None = None
    country: str | None = None
    employee_count: int | None = None
    #: The provider's word: lead, customer.
    status: str | None = None
    owner_external_id: str | None = None


class Deal(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "deal"

    title: str | None = None
    pipeline: str | None = None
    stage: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    is_won: bool | None = None
    is_closed: bool | None = None
    closes_at: datetime | None = None
    owner_external_id: str | None = None
    company_external_id: str | None = None
    #: The first contact, where there are several.
    customer_external_id: str | None = None


class Ticket(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "ticket"

    title: str | None = None
    pipeline: str | None = None
    stage: str | None = None
    priority: str | None = None
    category: str | None = None
    closed_at: datetime | None = None
    owner_external_id: str | None = None
    company_external_id: str | None = None
    customer_external_id: str | None = None
