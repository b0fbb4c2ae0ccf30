"""Mariana Tek: what the records of its lists become."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import RecordError
from connectors.kinds import ClassSession, Customer, Membership, OrderLine, Reservation
from connectors.providers.mariana_tek.shop import refine_order_line
from connectors.providers.mariana_tek.studio import refine_class_session, refine_reservation
from tests.connectors.mariana_tek.conftest import records, refined


def test_a_class_is_understood() -> None:
    assert refined("class_sessions") == ClassSession(
        external_id="90001",
        occurred_at=datetime(2026, 3, 2, 23, tzinfo=UTC),
        title="Ride 45",
        class_type="cycling",
        status="scheduled",
        instructor="Zoë Kaya, Łukasz Tamm",
        location_external_id="48717",
        ends_at=datetime(2026, 3, 2, 23, 45, tzinfo=UTC),
        capacity=20,
        booked_count=18,
    )


def test_a_cancelled_class_says_so_and_its_time_is_utc() -> None:
    one = refined("class_sessions", 1)
    assert (one.status, one.instructor, one.class_type) == ("cancelled", None, None)
    assert one.occurred_at == datetime(2026, 3, 3, 5, tzinfo=UTC)


def test_words_of_the_tenant_come_before_our_own() -> None:
    assert refined("class_sessions", class_types={"ride": "hill climb"}).class_type == "hill climb"


@pytest.mark.parametrize(("names", "told"), [("Ann", "Ann"), (None, None), (["Ann", "Bo"], "Ann, Bo")])
def test_teachers_may_come_as_a_list_or_as_a_text(names: Any, told: str | None) -> None:
    payload = {"id": "1", "attributes": {"instructor_names": names}}
    assert refine_class_session(payload).instructor == told


def test_teachers_that_are_no_names_are_refused() -> None:
    with pytest.raises(RecordError, match=r"attributes\.instructor_names"):
        refine_class_session({"id": "1", "attributes": {"instructor_names": [1]}})


def test_a_reservation_is_understood() -> None:
    assert refined("reservations") == Reservation(
        external_id="800001",
        occurred_at=datetime(2026, 2, 27, 14, tzinfo=UTC),
        status="check in",
        type="standard",
        booking_source="direct",
        customer_external_id="167002356",
        class_session_external_id="90001",
        checked_in_at=datetime(2026, 3, 2, 22, 55, tzinfo=UTC),
    )


def test_a_partners_guest_is_told_by_the_address() -> None:
    one = refined("reservations", 1)
    assert (one.booking_source, one.customer_external_id) == ("classpass", None)
    assert one.membership_external_id == "70001"
    assert one.cancelled_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_relationship_to_many_where_one_was_due_is_refused() -> None:
    payload = {"id": "1", "attributes": {}, "relationships": {"user": {"data": [{"id": "2"}]}}}
    with pytest.raises(RecordError, match="expected an object, got list"):
        refine_reservation(payload)


def test_a_membership_is_understood() -> None:
    assert refined("memberships") == Membership(
        external_id="70001",
        occurred_at=datetime(2026, 1, 14, 18, 30, tzinfo=UTC),
        title="Unlimited Monthly",
        status="active",
        customer_external_id="167002356",
        location_external_id="48717",
        product_external_id="5401",
        currency="CAD",
        renewal_amount=Decimal("99.00"),
        starts_at=datetime(2026, 1, 15, 5, tzinfo=UTC),
        is_renewing=True,
    )
    over = refined("memberships", 1)
    assert (over.is_renewing, over.currency) == (False, None)
    assert over.ends_at == datetime(2026, 2, 28, tzinfo=UTC)


def test_a_user_is_understood() -> None:
    assert refined("users") == Customer(
        external_id="167002356",
        email="zoe.k@example.com",
        name="Zoë Kaya",
        phone="+14165550199",
        country="CA",
        company_name="Kaya & Co",
    )
    other = refined("users", 1)
    assert (other.name, other.email, other.status) == ("A Guest", None, "archived")


def test_a_location_is_understood() -> None:
    main, archived = refined("locations"), refined("locations", 1)
    assert (main.name, main.street, main.city) == ("Main Street", "12 Main Street", "Toronto")
    assert main.is_active is True
    assert (archived.street, archived.is_active) == ("Gade 1 2. sal", False)


def test_products_and_employees_are_understood() -> None:
    product, employee = refined("products"), refined("employees")
    assert (product.title, product.status, product.handle) == ("Founders' Club", "hidden", "founders-club")
    assert (employee.name, employee.is_active) == ("Zoë K.", True)


def test_an_order_does_not_speak_of_its_lines() -> None:
    order = refined("orders")
    assert order.lines is None
    assert (order.number, order.customer_external_id) == ("100001", "167002356")
    assert order.total_amount == Decimal("61.02")
    assert refined("orders", 1).total_amount == Decimal(20)


def test_a_line_is_worth_what_was_paid_and_never_what_was_deferred() -> None:
    assert refined("order_lines") == OrderLine(
        external_id="610001",
        occurred_at=datetime(2026, 3, 1, 10, 15, tzinfo=UTC),
        order_external_id="300001",
        product_external_id="5401",
        title="Water",
        sku="WATER",
        quantity=Decimal(2),
        unit_price=Decimal("3.00"),
        total_amount=Decimal("5.40"),
        currency="CAD",
    )
    item = refined("order_lines", 1)
    assert (item.title, item.quantity) == ("Unlimited Monthly", None)
    assert (item.unit_price, item.total_amount) == (Decimal("48.60"), Decimal("48.60"))


def test_revenue_that_is_deferred_changes_nothing_of_a_line() -> None:
    line = records("order_lines")[0]
    without = {name: value for name, value in line["attributes"].items() if name != "deferred_revenue"}
    assert refine_order_line(line) == refine_order_line({**line, "attributes": without})


def test_several_pieces_without_a_total_are_not_added_up_here() -> None:
    line = refine_order_line({"id": "1", "attributes": {"quantity": 3, "price": "2.00"}})
    assert (line.unit_price, line.total_amount) == (Decimal("2.00"), None)
