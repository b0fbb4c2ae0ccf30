"""Objects as GraphQL knows them, and how it writes ids, times and amounts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from sandbox.data import Record

_moment = msgspec.json.Decoder(datetime)


class Node(dict[str, Any]):
    """An object; what it has not, its type has not."""

    def __init__(self, kind: str, number: Any = ..., /, **fields: Any) -> None:
        super().__init__(__typename=kind, **fields)
        if number is not ...:
            self["id"] = None if number is None else gid(kind, number)


class Connection(list[Node]):
    """Objects that are asked for by page."""


def gid(kind: str, number: Any) -> str:
    return f"gid://shopify/{kind}/{number}"


def times(row: Record) -> dict[str, Any]:
    return {"createdAt": utc(row["created_at"]), "updatedAt": utc(row["updated_at"])}


def utc(text: str | None) -> str | None:
    """GraphQL writes every time in UTC."""
    return text and _moment.decode(f'"{text}"').astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def money_of(amount: Any, currency: Any) -> Node:
    return Node("MoneyV2", amount=amount, currencyCode=currency)


def bag(amount: Any, currency: Any) -> Node:
    money = money_of(amount, currency)
    return Node("MoneyBag", shopMoney=money, presentmentMoney=money)
