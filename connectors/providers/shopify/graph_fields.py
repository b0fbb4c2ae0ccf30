"""Fields as the GraphQL Admin API writes them: words in capitals, ids as paths, amounts in two currencies."""

from __future__ import annotations

from decimal import Decimal

from connectors.fields import Fields
from connectors.providers.shopify.gids import number_of


def word(raw: Fields, name: str) -> str | None:
    word = raw.text(name)
    return word.lower() if word else None


def id_in(raw: Fields, name: str) -> str | None:
    return number(raw.inside(name).reference("id"))


def number(gid: str | None) -> str | None:
    return number_of(gid) if gid else None


def shop_amount(raw: Fields, name: str) -> Decimal | None:
    return raw.inside(name).inside("shopMoney").decimal("amount")


def shop_currency(raw: Fields, name: str) -> str | None:
    return raw.inside(name).inside("shopMoney").text("currencyCode")
