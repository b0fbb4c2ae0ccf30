"""A studio's records as JSON:API resources: its places and people, its classes and who comes to them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from sandbox import mariana_tek_sales as sales
from sandbox import vocabulary as words
from sandbox.data import Facts, Recipe, Record, person, utc_text
from sandbox.defects import json_defects, json_drifts
from sandbox.mariana_tek_studio import TYPES, Maker, Studio, id_of, related
from sandbox.options import Options

CLASSES = (
    "Ride 45",
    "Vinyasa Flow",
    "Reformer Pilates",
    "Boxing Basics",
    "HIIT Strength",
    "Sound Bath",
    "Open Gym",
)
DEVICES = ("web", "ios", "android", "kiosk", "admin", None, None)


def recipes(options: Options) -> list[tuple[Recipe, int]]:
    studio = Studio(options)
    return [(_recipe(name, make, studio), studio.counts[name]) for name, make in MAKERS.items()]


def _recipe(name: str, make: Maker, studio: Studio) -> Recipe:
    text, typed, is_money, number = SPOILT[name]
    return Recipe(
        name=f"mariana_tek.{name}",
        make=partial(_resource, name=name, make=make, studio=studio),
        external_id=partial(id_of, name),
        defects=json_defects(text=("attributes", text), typed=("attributes", typed), is_money=is_money),
        drifts=json_drifts(retyped=("attributes", number), vanishing="type"),
    )


def _resource(facts: Facts, *, name: str, make: Maker, studio: Studio) -> Record:
    attributes, relationships = make(facts, studio)
    return {
        "type": TYPES.get(name, name),
        "id": id_of(name, facts.index),
        "attributes": attributes,
        "relationships": relationships,
    }


def _location(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    city, _ = facts.dice.choice(words.PLACES)
    return {
        "name": f"{city} {facts.index + 1}",
        "timezone": facts.dice.choice(("America/Toronto", "Europe/Copenhagen", "America/New_York")),
        "address_line1": f"{1 + facts.dice.below(300)} Main Street",
        "address_line2": None,
        "city": city,
        "state_province": "ON",
        "postal_code": f"{10_000 + facts.dice.below(80_000)}",
        "email_address": f"studio{facts.index}@example.com",
        "listed": (facts.version + facts.index) % 5 != 4,
        "currency_code": "USD",
    }, {"region": {"data": {"type": "regions", "id": "48541"}}}


def _employee(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    who = person(studio.seed, 50_000 + facts.index)
    return {
        "schedule_display_name": f"{who.first_name} {who.last_name[:1]}.",
        "bio": facts.dice.choice(words.NOTES),
        "enabled": facts.version % 3 != 2,
        "sort_order": facts.index,
    }, {"employee": {"data": {"type": "employees", "id": str(900 + facts.index)}}}


def _user(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    who = person(studio.seed, facts.index)
    return {
        "email": who.email,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "full_name": f"{who.first_name} {who.last_name}",
        "phone_number": who.phone if facts.dice.below(3) else None,
        "country": who.country,
        "join_date": utc_text(facts.created),
        "completed_class_count": facts.version,
        "marketing_opt_in": bool(facts.version % 2),
        "archived_at": utc_text(facts.updated) if facts.index % 41 == 40 else None,
    }, {"home_location": studio.some(facts.dice, "locations")}


def _class_session(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    start = facts.created - facts.created % 900
    teacher = facts.dice.below(studio.counts["employees"])
    who = person(studio.seed, 50_000 + teacher)
    capacity = 12 + 2 * facts.dice.below(20)
    return {
        "start_date": utc_text(start)[:10],
        "start_time": utc_text(start)[11:19],
        "start_datetime": utc_text(start),
        "end_datetime": utc_text(start + 45 * 60),
        "capacity": capacity,
        "available_spots": list(range(1, 1 + facts.dice.below(5))),
        "standard_reservation_user_count": (facts.dice.below(capacity) + facts.version) % capacity,
        "cancellation_datetime": utc_text(facts.updated) if facts.index % 17 == 16 else None,
        "archived_at": None,
        "instructor_names": [f"{who.first_name} {who.last_name}"],
        "class_type_display": facts.dice.choice(CLASSES),
        "recurring_id": facts.index if facts.index % 2 else str(facts.index),
    }, {
        "location": studio.some(facts.dice, "locations"),
        "employee_public_profiles": {"data": [related("employees", teacher)["data"]]},
    }


def _reservation(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    statuses = ("pending", "check in", "check in", "standard cancel", "no show")
    status = statuses[(facts.dice.below(5) + facts.version) % 5]
    is_guest = not facts.dice.below(9)
    user = studio.some(facts.dice, "users")
    brokers: tuple[dict[str, Any], ...] = (user, user, studio.some(facts.dice, "users"), {"data": None})
    return {
        "creation_date": utc_text(facts.created),
        "cancel_date": utc_text(facts.updated) if status == "standard cancel" else None,
        "check_in_date": utc_text(facts.updated) if status == "check in" else None,
        "status": status,
        "reservation_type": facts.dice.choice(("standard", "standard", "standby", "waitlist")),
        "reserved_for_guest": is_guest,
        "guest_email": f"guest{facts.index}@example.com" if is_guest else None,
        "guest_name": "A Guest" if is_guest else None,
        "waitlist_weight": 0,
        "device": facts.dice.choice(DEVICES),
    }, {
        "user": user,
        "class_session": studio.some(facts.dice, "class_sessions"),
        "membership_instance": studio.some(facts.dice, "memberships"),
        "broker": facts.dice.choice(brokers),
        "spot": {"data": None},
    }


MAKERS: Mapping[str, Maker] = {
    "locations": _location,
    "employees": _employee,
    "products": sales.product,
    "users": _user,
    "class_sessions": _class_session,
    "memberships": sales.membership,
    "reservations": _reservation,
    "orders": sales.order,
    "order_lines": sales.order_line,
}
#: What is spoilt in a bad record: a text, a field every reader gives a type, and whether that is money. Then
#: what may come as a text where it was a number, or the other way round.
SPOILT: Mapping[str, tuple[str, str, bool, str]] = {
    "locations": ("city", "name", False, "postal_code"),
    "employees": ("bio", "schedule_display_name", False, "sort_order"),
    "products": ("vendor", "title", False, "sort_order"),
    "users": ("full_name", "email", False, "completed_class_count"),
    "class_sessions": ("class_type_display", "capacity", False, "capacity"),
    "memberships": ("membership_name", "renewal_rate", True, "renewal_rate"),
    "reservations": ("status", "creation_date", False, "waitlist_weight"),
    "orders": ("status", "total", True, "total"),
    "order_lines": ("title", "unit_price_excl_tax", True, "unit_price_excl_tax"),
}
