"""Where a shop keeps how much of what: locations, inventory items, their levels at each location."""

from __future__ import annotations

from functools import partial

import msgspec

from sandbox.data import Dice, Facts, Recipe, Record, money, shop_text, variant_cents, variant_count
from sandbox.defects import HUGE_NUMBER, json_defects, json_drifts
from sandbox.options import Options
from sandbox.shopify_ids import LOCATIONS, item_id, location_id

#: Each item is kept at so many of the locations.
STOCKED_AT = 2
#: Products have 1, 2, 3 and 4 variants in turn: ten items to four products.
_ROUND, _ITEMS_IN_ROUND = 4, 10
_STARTS = (0, 1, 3, 6)
_PLACES = (
    ("Warehouse", "Hafenstr. 7", "Hamburg", "20359", "DE", "HH"),
    ("Fifth Avenue", "767 Fifth Ave", "New York", "10153", "US", "NY"),
    ("Łódź shop", "Piotrkowska 1", "Łódź", "90-001", "PL", None),
)


def item_count(options: Options) -> int:
    return sum(variant_count(product) for product in range(options.products))


def item_of(index: int) -> tuple[int, int]:
    """Return the product and the variant of it that an inventory item belongs to."""
    rounds, rest = divmod(index, _ITEMS_IN_ROUND)
    place = max(number for number, start in enumerate(_STARTS) if start <= rest)
    return rounds * _ROUND + place, rest - _STARTS[place]


def index_of(item: int) -> int:
    """Return the number of the inventory item with this id, whether there is one or not."""
    product, variant = divmod(item - item_id(0, 0), item_id(1, 0) - item_id(0, 0))
    return product // _ROUND * _ITEMS_IN_ROUND + _STARTS[product % _ROUND] + variant


def level_of(index: int) -> tuple[int, int]:
    """Return the item and the location of a level, by their numbers."""
    item, place = divmod(index, STOCKED_AT)
    return item, (item + place) % LOCATIONS


def recipes(options: Options) -> list[tuple[Recipe, int]]:
    items = Recipe(
        name="shopify.inventory_items",
        make=partial(make_item, seed=options.seed),
        external_id=lambda index: str(item_id(*item_of(index))),
        defects=json_defects(text=("sku",), typed=("cost",), is_money=True),
        drifts=json_drifts(retyped=("cost",), vanishing="tracked"),
    )
    levels = Recipe(
        name="shopify.inventory_levels",
        make=partial(make_level, seed=options.seed),
        external_id=_level_id,
        defects={"wrong_type": _unreadable, "huge_number": _endless},
    )
    locations = Recipe(
        name="shopify.locations",
        make=make_location,
        external_id=lambda index: str(location_id(index)),
        defects=json_defects(text=("name",), typed=("city",), is_money=False),
        drifts=json_drifts(retyped=("legacy",), vanishing="phone"),
    )
    count = item_count(options)
    return [(items, count), (levels, count * STOCKED_AT), (locations, LOCATIONS)]


def make_item(facts: Facts, *, seed: int) -> Record:
    product, variant = item_of(facts.index)
    cents = variant_cents(seed, product, variant)
    return {
        "id": item_id(product, variant),
        "sku": f"SKU-{product:05d}-{variant}",
        "created_at": shop_text(facts.created),
        "updated_at": shop_text(facts.updated),
        "requires_shipping": True,
        "cost": money(cents * 2 // 5 + facts.version),
        "country_code_of_origin": facts.dice.choice(("DE", "PL", "CN", None)),
        "tracked": facts.index % 9 > 0,
    }


def make_level(facts: Facts, *, seed: int) -> Record:
    item, place = level_of(facts.index)
    return {
        "inventory_item_id": item_id(*item_of(item)),
        "location_id": location_id(place),
        "available": _quantity(seed, facts),
        "updated_at": shop_text(facts.updated),
    }


def _quantity(seed: int, facts: Facts) -> int:
    return Dice(seed, "stock", facts.index, facts.version).below(60) - 3


def make_location(facts: Facts) -> Record:
    name, street, city, postcode, country, region = _PLACES[facts.index % len(_PLACES)]
    return {
        "id": location_id(facts.index),
        "name": name,
        "address1": street,
        "address2": None,
        "city": city,
        "zip": postcode,
        "province": region,
        "province_code": region,
        "country": country,
        "country_code": country,
        "phone": None if facts.index else "+49401234567",
        "active": facts.version % 4 != 3,
        "legacy": False,
        "created_at": shop_text(facts.created),
        "updated_at": shop_text(facts.updated),
    }


def _level_id(index: int) -> str:
    item, place = level_of(index)
    return f"{item_id(*item_of(item))}:{location_id(place)}"


def _unreadable(record: Record) -> None:
    record["available"] = {"value": ["free"]}


def _endless(record: Record) -> None:
    record["available"] = msgspec.Raw(HUGE_NUMBER)
