"""What the lists of a company become: customers, vendors, employees, departments, accounts, items."""

from __future__ import annotations

from connectors import normal
from connectors.base import Json
from connectors.fields import Fields
from connectors.kinds import Account, Customer, Employee, Location, Product, ProductVariant, Vendor
from connectors.providers.quickbooks import parts


def refine_customer(payload: Json) -> Customer:
    raw = Fields(payload)
    return Customer(
        external_id=raw.identity("Id"),
        occurred_at=parts.created(raw),
        updated_at=parts.updated(raw),
        email=parts.email(raw.inside("PrimaryEmailAddr")),
        name=raw.text("DisplayName", "FullyQualifiedName"),
        phone=normal.phone(parts.number(raw)),
        country=raw.inside("BillAddr").text("Country"),
        status=parts.activity(raw),
        company_name=normal.company_name(raw.text("CompanyName")),
    )


def refine_vendor(payload: Json) -> Vendor:
    raw = Fields(payload)
    return Vendor(
        external_id=raw.identity("Id"),
        occurred_at=parts.created(raw),
        updated_at=parts.updated(raw),
        name=raw.text("DisplayName"),
        company_name=normal.company_name(raw.text("CompanyName")),
        email=parts.email(raw.inside("PrimaryEmailAddr")),
        phone=normal.phone(parts.number(raw)),
        country=raw.inside("BillAddr").text("Country"),
        currency=parts.currency(raw),
        balance_amount=raw.decimal("Balance"),
        is_active=raw.boolean("Active"),
    )


def refine_employee(payload: Json) -> Employee:
    raw = Fields(payload)
    return Employee(
        external_id=raw.identity("Id"),
        occurred_at=parts.created(raw),
        updated_at=parts.updated(raw),
        name=raw.text("DisplayName") or normal.full_name(raw.text("GivenName"), raw.text("FamilyName")),
        email=parts.email(raw.inside("PrimaryEmailAddr")),
        is_active=raw.boolean("Active"),
    )


def refine_department(payload: Json) -> Location:
    raw = Fields(payload)
    return Location(
        external_id=raw.identity("Id"),
        occurred_at=parts.created(raw),
        updated_at=parts.updated(raw),
        name=raw.text("FullyQualifiedName", "Name"),
        is_active=raw.boolean("Active"),
    )


def refine_account(payload: Json) -> Account:
    raw = Fields(payload)
    return Account(
        external_id=raw.identity("Id"),
        occurred_at=parts.created(raw),
        updated_at=parts.updated(raw),
        name=raw.text("FullyQualifiedName", "Name"),
        number=raw.text("AcctNum"),
        classification=raw.text("Classification"),
        type=raw.text("AccountType"),
        subtype=raw.text("AccountSubType"),
        parent_external_id=raw.inside("ParentRef").reference("value"),
        currency=parts.currency(raw),
        balance_amount=raw.decimal("CurrentBalance"),
        is_active=raw.boolean("Active"),
    )


def refine_item(payload: Json) -> Product:
    raw = Fields(payload)
    external_id = raw.identity("Id")
    variant = ProductVariant(
        external_id=external_id,
        occurred_at=parts.created(raw),
        updated_at=parts.updated(raw),
        product_external_id=external_id,
        sku=raw.text("Sku"),
        price=raw.decimal("UnitPrice"),
        inventory_quantity=parts.whole(raw.decimal("QtyOnHand")),
    )
    return Product(
        external_id=external_id,
        occurred_at=parts.created(raw),
        updated_at=parts.updated(raw),
        title=raw.text("FullyQualifiedName", "Name"),
        vendor=raw.inside("PrefVendorRef").text("name"),
        product_type=raw.text("Type"),
        status=parts.activity(raw),
        variants=(variant,),
    )
