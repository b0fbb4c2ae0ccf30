"""Repeatable chance, and the people, products and songs that several providers tell of."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from sandbox import vocabulary as words

T = TypeVar("T")
Record = dict[str, Any]

#: A shop writes its own wall clock and offset, which catches readers that drop the zone.
SHOP_ZONE = timezone(timedelta(hours=-5))

_encoder = msgspec.json.Encoder(decimal_format="number")


class Dice:
    """A short run of numbers that depends on its key only; far cheaper than seeding `random.Random`."""

    def __init__(self, *key: str | int) -> None:
        text = ":".join(map(str, key))
        self._pool = int.from_bytes(hashlib.blake2b(text.encode()).digest(), "big")

    def below(self, bound: int) -> int:
        self._pool, number = divmod(self._pool, bound)
        return number

    def choice(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a record is made from."""

    index: int
    #: How often it has changed.
    version: int
    #: Epoch seconds.
    created: int
    updated: int
    dice: Dice


def encode_json(record: Record) -> bytes:
    return _encoder.encode(record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one dataset's records are made, named, written and spoilt."""

    name: str
    make: Callable[[Facts], Record]
    external_id: Callable[[int], str]
    encode: Callable[[Record], bytes] = encode_json
    #: What makes a record of this dataset bad, by kind of badness.
    defects: Mapping[str, Callable[[Record], None]] = field(default_factory=dict)
    #: How a provider may change the shape of its records without notice.
    drifts: Mapping[str, Callable[[Record], None]] = field(default_factory=dict)
    #: Without ids a changed record is a new one to its readers.
    has_ids: bool = True
    #: Records that once existed and were withdrawn before we came, as a share of those there are.
    removed_share: float = 0.0


class Person(NamedTuple):
    first_name: str
    last_name: str
    email: str
    phone: str
    city: str
    country: str


@lru_cache(maxsize=20_000)
def person(seed: int, index: int) -> Person:
    dice = Dice(seed, "person", index)
    first, last = dice.choice(words.GIVEN_NAMES), dice.choice(words.FAMILY_NAMES)
    city, country = dice.choice(words.PLACES)
    mailbox = f"{_ascii(first)}.{_ascii(last)}".strip(".") or "customer"
    return Person(
        first_name=first,
        last_name=last,
        email=f"{mailbox}.{index}@example.{dice.choice(('com', 'org', 'net'))}",
        phone=f"+1555{dice.below(10**7):07d}",
        city=city,
        country=country,
    )


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain.lower() if letter.isalnum())


class Song(NamedTuple):
    title: str
    artist: str
    genre: str
    album: str
    price: Decimal
    milliseconds: int


def song(dice: Dice, *, number: int, version: int) -> Song:
    title = f"{dice.choice(words.SONG_STARTS)} {dice.choice(words.SONG_ENDS)} {number}"
    edition = f" ({version + 1}. Edition)" if version else ""
    return Song(
        title=title,
        artist=dice.choice(words.ARTISTS),
        genre=dice.choice(words.GENRES),
        album=dice.choice(words.SONG_STARTS) + edition,
        price=Decimal(49 + 10 * dice.below(250) + version % 10).scaleb(-2),
        milliseconds=120_000 + dice.below(240_000),
    )


def variant_count(product: int) -> int:
    """Known without making the product, as order lines need it."""
    return 1 + product % 4


class Ware(NamedTuple):
    title: str
    cents: int


@lru_cache(maxsize=20_000)
def ware(seed: int, product: int) -> Ware:
    """Return what order lines repeat of a product; its first variant costs `cents`."""
    dice = Dice(seed, "ware", product)
    title = f"{dice.choice(words.LOOKS)} {dice.choice(words.WARES)}"
    return Ware(title=title, cents=500 + 10 * dice.below(2_000))


def variant_cents(seed: int, product: int, variant: int) -> int:
    return ware(seed, product).cents + 250 * variant


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def utc_text(stamp: int) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shop_text(stamp: int) -> str:
    return datetime.fromtimestamp(stamp, SHOP_ZONE).isoformat()
