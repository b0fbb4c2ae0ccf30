"""Pages of customer relations."""

from __future__ import annotations

from django.contrib import admin

from ingest.admin.records import shown
from ingest.admin.records.base import RefinedAdmin, Related, target, text
from ingest.models import Company, Customer, Deal, Employee, Ticket


@admin.register(Employee)
class EmployeeAdmin(RefinedAdmin):
    columns = (text("name"), text("email", "E-mail"), text("team"), text("is_active", "Active"))
    related = (
        Related(title="Deals", model=Deal, by="owner", columns=shown.DEAL),
        Related(title="Tickets", model=Ticket, by="owner", columns=shown.TICKET),
    )


@admin.register(Company)
class CompanyAdmin(RefinedAdmin):
    columns = (*shown.COMPANY, target("owner"))
    related = (
        Related(title="Contacts", model=Customer, by="company", columns=shown.CUSTOMER),
        Related(title="Deals", model=Deal, by="company", columns=shown.DEAL),
        Related(title="Tickets", model=Ticket, by="company", columns=shown.TICKET),
    )


@admin.register(Deal)
class DealAdmin(RefinedAdmin):
    columns = (*shown.DEAL, text("pipeline"), target("company"), target("owner"))


@admin.register(Ticket)
class TicketAdmin(RefinedAdmin):
    columns = (*shown.TICKET, text("pipeline"), target("customer"), target("owner"))
