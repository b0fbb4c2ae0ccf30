"""
QuickBooks' query language, as far as it goes: no OR, no JOIN, one entity, pages by STARTPOSITION.

Confirmed: MAXRESULTS 100 unless said and 1000 at most, STARTPOSITION from 1, `select count(*)`, quotes
escaped by a backslash, code 4001 with "value 0 is too small. Min allowed value is 1".
Unconfirmed [M]: the exact texts of the other refusals, and which fields may be filtered and ordered by; here
it is Id, Active of the lists, and the time of change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.messages import BadRequest
from sandbox.quickbooks_common import LISTS

DEFAULT_RESULTS, MOST_RESULTS = 100, 1_000
CHANGED = "MetaData.LastUpdatedTime"
_TOKEN = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|([A-Za-z_][\w.]*)|(\d+)|(>=|<=|=|>|<|\(|\)|,|\*))")
_OPERATORS = frozenset({"=", ">", "<", ">=", "<="})


@dataclass(frozen=True, slots=True)
class Condition:
    name: str
    #: An operator, or "in".
    operator: str
    values: tuple[Any, ...]


@dataclass(slots=True, kw_only=True)
class Query:
    """What is asked for."""

    entity: str = ""
    #: None means all.
    columns: tuple[str, ...] | None = None
    is_count: bool = False
    conditions: list[Condition] = field(default_factory=list)
    order: str = ""
    is_descending: bool = False
    start: int = 1
    most: int = DEFAULT_RESULTS


def fault(code: int, message: str, detail: str, *, kind: str = "ValidationFault") -> dict[str, Any]:
    """Return a refusal in the words of the data services."""
    error = {"Message": message, "Detail": detail, "code": str(code)}
    return {"Fault": {"Error": [error], "type": kind}}


def parsed(text: str, entities: frozenset[str]) -> Query:
    """:raises BadRequest: if that is no query, or one for what there is not"""
    reader = _Reader(text)
    query = reader.query()
    if query.entity not in entities:
        raise _invalid(f"Metadata not found for Entity: {query.entity}")
    _check_names(query)
    for what, number, most in (("start", query.start, None), ("max", query.most, MOST_RESULTS)):
        if number < 1:
            raise _invalid(f"value {number} is too small. Min allowed value is 1")
        if most and number > most:
            raise _invalid(f"{what}Results: value {number} is too large. Max allowed value is {most}")
    return query


def _check_names(query: Query) -> None:
    known = {"Id", CHANGED} | ({"Active"} if query.entity in LISTS else set())
    for name in [*(one.name for one in query.conditions), *([query.order] if query.order else [])]:
        if name not in known:
            raise _invalid(f"Property {name} not found for Entity {query.entity}")


class _Reader:
    """Reads a query from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise _unparsable(text[place:].strip()[:20])
            kind = ("text", "word", "number", "sign")[(found.lastindex or 1) - 1]
            self._tokens.append((kind, found[found.lastindex or 1]))
            place = found.end()
        self._place = 0

    def query(self) -> Query:
        query = Query()
        self._expect("select")
        self._columns(query)
        self._expect("from")
        query.entity = self._take("word")
        if self._skip("where"):
            query.conditions.append(self._condition())
            while self._skip("and"):
                query.conditions.append(self._condition())
        if self._skip("orderby") or (self._skip("order") and self._expect("by")):
            query.order = self._take("word")
            query.is_descending = self._skip("desc") or (self._skip("asc") and False)
        if self._skip("startposition"):
            query.start = int(self._take("number"))
        if self._skip("maxresults"):
            query.most = int(self._take("number"))
        if self._place < len(self._tokens):
            raise _unparsable(self._tokens[self._place][1])
        return query

    def _columns(self, query: Query) -> None:
        if self._skip("*"):
            return
        if self._skip("count"):
            for sign in ("(", "*", ")"):
                self._expect(sign)
            query.is_count = True
            return
        names = [self._take("word")]
        while self._skip(","):
            names.append(self._take("word"))
        query.columns = tuple(names)

    def _condition(self) -> Condition:
        name = self._take("word")
        if self._skip("in"):
            self._expect("(")
            values = [self._value()]
            while self._skip(","):
                values.append(self._value())
            self._expect(")")
            return Condition(name, "in", tuple(values))
        operator = self._take("sign")
        if operator not in _OPERATORS:
            raise _unparsable(operator)
        return Condition(name, operator, (self._value(),))

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "word" and text.lower() in {"true", "false"}:
            return text.lower() == "true"
        raise _unparsable(text)

    def _next(self) -> tuple[str, str]:
        if self._place >= len(self._tokens):
            raise _unparsable("<EOF>")
        self._place += 1
        return self._tokens[self._place - 1]

    def _take(self, wanted: str) -> str:
        kind, text = self._next()
        if kind != wanted:
            raise _unparsable(text)
        return text

    def _skip(self, word: str) -> bool:
        if self._place < len(self._tokens):
            kind, text = self._tokens[self._place]
            if kind != "text" and text.lower() == word:
                self._place += 1
                return True
        return False

    def _expect(self, word: str) -> bool:
        if not self._skip(word):
            raise _unparsable(self._next()[1])
        return True


def _unparsable(found: str) -> BadRequest:
    detail = f'QueryParserError: Encountered " {found} " where something else was due'
    return BadRequest(fault(4000, "Error parsing query", detail))


def _invalid(detail: str) -> BadRequest:
    return BadRequest(fault(4001, "Invalid query", f"QueryValidationError: {detail}"))
