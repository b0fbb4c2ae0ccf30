"""Tables of customer relations; the contacts themselves are customers."""

from __future__ import annotations

from django.db import models

from ingest.models.refined.base import CURRENCY, EMAIL, ID, LINK, MONEY, TEXT, RefinedRecord, links
from ingest.models.refined.shop import Customer


class Employee(RefinedRecord):
    name = models.TextField(**TEXT)
    email = models.CharField(**EMAIL)
    team = models.TextField(**TEXT)
    is_active = models.BooleanField(null=True)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, models.Index(fields=["email"], name="employee_email")]


class Company(RefinedRecord):
    name = models.TextField(**TEXT)
    domain = models.TextField(**TEXT)
    industry = models.TextField(**TEXT)
    phone = models.TextField(**TEXT)
    city = models.TextField(**TEXT)
    country = models.TextField(**TEXT)
    employee_count = models.BigIntegerField(null=True)
    status = models.TextField(**TEXT)
    owner = models.ForeignKey(Employee, related_name="companies", **LINK)
    owner_external_id = models.CharField(**ID)

    class Meta(RefinedRecord.Meta):
        verbose_name_plural = "companies"
        indexes = [
            *RefinedRecord.Meta.indexes,
            models.Index(fields=["domain"], name="company_domain"),
            *links("company", "owner"),
        ]


class Deal(RefinedRecord):
    title = models.TextField(**TEXT)
    pipeline = models.TextField(**TEXT)
    stage = models.TextField(**TEXT)
    currency = models.CharField(**CURRENCY)
    amount = models.DecimalField(**MONEY)
    is_won = models.BooleanField(null=True)
    is_closed = models.BooleanField(null=True)
    closes_at = models.DateTimeField(null=True)
    owner = models.ForeignKey(Employee, related_name="deals", **LINK)
    owner_external_id = models.CharField(**ID)
    company = models.ForeignKey(Company, related_name="deals", **LINK)
    company_external_id = models.CharField(**ID)
    customer = models.ForeignKey(Customer, related_name="deals", **LINK)
    customer_external_id = models.CharField(**ID)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("deal", "owner", "company", "customer")]


class Ticket(RefinedRecord):
    title = models.TextField(**TEXT)
    pipeline = models.TextField(**TEXT)
    stage = models.TextField(**TEXT)
    priority = models.TextField(**TEXT)
    category = models.TextField(**TEXT)
    closed_at = models.DateTimeField(null=True)
    owner = models.ForeignKey(Employee, related_name="tickets", **LINK)
    owner_external_id = models.CharField(**ID)
    company = models.ForeignKey(Company, related_name="tickets", **LINK)
    company_external_id = models.CharField(**ID)
    customer = models.ForeignKey(Customer, related_name="tickets", **LINK)
    customer_external_id = models.CharField(**ID)

    class Meta(RefinedRecord.Meta):
        indexes = [*RefinedRecord.Meta.indexes, *links("ticket", "owner", "company", "customer")]
