"""A payload read field by field, so that a room says what is where and nothing about what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from connectors.errors import RecordError
from connectors.kinds import to_boolean, to_datetime, to_decimal, to_integer, to_text

_NOTHING: Mapping[str, Any] = {}


class Said(Enum):
    """What a payload says of a field; the getters take the first two for the same."""

    ABSENT = "absent"
    NULL = "null"
    #: An empty text, list or object.
    EMPTY = "empty"
    GIVEN = "given"


class Fields:
    """
    An object of a payload. Absent and null are the same: the source does not say.

    Each getter takes names to fall back on, for what is called differently from version to version; the
    first that is there and not null counts.
    """

    __slots__ = ("_object", "_place")

    def __init__(self, payload: Any, place: str = "") -> None:
        """
        Take an object, and where it stood in the payload.

        :raises RecordError: if it is none
        """
        # Asking for the exact type first spares nearly every payload the slow question.
        if type(payload) is not dict and not isinstance(payload, Mapping):
            raise RecordError(f"{place or 'record'}: expected an object, got {type(payload).__name__}")
        self._object = payload
        self._place = f"{place}." if place else ""

    def said(self, name: str) -> Said:
        """Tell absent, null and empty apart, where a provider means different things by them."""
        if name not in self._object:
            return Said.ABSENT
        value = self._object[name]
        if value is None:
            return Said.NULL
        return Said.EMPTY if value in ("", [], {}) else Said.GIVEN

    def has(self, name: str) -> bool:
        """Tell whether it is there and not null, if only empty."""
        return self._object.get(name) is not None

    def identity(self, name: str = "id", *others: str) -> str:
        """:raises RecordError: if there is no id"""
        found = self.reference(name, *others)
        if found is None:
            raise RecordError(f"no value for {self._place}{name}")
        return found

    def reference(self, name: str, *others: str) -> str | None:
        """
        Return the id of something else, exact text.

        :raises RecordError: if it is neither text nor a whole number
        """
        value = self._object.get(name)
        if value is None and others:
            name, value = self._first(name, others)
        if type(value) is int:
            return str(value)
        if value is None or type(value) is str:
            return value or None
        if isinstance(value, (bool, Decimal)):
            raise RecordError(f"{self._place}{name}: {value!r} is not an id")
        return to_text(self._place + name, value)

    def text(self, name: str, *others: str) -> str | None:
        """:raises RecordError: if it is an object or a list"""
        value = self._object.get(name)
        if type(value) is str:
            return value
        if value is None and others:
            name, value = self._first(name, others)
        return None if value is None else to_text(self._place + name, value)

    def decimal(self, name: str, *others: str) -> Decimal | None:
        """:raises RecordError: if it is no number"""
        value = self._object.get(name)
        if value is None and others:
            name, value = self._first(name, others)
        return None if value is None else to_decimal(self._place + name, value)

    def integer(self, name: str, *others: str) -> int | None:
        """:raises RecordError: if it is no whole number"""
        value = self._object.get(name)
        if value is None and others:
            name, value = self._first(name, others)
        return None if value is None else to_integer(self._place + name, value)

    def boolean(self, name: str, *others: str) -> bool | None:
        """:raises RecordError: if it is neither true nor false, nor a word for it"""
        value = self._object.get(name)
        if value is None and others:
            name, value = self._first(name, others)
        return value if value is None or type(value) is bool else to_boolean(self._place + name, value)

    def moment(self, name: str, *others: str) -> datetime | None:
        """:raises RecordError: if it is no time"""
        value = self._object.get(name)
        if value is None and others:
            name, value = self._first(name, others)
        return None if value is None else to_datetime(self._place + name, value)

    def inside(self, name: str, *others: str) -> Fields:
        """
        Return the object of that name, an empty one if the source has none.

        :raises RecordError: if it is something else
        """
        value = self._object.get(name)
        if value is None and others:
            name, value = self._first(name, others)
        return Fields(_NOTHING if value is None else value, self._place + name)

    def each(self, name: str, *others: str) -> Iterator[Fields]:
        """
        Yield the objects of the list of that name.

        :raises RecordError: if it is no list of objects
        """
        values = self._object.get(name)
        if values is None and others:
            name, values = self._first(name, others)
        if values is not None and not isinstance(values, list):
            raise RecordError(f"{self._place}{name}: expected a list, got {type(values).__name__}")
        place = self._place + name
        for number, value in enumerate(values or (), 1):
            yield Fields(value, f"{place}[{number}]")

    def _first(self, name: str, others: tuple[str, ...]) -> tuple[str, Any]:
        for other in others:
            value = self._object.get(other)
            if value is not None:
                return other, value
        return name, None
