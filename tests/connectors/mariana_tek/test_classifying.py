"""Mariana Tek: where a place was booked, and what kind of class it is."""

from __future__ import annotations

import pytest

from connectors.providers.mariana_tek.classifying import booking_source, class_type


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("RIDE 45", "cycling"),
        ("Cycle & Sculpt", "cycling"),
        ("Vinyasa Flow", "yoga"),
        ("Barre Flow", "barre"),
        ("Slow Flow", "yoga"),
        ("Reformer Pilates - Private", "private"),
        ("Megaformer 50", "pilates"),
        ("Boot Camp", "strength"),
        ("Tomorrow", None),
        ("Open Gym", None),
        ("", None),
        (None, None),
    ],
)
def test_a_class_is_told_by_the_words_of_its_name(title: str | None, told: str | None) -> None:
    assert class_type(title) == told


@pytest.mark.parametrize(
    ("said", "device", "told"),
    [
        ("ClassPass credit", None, "classpass"),
        ("Gympass", "web", "wellhub"),
        (None, "ClassPass API", "classpass"),
        (None, "iOS app 4.2", "app"),
        (None, "Web Integrations", "web"),
        (None, "kiosk", "kiosk"),
        (None, "Admin", "staff"),
        ("x@classpass.com", "web", "classpass"),
        (None, "website", None),
        ("admin@example.com", None, None),
        ("Mobile App Credit", None, None),
        (None, "", None),
    ],
)
def test_a_booking_is_told_by_a_partner_then_by_a_device(
    said: str | None, device: str | None, told: str | None
) -> None:
    found = booking_source((said,), devices=(device,), customer=None, broker=None, is_guest=None)
    assert found == told


@pytest.mark.parametrize(
    ("customer", "broker", "is_guest", "told"),
    [
        ("7", "7", True, "direct"),
        ("7", "9", False, "staff"),
        ("7", None, True, "guest"),
        ("7", None, False, None),
        (None, "9", None, None),
    ],
)
def test_who_made_the_booking_tells_where_nothing_else_does(
    customer: str | None, broker: str | None, is_guest: bool | None, told: str | None
) -> None:
    assert booking_source((), customer=customer, broker=broker, is_guest=is_guest) == told


def test_a_tenants_own_partners_come_first() -> None:
    own = {"Bruce": "bruce", "gympass": "gym pass"}
    for said, told in (("Bruce via ClassPass", "bruce"), ("Gympass", "gym pass")):
        assert booking_source((said,), customer=None, broker=None, is_guest=None, own=own) == told
