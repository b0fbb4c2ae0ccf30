"""The kinds by name, and made of loosely typed values."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from msgspec.structs import fields

from connectors.errors import RecordError
from connectors.kinds.base import Kind
from connectors.kinds.books import Account, Bill, Invoice, InvoiceLine, Vendor
from connectors.kinds.content import CatalogItem, ContentItem, GenericRecord
from connectors.kinds.converting import to_boolean, to_datetime, to_decimal, to_integer, to_text
from connectors.kinds.crm import Company, Deal, Employee, Ticket
from connectors.kinds.money import (
    BalanceTransaction,
    Dispute,
    Payment,
    Payout,
    Price,
    Refund,
    Subscription,
)
from connectors.kinds.shop import (
    Customer,
    Fulfillment,
    InventoryItem,
    InventoryLevel,
    Location,
    Order,
    OrderLine,
    Product,
    ProductImage,
    ProductVariant,
)
from connectors.kinds.studio import ClassSession, Membership, Reservation

KINDS: dict[str, type[Kind]] = {
    cls.kind: cls
    for cls in (
        Customer,
        Employee,
        Company,
        Location,
        Product,
        ProductVariant,
        ProductImage,
        Price,
        InventoryItem,
        InventoryLevel,
        Order,
        OrderLine,
        Fulfillment,
        Payment,
        Refund,
        Dispute,
        Payout,
        BalanceTransaction,
        Subscription,
        Invoice,
        InvoiceLine,
        Vendor,
        Bill,
        Account,
        Deal,
        Ticket,
        ClassSession,
        Membership,
        Reservation,
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
