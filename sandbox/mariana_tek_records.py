"""A studio's records as JSON:API resources, their ids fitting across lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sandbox import vocabulary as words
from sandbox.data import Dice, Facts, Recipe, Record, money, person, utc_text
from sandbox.defects import json_defects, json_drifts
from sandbox.options import Options

#: How many there are at a scale of 1.
COUNTS = {
    "locations": 6,
    "employees": 24,
    "products": 60,
    "users": 600,
    "class_sessions": 800,
    "memberships": 300,
    "reservations": 2_000,
    "orders": 1_000,
    "order_lines": 2_000,
}
#: Ids grow by one from here.
FIRST_IDS = {
    "locations": 48_717,
    "employees": 2_100,
    "products": 5_400,
    "users": 167_000_001,
    "class_sessions": 90_001,
    "memberships": 70_001,
    "reservations": 800_001,
    "orders": 300_001,
    "order_lines": 610_001,
}
LINES_PER_ORDER = 2
DAY = 24 * 3600
CLASSES = (
    "Ride 45",
    "Vinyasa Flow",
    "Reformer Pilates",
    "Boxing Basics",
    "HIIT Strength",
    "Sound Bath",
    "Open Gym",
)
PLANS = ("Unlimited Monthly", "4 Classes", "Founders' Club", "ClassPass Partner")
DEVICES = ("web", "ios", "android", "kiosk", "admin", None, None)
ORDER_STATUSES = ("Completed", "Completed", "Completed", "Refunded", "Partially Refunded")
Maker = Callable[[Facts, "Studio"], tuple[Record, dict[str, Any]]]


class Studio:
    """How many of everything there are, so that records can point to one another."""

    def __init__(self, options: Options) -> None:
        self.seed = options.seed
        self.counts = {name: max(round(count * options.scale), 3) for name, count in COUNTS.items()}
        self.counts["order_lines"] = self.counts["orders"] * LINES_PER_ORDER

    def some(self, dice: Dice, name: str) -> dict[str, Any]:
        """Return a relationship to one of these."""
        return related(name, dice.below(self.counts[name]))


#: What JSON:API calls what our lists are called.
TYPES = {"employees": "employee_public_profiles", "memberships": "membership_instances"}


def related(name: str, index: int) -> dict[str, Any]:
    return {"data": {"type": TYPES.get(name, name), "id": id_of(name, index)}}


def id_of(name: str, index: int) -> str:
    return str(FIRST_IDS[name] + index)


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


def _product(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    return {
        "title": f"{facts.dice.choice(PLANS)} {facts.index + 1}",
        "vendor": facts.dice.choice(words.VENDORS),
        "slug": f"product-{facts.index + 1}",
        "is_public": bool(facts.dice.below(4)),
        "date_created": utc_text(facts.created),
        "sort_order": facts.index,
        "sub_category": facts.dice.choice(("Memberships", "Credits", "Retail")),
    }, {"product_class": {"data": {"type": "product_classes", "id": str(1 + facts.index % 4)}}}


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


def _membership(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    statuses = ("active", "active", "active", "payment_failure", "cancelled", "terminated")
    status = statuses[(facts.dice.below(6) + facts.version) % 6]
    is_over = status in {"cancelled", "terminated"}
    return {
        "membership_name": facts.dice.choice(PLANS),
        "status": status,
        "renewal_rate": money(4_900 + 100 * facts.dice.below(200)),
        "renewal_currency": facts.dice.choice(words.CURRENCIES),
        "payment_interval": facts.dice.choice(("DY", "WK", "MO", "YR")),
        "start_date": utc_text(facts.created)[:10],
        "end_date": utc_text(facts.updated)[:10] if is_over else None,
        "purchase_date": utc_text(facts.created),
        "next_charge_date": None if is_over else utc_text(facts.updated + 30 * DAY)[:10],
        "cancellation_datetime": utc_text(facts.updated) if status == "cancelled" else None,
        "freeze_datetime": None,
        "is_intro_offer": not facts.dice.below(6),
    }, {
        "user": studio.some(facts.dice, "users"),
        "membership_product": studio.some(facts.dice, "products"),
        "purchase_location": studio.some(facts.dice, "locations"),
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


def _order(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    lines = [line_of(studio.seed, facts.index, position) for position in range(LINES_PER_ORDER)]
    subtotal = sum(line["cents"] * line["quantity"] for line in lines)
    tax = subtotal * 13 // 100
    status = ORDER_STATUSES[(Dice(studio.seed, "status", facts.index).below(5) + facts.version) % 5]
    return {
        "number": f"{100_000 + facts.index}",
        "status": status,
        "date_placed": utc_text(facts.created),
        "currency": "USD",
        "subtotal": money(subtotal),
        "total_tax": money(tax),
        "total": money(subtotal + tax),
        "net_total": "0.00" if status == "Refunded" else money(subtotal + tax),
        "contains_refund": "Refunded" in status,
        "summary": [line["title"] for line in lines],
        "location": "Main Street",
        "payment_sources": [{"label": facts.dice.choice(("Visa 4242", "Account Balance"))}],
    }, {"user": studio.some(facts.dice, "users"), "location": studio.some(facts.dice, "locations")}


def line_of(seed: int, order: int, position: int) -> dict[str, Any]:
    """Return what an order and its line both say, without making either."""
    dice = Dice(seed, "mariana line", order, position)
    return {
        "title": f"{dice.choice(PLANS)} {1 + dice.below(9)}",
        "cents": 1_500 + 50 * dice.below(200),
        "quantity": 1 + dice.below(3) // 2,
    }


def _order_line(facts: Facts, studio: Studio) -> tuple[Record, dict[str, Any]]:
    order, position = divmod(facts.index, LINES_PER_ORDER)
    line = line_of(studio.seed, order, position)
    total = line["cents"] * line["quantity"]
    return {
        "title": line["title"],
        "quantity": line["quantity"],
        "unit_price_excl_tax": money(line["cents"]),
        "line_price_excl_tax": money(total),
        "line_price_incl_tax": money(total * 113 // 100),
        "currency": "USD",
        "status": "Completed" if facts.version % 2 == 0 else "Refunded",
        "partner_sku": f"MT-{order}-{position}",
        "date_placed": utc_text(facts.created),
    }, {"order": related("orders", order), "product": studio.some(facts.dice, "products")}


MAKERS: Mapping[str, Maker] = {
    "locations": _location,
    "employees": _employee,
    "products": _product,
    "users": _user,
    "class_sessions": _class_session,
    "memberships": _membership,
    "reservations": _reservation,
    "orders": _order,
    "order_lines": _order_line,
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
