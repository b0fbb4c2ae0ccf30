"""Customers, vendors, employees, departments, accounts and items as QuickBooks Online lists them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sandbox import vocabulary as words
from sandbox.data import Facts, Record, person, ware
from sandbox.quickbooks_common import CENT, begun, is_active, named, record_id

ACCOUNT_TYPES = (
    ("Asset", "Bank", "Checking"),
    ("Liability", "Accounts Payable", "AccountsPayable"),
    ("Revenue", "Income", "SalesOfProductIncome"),
    ("Expense", "Cost of Goods Sold", "SuppliesMaterialsCogs"),
)


def make_customer(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    who = person(seed, facts.index)
    mail = who.email if facts.index % 7 else f"{who.email}, office.{facts.index}@example.org"
    return {
        **named(facts, f"{who.first_name} {who.last_name} {facts.index}"),
        "FullyQualifiedName": f"{who.first_name} {who.last_name} {facts.index}",
        "CompanyName": facts.dice.choice(words.VENDORS) if facts.dice.below(3) == 0 else None,
        "PrimaryEmailAddr": {"Address": mail},
        "PrimaryPhone": {"FreeFormNumber": who.phone},
        "BillAddr": {"Id": record_id(facts.index), "City": who.city, "Country": who.country},
        "Balance": Decimal(facts.dice.below(100_000) + 100 * facts.version) * CENT,
        "Notes": facts.dice.choice(words.NOTES),
    }


def make_vendor(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    who = person(seed + 1, facts.index)
    company = f"{facts.dice.choice(words.VENDORS)} {facts.index}"
    return {
        **named(facts, company),
        "CompanyName": company,
        "PrimaryEmailAddr": {"Address": who.email},
        "PrimaryPhone": {"FreeFormNumber": "(214) 387-2007"},
        "BillAddr": {"City": who.city, "Country": who.country},
        "CurrencyRef": {"value": facts.dice.choice(words.CURRENCIES)},
        "Balance": Decimal(facts.dice.below(500_000) + 100 * facts.version) * CENT,
    }


def make_employee(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    who = person(seed + 2, facts.index)
    return {
        **named(facts, f"{who.first_name} {who.last_name}"),
        "GivenName": who.first_name,
        "FamilyName": who.last_name,
        "PrimaryEmailAddr": {"Address": who.email},
        "BillRate": 50 + facts.version,
    }


def make_department(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    city, _ = facts.dice.choice(words.PLACES)
    name = f"{city} {facts.index + 1}"
    return {
        **begun(facts),
        "Name": name,
        "FullyQualifiedName": name,
        "SubDepartment": False,
        "Active": is_active(facts.index),
    }


def make_account(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    classification, kind, subtype = ACCOUNT_TYPES[facts.index % len(ACCOUNT_TYPES)]
    parent = {"ParentRef": {"value": record_id(facts.index - 4)}} if facts.index % 5 == 4 else {}
    return {
        **begun(facts),
        **parent,
        "Name": f"{kind} {facts.index + 1}",
        "FullyQualifiedName": f"{kind} {facts.index + 1}",
        "SubAccount": bool(parent),
        "Active": is_active(facts.index),
        "Classification": classification,
        "AccountType": kind,
        "AccountSubType": subtype,
        "AcctNum": str(1_000 + facts.index),
        "CurrencyRef": {"value": "USD"},
        "CurrentBalance": Decimal(facts.dice.below(9_000_000) + 100 * facts.version) * CENT,
    }


def make_item(facts: Facts, *, seed: int, there: Mapping[str, int]) -> Record:
    kind = ("Inventory", "Service", "NonInventory")[facts.index % 3]
    stock = {"QtyOnHand": Decimal(facts.dice.below(4_000)) / 10} if kind == "Inventory" else {}
    title = f"{ware(seed, facts.index).title} {facts.index}"
    return {
        **begun(facts),
        **stock,
        "Name": title,
        "FullyQualifiedName": title,
        "Sku": f"QB-{facts.index:05d}",
        "Active": is_active(facts.index),
        "Type": kind,
        "UnitPrice": Decimal(ware(seed, facts.index).cents + 10 * facts.version) * CENT,
        "IncomeAccountRef": {"value": record_id(2)},
        "Description": facts.dice.choice(words.NOTES),
    }
