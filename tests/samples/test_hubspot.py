"""HubSpot's recorded data: every record becomes a row, or says truly why not."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import connect
from connectors.base import Access, Connector
from connectors.errors import RecordError
from connectors.kinds import Company, Deal

SEEDS = "hubspot/dbt_seeds"


@pytest.fixture(scope="module")
def hubspot() -> Connector:
    return connect("hubspot", config={}, credentials={"access_token": "pat-na1-x"}, access=Access())


def objects(value: Any, id_name: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of the retired API in an answer, wherever they stand."""
    if isinstance(value, dict) and id_name in value and "properties" in value:
        yield value
        return
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from objects(one, id_name)


def recorded(samples: Path, name: str) -> list[dict[str, Any]]:
    with (samples / "hubspot" / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def listed_companies(samples: Path) -> list[dict[str, Any]]:
    bodies = [one.get("body") for one in recorded(samples, "companies_exchanges.jsonl")]
    lists = [body.get("companies") or body.get("results") or () for body in bodies if isinstance(body, dict)]
    return [company for companies in lists for company in companies if "companyId" in company]


def test_listed_companies_are_as_many_as_the_recording_says(samples: Path, hubspot: Connector) -> None:
    companies = listed_companies(samples)
    refine = hubspot.stream("companies").refine
    rows = [refine(company) for company in companies]
    assert len(rows) == 442
    assert len({row.external_id for row in rows}) == 234
    assert {row.external_id for row in rows} == {str(company["companyId"]) for company in companies}


def test_every_recorded_company_becomes_what_it_says(samples: Path, hubspot: Connector) -> None:
    bodies = [one.get("body") for one in recorded(samples, "companies_exchanges.jsonl")]
    companies = [company for body in bodies for company in objects(body, "companyId")]
    refine = hubspot.stream("companies").refine
    for company in companies:
        row = refine(company)
        assert isinstance(row, Company)
        said = company["properties"]
        assert (row.domain or "") == said.get("domain", {}).get("value", "")
        assert (row.name is None) == (not said.get("name", {}).get("value", "").strip())
        assert (row.occurred_at is None) == ("createdate" not in said)
    assert len(companies) == 509


def test_every_recorded_deal_becomes_a_row(samples: Path, hubspot: Connector) -> None:
    bodies = [one.get("body") for one in recorded(samples, "deals_props_exchanges.jsonl")]
    deals = [deal for body in bodies for deal in objects(body, "dealId")]
    rows = [hubspot.stream("deals").refine(deal) for deal in deals]
    assert len(rows) == 33
    assert len({row.external_id for row in rows}) == 27
    for deal, row in zip(deals, rows, strict=True):
        assert isinstance(row, Deal)
        contacts = deal["associations"]["associatedVids"]
        assert row.customer_external_id == (str(contacts[0]) if contacts else None)
        amount = "" if row.amount is None else str(row.amount)
        assert amount == deal["properties"].get("amount", {}).get("value", "")


#: Times that are none: the hour has one digit.
ODD_TIMES = {
    "1771990873": "createdAt: '2019-03-30 1:24:37' is not a date",
    "2412860846": "createdAt: '2019-09-15 2:50:54' is not a date",
    "2802517900": "createdAt: '2020-01-08 2:13:54' is not a date",
}


def seed(samples: Path, name: str, key: str) -> list[dict[str, Any]]:
    """Return the rows of a warehouse's table as the API would have sent them."""
    with (samples / SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {
            "id": row[key],
            "properties": {
                column.removeprefix("property_"): value or None
                for column, value in row.items()
                if column.startswith("property_")
            },
            "createdAt": row.get("property_createdate") or None,
        }
        for row in rows
    ]


@pytest.mark.parametrize(
    ("stream", "table", "key", "count"),
    [
        ("contacts", "contact_data", "id", 22),
        ("companies", "company_data", "id", 24),
        ("deals", "deal_data", "deal_id", 44),
        ("tickets", "ticket_data", "id", 25),
    ],
)
def test_every_row_of_a_warehouse_becomes_one_of_ours_or_says_why_not(
    stream: str, table: str, key: str, count: int, samples: Path, hubspot: Connector
) -> None:
    records = seed(samples, table, key)
    failed = {}
    for record in records:
        try:
            row = hubspot.stream(stream).refine(record)
        except RecordError as error:
            failed[record["id"]] = str(error)
            continue
        assert row.external_id == record["id"]
        assert (row.occurred_at is None) == (record["createdAt"] is None)
    assert failed == (ODD_TIMES if stream == "companies" else {})
    assert len(records) == count


def test_every_owner_of_a_warehouse_becomes_one_of_ours(samples: Path, hubspot: Connector) -> None:
    with (samples / SEEDS / "owner_data.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        owner = {
            "id": row["owner_id"],
            "email": row["email"],
            "firstName": row["first_name"],
            "lastName": row["last_name"],
            "createdAt": row["created_at"],
            "updatedAt": row["updated_at"],
        }
        refined = hubspot.stream("owners").refine(owner)
        assert (refined.external_id, refined.is_active) == (row["owner_id"], None)  # type: ignore[attr-defined]
        assert refined.updated_at is not None
    assert len({row["owner_id"] for row in rows}) == len(rows) == 100
