"""
What a GraphQL query costs: a point for each object, and for a list two and what so many of its objects cost.

The rule is the one Shopify published for long, and unconfirmed [M] for 2026; that a query may cost 1,000
points at most, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.graphql_text import Field, Fragment, filled

MOST = 1_000
_LIST = 2


def requested(fields: tuple[Field | Fragment, ...], variables: Mapping[str, Any]) -> int:
    """Return the most the fields may cost, by what is asked for and not by what there is."""
    return sum(_cost(one, variables) for one in fields)


def _cost(one: Field | Fragment, variables: Mapping[str, Any]) -> int:
    if isinstance(one, Fragment):
        return requested(one.inside, variables)
    if one.inside is None:
        return 0
    inner = requested(one.inside, variables)
    if one.name in {"nodes", "edges"}:
        return 1 + inner
    if one.name == "pageInfo":
        return 0
    first = filled(one.arguments, variables).get("first")
    return _LIST + first * inner if isinstance(first, int) else 1 + inner


def actual(value: Any) -> int:
    """Return what an answer cost: its objects."""
    if isinstance(value, dict):
        return 1 + sum(actual(one) for one in value.values())
    return sum(actual(one) for one in value) if isinstance(value, list) else 0
