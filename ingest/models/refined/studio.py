"""Tables of a studio: classes, the places booked in them, and what people book with."""

from __future__ import annotations

from django.db import models

from ingest.models.refined.base import CURRENCY, ID, LINK, MONEY, TEXT, RefinedRecord, links
from ingest.models.refined.shop import Customer, Location, Product


class ClassSession(RefinedRecord):
    title = models.TextField(**TEXT)
    class_type = models.TextField(**TEXT)
    status = models.TextField(**TEXT)
    instructor = models.TextField(**TEXT)
    location = models.ForeignKey(Location, related_name="class_sessions", **LINK)
    location_external_id = models.CharField(**ID)
    ends_at = models.DateTimeField(null=True)
    capacity = models.BigIntegerField(null=True)
    booked_count = models.BigIntegerField(null=True)

    class Meta(RefinedRecord.Meta):
        verbose_name = "class session"
        indexes = [*RefinedRecord.Meta.indexes, *links("session", "location")]


class Membership(RefinedRecord):
    title = models.TextField(**TEXT)
    status = models.TextField(**TEXT)
    customer = models.ForeignKey(Customer, related_name="memberships", **LINK)
    customer_external_id = models.CharField(**ID)
    location = models.ForeignKey(Location, related_name="memberships", **LINK)
    location_external_id = models.CharField(**ID)
    product = models.ForeignKey(Product, related_name="memberships", **LINK)
    product_external_id = models.CharField(**ID)
    currency = models.CharField(**CURRENCY)
    renewal_amount = models.DecimalField(**MONEY)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    is_renewing = models.BooleanField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("membership", "customer", "location", "product")]


class Reservation(RefinedRecord):
    status = models.TextField(**TEXT)
    type = models.TextField(**TEXT)
    booking_source = models.TextField(**TEXT)
    customer = models.ForeignKey(Customer, related_name="reservations", **LINK)
    customer_external_id = models.CharField(**ID)
    class_session = models.ForeignKey(ClassSession, related_name="reservations", **LINK)
    class_session_external_id = models.CharField(**ID)
    membership = models.ForeignKey(Membership, related_name="reservations", **LINK)
    membership_external_id = models.CharField(**ID)
    checked_in_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [
            *RefinedRecord.Meta.indexes,
            *links("booking", "customer", "class_session", "membership"),
        ]
