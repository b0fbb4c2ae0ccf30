"""What a studio does: classes, the places booked in them, memberships, people who teach, locations."""

from __future__ import annotations

from collections.abc import Mapping

from connectors import normal
from connectors.base import Json
from connectors.kinds import ClassSession, Employee, Location, Membership, Reservation
from connectors.providers.mariana_tek import classifying
from connectors.providers.mariana_tek.resources import Resource, names_in

#: An instance in one of these is not charged again.
ENDED = frozenset({"cancelled", "terminated", "done"})
CANCELLED, ARCHIVED, SCHEDULED = "cancelled", "archived", "scheduled"


def refine_location(payload: Json) -> Location:
    one = Resource(payload)
    raw = one.attributes
    is_listed, is_archived = raw.boolean("listed"), raw.moment("archived_at") is not None
    return Location(
        external_id=one.external_id,
        name=raw.text("name"),
        street=normal.full_name(
            raw.text("address_line1", "address_line_1"), raw.text("address_line2", "address_line_2")
        ),
        city=raw.text("city"),
        region=raw.text("state_province"),
        postal_code=raw.text("postal_code"),
        country=raw.text("country", "country_code"),
        phone=normal.phone(raw.text("phone_number"), raw.text("country", "country_code")),
        timezone=raw.text("timezone"),
        is_active=False if is_archived else is_listed,
    )


def refine_employee(payload: Json) -> Employee:
    one = Resource(payload)
    raw = one.attributes
    return Employee(
        external_id=one.external_id,
        name=raw.text("schedule_display_name", "name", "full_name"),
        email=normal.email(raw.text("email")),
        is_active=raw.boolean("enabled", "is_active"),
    )


def refine_class_session(payload: Json, *, class_types: Mapping[str, str] | None = None) -> ClassSession:
    one = Resource(payload)
    raw = one.attributes
    title = raw.text("class_type_display", "class_name")
    is_cancelled = raw.moment("cancellation_datetime") is not None
    is_archived = raw.moment("archived_at") is not None
    return ClassSession(
        external_id=one.external_id,
        occurred_at=raw.moment("start_datetime", "start_date"),
        title=title,
        class_type=classifying.class_type(title, class_types or {}),
        status=CANCELLED if is_cancelled else ARCHIVED if is_archived else SCHEDULED,
        instructor=names_in(payload, "instructor_names"),
        location_external_id=one.related("location"),
        ends_at=raw.moment("end_datetime"),
        capacity=raw.integer("capacity"),
        booked_count=raw.integer("standard_reservation_user_count"),
    )


def refine_reservation(payload: Json, *, partners: Mapping[str, str] | None = None) -> Reservation:
    one = Resource(payload)
    raw = one.attributes
    customer = one.related("user")
    return Reservation(
        external_id=one.external_id,
        occurred_at=raw.moment("creation_date"),
        status=raw.text("status"),
        type=raw.text("reservation_type"),
        booking_source=classifying.booking_source(
            (raw.text("payment_option_name", "payment_name"), raw.text("guest_email")),
            devices=(raw.text("booking_source", "source", "channel"), raw.text("device")),
            customer=customer,
            broker=one.related("broker"),
            is_guest=raw.boolean("reserved_for_guest"),
            own=partners or {},
        ),
        customer_external_id=customer,
        class_session_external_id=one.related("class_session"),
        membership_external_id=one.related("membership_instance"),
        checked_in_at=raw.moment("check_in_date"),
        cancelled_at=raw.moment("cancel_date"),
    )


def refine_membership(payload: Json) -> Membership:
    one = Resource(payload)
    raw = one.attributes
    status = raw.text("status")
    return Membership(
        external_id=one.external_id,
        occurred_at=raw.moment("purchase_date"),
        title=raw.text("membership_name"),
        status=status,
        customer_external_id=one.related("user"),
        location_external_id=one.related("purchase_location"),
        product_external_id=one.related("membership_product"),
        currency=normal.currency(raw.text("renewal_currency")),
        renewal_amount=raw.decimal("renewal_rate"),
        starts_at=raw.moment("calculated_start_datetime", "start_date", "scheduled_start_datetime"),
        ends_at=raw.moment("calculated_end_datetime", "end_date", "scheduled_end_datetime"),
        cancelled_at=raw.moment("cancellation_datetime"),
        is_renewing=_is_renewing(status, raw.text("next_charge_date")),
    )


def _is_renewing(status: str | None, next_charge: str | None) -> bool | None:
    if (status or "").lower() in ENDED:
        return False
    return True if next_charge else None
