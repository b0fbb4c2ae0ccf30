"""A payload read field by field, so that a room says what is where and nothing about what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.errors import RecordError
from connectors.kinds import to_datetime, to_decimal, to_integer, to_text

_NOTHING: Mapping[str, Any] = {}


class Fields:
    """An object of a payload. Absent and null are the same: the source does not say."""

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

    def identity(self, name: str = "id") -> str:
        """:raises RecordError: if there is no id"""
        found = self.reference(name)
        if found is None:
            raise RecordError(f"no value for {self._place}{name}")
        return found

    def reference(self, name: str) -> str | None:
        """
        Return the id of something else, exact text.

        :raises RecordError: if it is neither text nor a whole number
        """
        value = self._object.get(name)
        if type(value) is int:
            return str(value)
        if value is None or type(value) is str:
            return value or None
        if isinstance(value, (bool, Decimal)):
            raise RecordError(f"{self._place}{name}: {value!r} is not an id")
        return self.text(name) or None

    def text(self, name: str) -> str | None:
        """:raises RecordError: if it is an object or a list"""
        value = self._object.get(name)
        if value is None or type(value) is str:
            return value
        return to_text(self._place + name, value)

    def decimal(self, name: str) -> Decimal | None:
        """:raises RecordError: if it is no number"""
        value = self._object.get(name)
        return None if value is None else to_decimal(self._place + name, value)

    def integer(self, name: str) -> int | None:
        """:raises RecordError: if it is no whole number"""
        value = self._object.get(name)
        return None if value is None else to_integer(self._place + name, value)

    def moment(self, name: str) -> datetime | None:
        """:raises RecordError: if it is no time"""
        value = self._object.get(name)
        return None if value is None else to_datetime(self._place + name, value)

    def inside(self, name: str) -> Fields:
        """
        Return the object of that name, an empty one if the source has none.

        :raises RecordError: if it is something else
        """
        value = self._object.get(name)
        return Fields(_NOTHING if value is None else value, self._place + name)

    def each(self, name: str) -> Iterator[Fields]:
        """
        Yield the objects of the list of that name.

        :raises RecordError: if it is no list of objects
        """
        values = self._object.get(name)
        if values is not None and not isinstance(values, list):
            raise RecordError(f"{self._place}{name}: expected a list, got {type(values).__name__}")
        for number, value in enumerate(values or (), 1):
            yield Fields(value, f"{self._place}{name}[{number}]")
