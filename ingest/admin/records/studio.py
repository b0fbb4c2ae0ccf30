"""Pages of a studio's kinds."""

from __future__ import annotations

from django.contrib import admin

from ingest.admin.records import shown
from ingest.admin.records.base import RefinedAdmin, Related, count, target, text
from ingest.models import ClassSession, Membership, Reservation


@admin.register(ClassSession)
class ClassSessionAdmin(RefinedAdmin):
    columns = (
        *shown.CLASS_SESSION,
        text("occurred_at", "Starts"),
        count("booked_count", "Booked"),
        count("capacity", "Places"),
        target("location"),
    )
    related = (
        Related(
            title="Reservations",
            model=Reservation,
            by="class_session",
            columns=(*shown.RESERVATION, target("customer")),
        ),
    )


@admin.register(Membership)
class MembershipAdmin(RefinedAdmin):
    columns = (*shown.MEMBERSHIP, target("customer"))
    related = (Related(title="Reservations", model=Reservation, by="membership", columns=shown.RESERVATION),)


@admin.register(Reservation)
class ReservationAdmin(RefinedAdmin):
    columns = (*shown.RESERVATION, target("customer"), target("class_session"))
