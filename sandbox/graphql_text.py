"""
GraphQL as text: the part of the language that clients of listings write.

Operations with variables, arguments, aliases and inline fragments; no named fragments, directives or input
objects. Nobody's dialect, so nothing here needs confirming (GraphQL, October 2021, section 2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

_TOKEN = re.compile(
    r'(?P<skip>[\s,\ufeff]+|#[^\n]*)|(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)'
    r"|(?P<name>[_A-Za-z]\w*)|(?P<mark>\.\.\.|[{}()\[\]:$!=@|])"
)
_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}


class BadQuery(Exception):
    """The text is not GraphQL as we know it."""


class Word(str):
    """A value of an enumeration."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    name: str
    alias: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    #: None where the field is to be a plain value.
    inside: tuple[Field | Fragment, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """What is wanted of objects of one type."""

    type: str
    inside: tuple[Field | Fragment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    kind: str
    #: By name, whether it must be given.
    variables: Mapping[str, bool]
    fields: tuple[Field | Fragment, ...]


def parse(text: str) -> Operation:
    """:raises BadQuery: if it cannot be understood"""
    reader = _Reader(list(_tokens(text)))
    operation = reader.operation()
    if reader.peek() != "":
        raise BadQuery(f"syntax error, unexpected {reader.peek()!r} after the operation")
    return operation


def filled(arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with their variables put in; those not given are left out."""
    return {
        name: variables.get(value.name) if isinstance(value, Variable) else value
        for name, value in arguments.items()
        if not isinstance(value, Variable) or value.name in variables
    }


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise BadQuery(f"syntax error, unexpected {text[place : place + 10]!r}")
        place = found.end()
        if found.lastgroup != "skip":
            yield found[0]


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    def peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def operation(self) -> Operation:
        kind = self._next() if self.peek() in {"query", "mutation"} else "query"
        if self.peek() not in {"{", "("}:
            self._next()
        variables = dict(self._variables()) if self.peek() == "(" else {}
        return Operation(kind=kind, variables=variables, fields=self._selection())

    def _variables(self) -> Iterator[tuple[str, bool]]:
        self._expect("(")
        while self.peek() != ")":
            self._expect("$")
            name = self._next()
            self._expect(":")
            yield name, self._type()
        self._expect(")")

    def _type(self) -> bool:
        if self.peek() == "[":
            self._next()
            self._type()
            self._expect("]")
        else:
            self._next()
        if self.peek() != "!":
            return False
        self._next()
        return True

    def _selection(self) -> tuple[Field | Fragment, ...]:
        self._expect("{")
        found: list[Field | Fragment] = []
        while self.peek() != "}":
            found.append(self._fragment() if self.peek() == "..." else self._field())
        self._expect("}")
        if not found:
            raise BadQuery("syntax error, an empty selection")
        return tuple(found)

    def _fragment(self) -> Fragment:
        self._expect("...")
        self._expect("on")
        return Fragment(type=self._name(), inside=self._selection())

    def _field(self) -> Field:
        alias = name = self._name()
        if self.peek() == ":":
            self._next()
            name = self._name()
        arguments = dict(self._arguments()) if self.peek() == "(" else {}
        inside = self._selection() if self.peek() == "{" else None
        return Field(name=name, alias=alias, arguments=arguments, inside=inside)

    def _arguments(self) -> Iterator[tuple[str, Any]]:
        self._expect("(")
        while self.peek() != ")":
            name = self._name()
            self._expect(":")
            yield name, self._value()
        self._expect(")")

    def _value(self) -> Any:
        token = self._next()
        if token == "$":  # noqa: S105
            return Variable(self._name())
        if token == "[":  # noqa: S105
            values = []
            while self.peek() != "]":
                values.append(self._value())
            self._expect("]")
            return values
        if token.startswith('"') or token[0] in "-0123456789":
            return msgspec.json.decode(token)
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token[0].isalpha():
            return Word(token)
        raise BadQuery(f"syntax error, unexpected {token!r} as a value")

    def _name(self) -> str:
        name = self._next()
        if not (name[0].isalpha() or name[0] == "_"):
            raise BadQuery(f"syntax error, unexpected {name!r} where a name was due")
        return name

    def _expect(self, token: str) -> None:
        found = self._next()
        if found != token:
            raise BadQuery(f"syntax error, unexpected {found!r} where {token!r} was due")

    def _next(self) -> str:
        token = self.peek()
        if not token:
            raise BadQuery("syntax error, unexpected end of file")
        self._place += 1
        return token
