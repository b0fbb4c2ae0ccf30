"""Apollo: what its recorded records become; what every room must keep to is tested in ../contract."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import exact_json
from connectors.errors import RecordError
from connectors.kinds import Company, Customer, Deal, Kind
from connectors.providers.apollo.refining import refine_account, refine_contact, refine_deal

PAGES = Path(__file__).parent / "pages"
OWNER = "66302798d03b9601c7934ebf"


def records(name: str) -> list[dict[str, Any]]:
    body = exact_json.loads((PAGES / f"{name}_1.json").read_bytes())
    listed: list[dict[str, Any]] = body["opportunities" if name == "deals" else name]
    return listed


def test_a_contact_is_understood() -> None:
    assert refine_contact(records("contacts")[0]) == Customer(
        external_id="66a1000000000000000000a1",
        occurred_at=datetime(2026, 3, 1, 14, tzinfo=UTC),
        updated_at=datetime(2026, 3, 2, 15, 30, 0, 250_000, tzinfo=UTC),
        email="zoe.mueller@example.com",
        name="Zoë Müller",
        phone="+4930123456",
        country="Germany",
        status="6095a710bd01d100a506d4ae",
        company_name="Blue Door",
        company_external_id="66a2000000000000000000b1",
        owner_external_id=OWNER,
    )


def test_an_email_that_was_not_paid_for_is_none() -> None:
    found = refine_contact(records("contacts")[1])
    assert (found.email, found.name, found.company_external_id) == (None, "Ana", None)


def test_an_account_is_understood() -> None:
    assert refine_account(records("accounts")[0]) == Company(
        external_id="66a2000000000000000000b1",
        occurred_at=datetime(2026, 1, 14, 23, 5, 7, 335_000, tzinfo=UTC),
        name="Blue Door",
        domain="example.com",
        industry="retail",
        phone="+15122256000",
        city="Austin",
        country="United States",
        employee_count=250,
        status="6095a710bd01d100a506d4b9",
        owner_external_id=OWNER,
    )


def test_a_deal_is_understood() -> None:
    assert refine_deal(records("deals")[0]) == Deal(
        external_id="66e09ea8e3cfcf01b2208ec7",
        occurred_at=datetime(2026, 9, 10, 19, 31, 52, 436_000, tzinfo=UTC),
        title="A hundred doors",
        stage="66bb94fbc1695c00017fba5f",
        currency="USD",
        amount=Decimal("9999.5"),
        is_won=False,
        is_closed=True,
        closes_at=datetime(2026, 10, 15, tzinfo=UTC),
        owner_external_id=OWNER,
        company_external_id="66a2000000000000000000b1",
    )


@pytest.mark.parametrize(
    ("name", "refine", "change", "message"),
    [
        ("contacts", refine_contact, {"id": None}, "no value for id"),
        ("contacts", refine_contact, {"created_at": "soon"}, "created_at"),
        ("accounts", refine_account, {"estimated_num_employees": "many"}, "estimated_num_employees"),
        ("deals", refine_deal, {"amount": "much"}, "amount"),
        ("deals", refine_deal, {"currency": "USD"}, "currency: expected an object"),
    ],
)
def test_a_record_that_cannot_be_understood_names_the_field(
    name: str, refine: Callable[[Any], Kind], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecordError, match=message):
        refine({**records(name)[0], **change})
