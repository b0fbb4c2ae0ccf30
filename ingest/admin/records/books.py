"""Pages of bookkeeping."""

from __future__ import annotations

from django.contrib import admin

from ingest.admin.records import shown
from ingest.admin.records.base import RefinedAdmin, Related, money, target, text
from ingest.models import Account, Bill, Invoice, InvoiceLine, Payment, Vendor


@admin.register(Invoice)
class InvoiceAdmin(RefinedAdmin):
    columns = (*shown.INVOICE, text("due_at", "Until"), target("customer"))
    related = (
        Related(title="Lines", model=InvoiceLine, by="invoice", columns=shown.INVOICE_LINE),
        Related(title="Payments", model=Payment, by="invoice", columns=shown.PAYMENT),
    )


@admin.register(InvoiceLine)
class InvoiceLineAdmin(RefinedAdmin):
    columns = (*shown.INVOICE_LINE, target("invoice"), target("product"))


@admin.register(Vendor)
class VendorAdmin(RefinedAdmin):
    columns = (text("name"), text("email", "E-mail"), money("balance_amount", "We owe"))
    related = (Related(title="Bills", model=Bill, by="vendor", columns=shown.BILL),)


@admin.register(Bill)
class BillAdmin(RefinedAdmin):
    columns = (*shown.BILL, text("due_at", "Until"), target("vendor"))


@admin.register(Account)
class AccountAdmin(RefinedAdmin):
    columns = (
        text("name"),
        text("number"),
        text("classification"),
        text("type"),
        money("balance_amount", "Balance"),
    )
    related = (
        Related(title="Subaccounts", model=Account, by="parent", columns=(text("name"), text("type"))),
        Related(title="Bills", model=Bill, by="account", columns=shown.BILL),
    )
