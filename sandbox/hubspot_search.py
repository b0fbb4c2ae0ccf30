"""
Searches as HubSpot takes them: what may be asked, what is found, in which order.

Confirmed: operators, 200 a page, nothing beyond 10,000 results, `total`, five groups, ten filters a group and
25 in all (changelog of 2024-08-26). Unconfirmed [M]: one sort only, the texts of refusals. Records that are
equal by the sort come in no order one could rely on: here it differs from search to search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sandbox.hubspot_door import Rules, invalid

OPERATORS = frozenset(
    (
        "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY",
        "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
    )
)  # fmt: skip
MOST_GROUPS, MOST_FILTERS, MOST_IN_ALL = 5, 10, 25
#: What a property of a record holds: a number for times and numbers, else text; None where it is not set.
Getter = Callable[[str, int], int | str | None]


class Filter(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    property_name: str
    operator: str
    value: str | None = None
    high_value: str | None = None
    values: list[str] | None = None


class Group(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    filters: list[Filter]


class Sort(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    property_name: str
    direction: str = "ASCENDING"


class Search(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The body of a search."""

    filter_groups: list[Group] = []
    sorts: list[Sort] = []
    properties: list[str] = []
    limit: int = 10
    after: str | int | None = None

    @property
    def offset(self) -> int:
        """:raises BadRequest: if it is none"""
        text = str(self.after or "0")
        if not text.isdecimal():
            raise invalid("Invalid input: after must be a number")
        return int(text)


def search_from(body: bytes, rules: Rules) -> Search:
    """:raises BadRequest: if HubSpot would not take it"""
    try:
        asked = msgspec.json.decode(body, type=Search)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid(f"Invalid input JSON: {error}") from None
    filters = [len(group.filters) for group in asked.filter_groups]
    if len(filters) > MOST_GROUPS or sum(filters) > MOST_IN_ALL or max(filters, default=0) > MOST_FILTERS:
        raise invalid("There was a problem with the request: too many filters")
    if len(asked.sorts) > 1:
        raise invalid("There was a problem with the request: only one sort is allowed")
    if not 1 <= asked.limit <= rules.most_searched:
        raise invalid(f"Invalid limit: must be from 1 to {rules.most_searched}")
    if asked.offset + asked.limit > rules.search_cap:
        raise invalid(f"There was a problem with the request: no results beyond {rules.search_cap}")
    for group in asked.filter_groups:
        for one in group.filters:
            _check(one)
    return asked


def _check(one: Filter) -> None:
    if one.operator not in OPERATORS:
        raise invalid(f"Unable to parse value for operator {one.operator}")
    if one.operator.endswith("HAS_PROPERTY"):
        return
    is_list = one.operator in {"IN", "NOT_IN"}
    if not (one.values if is_list else one.value):
        raise invalid(f"operator {one.operator} requires a value")
    if one.operator == "BETWEEN" and not one.high_value:
        raise invalid("operator BETWEEN requires a highValue")


def found(asked: Search, indexes: list[int], get: Getter) -> list[int]:
    """Return which of the records are found, in order."""
    groups = asked.filter_groups
    kept = [
        index
        for index in indexes
        if not groups or any(all(_fits(one, index, get) for one in group.filters) for group in groups)
    ]
    whim = asked.limit + 7 * asked.offset
    kept.sort(key=lambda index: (index * 2_654_435_761 ^ whim * 40_503) & 0xFFFF)
    if asked.sorts:
        [sort] = asked.sorts
        is_down = sort.direction == "DESCENDING"
        kept.sort(key=lambda index: _sortable(get(sort.property_name, index)), reverse=is_down)
    return kept


def _sortable(value: int | str | None) -> tuple[int, int, str]:
    if isinstance(value, int):
        return 1, value, ""
    return (0, 0, "") if value is None else (2, 0, value)


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda held, wanted: bool(held == wanted),
    "NEQ": lambda held, wanted: bool(held != wanted),
    "LT": lambda held, wanted: bool(held < wanted),
    "LTE": lambda held, wanted: bool(held <= wanted),
    "GT": lambda held, wanted: bool(held > wanted),
    "GTE": lambda held, wanted: bool(held >= wanted),
    "CONTAINS_TOKEN": lambda held, wanted: str(wanted).lower() in str(held).lower().split(),
    "NOT_CONTAINS_TOKEN": lambda held, wanted: str(wanted).lower() not in str(held).lower().split(),
}


def _fits(one: Filter, index: int, get: Getter) -> bool:
    held: Any = get(one.property_name, index)
    if one.operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
        return (held is not None) == (one.operator == "HAS_PROPERTY")
    if held is None:
        return one.operator.startswith("N")
    if one.operator == "BETWEEN":
        return bool(_like(held, one.value) <= held <= _like(held, one.high_value))
    if one.operator in {"IN", "NOT_IN"}:
        return (str(held) in (one.values or [])) == (one.operator == "IN")
    return _COMPARISONS[one.operator](held, _like(held, one.value))


def _like(held: int | str, value: str | None) -> Any:
    """Return the value of a filter as the property has its own."""
    text = value or ""
    if isinstance(held, str):
        return text
    if not text.lstrip("-").isdecimal():
        raise invalid(f"Unable to parse {text!r} as a number or a time in milliseconds")
    return int(text)
