"""
The refined kinds as connectors hand them over: plain frozen data, no database.

They are structs and not frozen dataclasses because a page makes a thousand, and those take ten times as long.
A relation is named by the other object's external id; `ingest` finds the row, now or when it arrives.
Money is Decimal with an ISO 4217 currency beside it. A field left None means "the source does not say".
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from msgspec import Struct
from msgspec.structs import fields

from connectors.errors import RecordError

MAX_EXPONENT = 1_000
_NUMBERS = (int, Decimal)
_NUMBERS_OR_TEXT = (str, *_NUMBERS)
_NO_NUMBER = Decimal("NaN")


class Kind(Struct, frozen=True, kw_only=True):
    """What every refined row has."""

    kind: ClassVar[str]
    #: Fields that hold children stored in tables of their own, and the children's kind.
    children: ClassVar[Mapping[str, str]] = {}

    #: The provider's id, compared character by character.
    external_id: str
    #: When the thing happened (order placed, article published); decides its day in the metrics.
    occurred_at: datetime | None = None
    #: The provider's time of last change; an older version never overwrites a newer one.
    updated_at: datetime | None = None


class Customer(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "customer"

    email: str | None = None
    name: str | None = None
    phone: str | None = None
    country: str | None = None


class ProductVariant(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "product_variant"

    product_external_id: str | None = None
    title: str | None = None
    sku: str | None = None
    barcode: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    inventory_quantity: int | None = None


class Product(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "product"
    children: ClassVar[Mapping[str, str]] = {"variants": "product_variant"}

    title: str | None = None
    vendor: str | None = None
    product_type: str | None = None
    handle: str | None = None
    status: str | None = None
    variants: tuple[ProductVariant, ...] = ()


class OrderLine(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "order_line"

    order_external_id: str | None = None
    product_external_id: str | None = None
    variant_external_id: str | None = None
    title: str | None = None
    sku: str | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    currency: str | None = None


class Order(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "order"
    children: ClassVar[Mapping[str, str]] = {"lines": "order_line"}

    number: str | None = None
    customer_external_id: str | None = None
    email: str | None = None
    status: str | None = None
    fulfillment_status: str | None = None
    currency: str | None = None
    total_amount: Decimal | None = None
    subtotal_amount: Decimal | None = None
    tax_amount: Decimal | None = None
    discount_amount: Decimal | None = None
    cancelled_at: datetime | None = None
    lines: tuple[OrderLine, ...] = ()


class ContentItem(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "content_item"

    content_type: str | None = None
    title: str | None = None
    artist: str | None = None
    genre: str | None = None
    url: str | None = None
    is_available: bool = True


class CatalogItem(Kind, frozen=True, kw_only=True):
    kind: ClassVar[str] = "catalog_item"

    category_id: str | None = None
    capacity: str | None = None
    capacity_gb: Decimal | None = None
    price: Decimal | None = None
    currency: str | None = None
    content_count: int | None = None
    content_unit: str | None = None
    is_active: bool = True
    is_popular: bool = False


class GenericRecord(Kind, frozen=True, kw_only=True):
    """Anything without a table of its own; its fields stay reachable through the raw row."""

    kind: ClassVar[str] = "record"

    title: str | None = None
    url: str | None = None
    email: str | None = None


KINDS: dict[str, type[Kind]] = {
    cls.kind: cls
    for cls in (
        Customer,
        Product,
        ProductVariant,
        Order,
        OrderLine,
        ContentItem,
        CatalogItem,
        GenericRecord,
    )
}
#: Names the source documents use for our tables.
KIND_ALIASES = {"content_index": "content_item", "catalog_items": "catalog_item"}


def kind_named(name: str) -> type[Kind]:
    """
    Return the kind by its name or by an alias such as content_index.

    :raises KeyError: if there is none
    """
    return KINDS[KIND_ALIASES.get(name, name)]


def build(cls: type[Kind], values: Mapping[str, Any]) -> Kind:
    """
    Return the kind made of loosely typed values (text from CSV, JSON scalars).

    :raises RecordError: naming the field and the value that does not fit
    """
    known = _converters(cls.kind)
    given = {name: known[name](name, value) for name, value in values.items() if value is not None}
    try:
        return cls(**{name: value for name, value in given.items() if value is not None})
    except TypeError:
        missing = [f.name for f in fields(cls) if f.required and given.get(f.name) is None]
        raise RecordError(f"no value for {', '.join(missing)}") from None


def mappable_fields(cls: type[Kind]) -> frozenset[str]:
    """Return the field names a mapping from outside may fill."""
    return frozenset(_converters(cls.kind))


def to_text(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _NUMBERS):
        return str(value)
    raise RecordError(f"{name}: expected text, got {type(value).__name__}")


def to_decimal(name: str, value: Any) -> Decimal | None:
    try:
        number = Decimal(value) if isinstance(value, _NUMBERS_OR_TEXT) else _NO_NUMBER
    except InvalidOperation:
        number = _NO_NUMBER
    # Beyond that no column holds it, and making an integer of 1e1000000 takes half a minute.
    if number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT and not isinstance(value, bool):
        return number
    if isinstance(value, str) and not value.strip():
        return None
    raise RecordError(f"{name}: {_shown(value)} is not a number")


def to_integer(name: str, value: Any) -> int | None:
    number = to_decimal(name, value)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise RecordError(f"{name}: {_shown(value)} is not a whole number")
    return int(number)


def to_boolean(name: str, value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if not word:
        return None
    if word in {"true", "t", "yes", "y", "1"}:
        return True
    if word in {"false", "f", "no", "n", "0"}:
        return False
    raise RecordError(f"{name}: {_shown(value)} is neither true nor false")


def to_datetime(name: str, value: Any) -> datetime | None:
    """
    Read ISO 8601, RFC 822 or epoch seconds or milliseconds; a time without a zone is taken as UTC.

    :raises RecordError: if it is none of these
    """
    if isinstance(value, str):
        return _from_text(name, value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        return _from_epoch(name, value)
    raise RecordError(f"{name}: {_shown(value)} is not a date")


def _from_text(name: str, value: str) -> datetime | None:
    text = value.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = _from_rfc822(name, text)
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise RecordError(f"{name}: {_shown(value)} is out of range") from None


def _from_epoch(name: str, value: int | Decimal) -> datetime:
    # As seconds such a number would lie beyond the year 5000.
    try:
        seconds = float(value)
        return datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise RecordError(f"{name}: {_shown(value)} is not a time in epoch seconds") from None


def _from_rfc822(name: str, text: str) -> datetime:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError):
        raise RecordError(f"{name}: {_shown(text)} is not a date") from None


def _shown(value: Any) -> str:
    return repr(value)[:80]


Converter = Callable[[str, Any], Any]
_BY_TYPE: dict[type, Converter] = {
    str: to_text,
    Decimal: to_decimal,
    int: to_integer,
    bool: to_boolean,
    datetime: to_datetime,
}


@cache
def _converters(kind: str) -> dict[str, Converter]:
    cls = KINDS[kind]
    hints = get_type_hints(cls)
    names = [name for name in cls.__struct_fields__ if name not in cls.children]
    return {name: _BY_TYPE[_plain(hints[name])] for name in names}


def _plain(hint: Any) -> type:
    """Return str for `str | None`."""
    if get_origin(hint) is types.UnionType:
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    assert isinstance(hint, type)  # noqa: S101 - for the type checker
    return hint
