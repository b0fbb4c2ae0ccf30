"""Kinds of a studio: classes, the places booked in them, and what people book with."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from connectors.kinds.base import Kind


class ClassSession(Kind, frozen=True, kw_only=True):
    """A class at a time and a place; it occurs when it starts."""

    kind: ClassVar[str] = "class_session"

    title: str | None = None
    #: What the room makes of the title: yoga, ride.
    class_type: str | None = None
    status: str | None = None
    instructor: str | None = None
    location_external_id: str | None = None
    ends_at: datetime | None = None
    capacity: int | None = None
    booked_count: int | None = None


class Membership(Kind, frozen=True, kw_only=True):
    """What one customer bought: an instance of a plan, keyed by the instance."""

    kind: ClassVar[str] = "membership"

    title: str | None = None
    status: str | None = None
    customer_external_id: str | None = None
    location_external_id: str | None = None
    #: The plan it is an instance of.
    product_external_id: str | None = None
    currency: str | None = None
    #: What a renewal costs.
    renewal_amount: Decimal | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    cancelled_at: datetime | None = None
    is_renewing: bool | None = None


class Reservation(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "reservation"

    status: str | None = None
    type: str | None = None
    #: What the room makes of where it was booked: web, app, staff.
    booking_source: str | None = None
    customer_external_id: str | None = None
    class_session_external_id: str | None = None
    membership_external_id: str | None = None
    checked_in_at: datetime | None = None
    cancelled_at: datetime | None = None
