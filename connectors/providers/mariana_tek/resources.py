"""A JSON:API resource, read by attribute and by relationship."""

from __future__ import annotations

from connectors.base import Json
from connectors.errors import RecordError
from connectors.fields import Fields


class Resource:
    """One element of `data`."""

    def __init__(self, payload: Json) -> None:
        """:raises RecordError: if it has no id"""
        raw = Fields(payload)
        self.external_id = raw.identity()
        self.attributes = raw.inside("attributes")
        self._relationships = raw.inside("relationships")

    def related(self, *names: str) -> str | None:
        """
        Return the id of the first of these relationships that is set.

        :raises RecordError: if it is one to many
        """
        for name in names:
            found = self._relationships.inside(name).inside("data").reference("id")
            if found is not None:
                return found
        return None


def names_in(payload: Json, attribute: str) -> str | None:
    """
    Return the names an attribute lists with commas between them; some tenants send one text.

    :raises RecordError: if it is neither
    """
    value = (payload.get("attributes") or {}).get(attribute)
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return ", ".join(filter(None, value)) or None
    raise RecordError(f"attributes.{attribute}: expected a list of names")
