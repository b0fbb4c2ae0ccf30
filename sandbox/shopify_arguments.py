"""What a list of the GraphQL API is given, and how it refuses what it cannot make sense of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from sandbox.graphql_text import BadQuery, Field, Operation
from sandbox.listing import BadCursor, Place, place_from, stamp_from

MOST_AT_ONCE = 250
_BOUND = re.compile(r"updated_at:(>=|<=)'([^']+)'")
_ARGUMENTS = frozenset(
    {"first", "after", "query", "sortKey", "includeInactive", "includeLegacy", "names", "id"}
)


class Refused(Exception):
    """What is asked for is answered by an error with this code."""

    def __init__(self, text: str, code: str = "", **more: Any) -> None:
        super().__init__(text)
        self.extensions = {"code": code, **more} if code else {}


def undefined(field: Field, kind: str) -> Refused:
    return Refused(f"Field '{field.name}' doesn't exist on type '{kind}'", "undefinedField")


def first_of(field: Field, given: Mapping[str, Any]) -> int:
    first = given.get("first")
    if not isinstance(first, int):
        raise Refused(f"you must provide one of first or last on {field.name}", "BAD_REQUEST")
    if not 1 <= first <= MOST_AT_ONCE:
        raise Refused(f"first must be from 1 to {MOST_AT_ONCE}, not {first}", "BAD_REQUEST")
    return first


def place_of(given: Mapping[str, Any]) -> Place:
    unknown = set(given) - _ARGUMENTS
    if unknown:
        raise Refused(f"Unknown argument '{min(unknown)}'", "argumentNotAccepted")
    after = given.get("after")
    if after:
        try:
            return place_from(str(after))
        except BadCursor:
            raise Refused("Invalid cursor for current pagination sort.") from None
    query = str(given.get("query") or "")
    place = Place()
    for sign, text in _BOUND.findall(query):
        is_upper = sign == "<="
        bound = max(stamp_from(text, is_upper=is_upper), 0)
        place = structs.replace(place, **{"high" if is_upper else "low": bound})
    if _BOUND.sub("", query).replace("AND", "").strip():
        raise Refused(f"Invalid search query: {query}", "BAD_REQUEST")
    return place


def check_variables(operation: Operation, variables: Mapping[str, Any]) -> None:
    missing = [
        name for name, is_needed in operation.variables.items() if is_needed and variables.get(name) is None
    ]
    if missing:
        raise BadQuery(f"Variable ${missing[0]} was provided invalid value")
    unknown = set(variables) - set(operation.variables)
    if unknown:
        raise BadQuery(f"Variable ${min(unknown)} is not declared by the operation")
