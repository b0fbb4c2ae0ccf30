"""
Records in the shape of the retired v1 and v2 APIs, as old exports and recordings hold them.

Values sat in `properties.<name>.value`, times were epoch milliseconds, each object had an id of its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors import normal
from connectors.base import Json

#: What the id was called, by the object's name today.
OLD_IDS = {"contacts": "vid", "companies": "companyId", "deals": "dealId", "tickets": "objectId"}
_MODIFIED = ("hs_lastmodifieddate", "lastmodifieddate")
_OLD_ASSOCIATIONS = {"companies": "associatedCompanyIds", "contacts": "associatedVids"}


def in_todays_shape(payload: Json, name: str) -> Json:
    """
    Return the record as the API would send it today; one that is so already as it stands.

    :raises RecordError: if a time of it is none
    """
    old_id = payload.get(OLD_IDS[name])
    if type(old_id) is not int:
        return payload
    values = _values(payload.get("properties"))
    modified = next((values[name] for name in _MODIFIED if values.get(name)), None)
    return {
        "id": old_id,
        "createdAt": normal.moment(values.get("createdate")),
        "updatedAt": normal.moment(modified),
        "archived": payload.get("isDeleted"),
        "properties": values,
        "associations": _associations(payload.get("associations")),
    }


def _values(properties: Any) -> dict[str, Any]:
    if not isinstance(properties, Mapping):
        return {}
    return {
        name: value.get("value") if isinstance(value, Mapping) else value
        for name, value in properties.items()
    }


def _associations(old: Any) -> dict[str, Any]:
    if not isinstance(old, Mapping):
        return {}
    return {
        name: [{"toObjectId": one} for one in old.get(old_name) or ()]
        for name, old_name in _OLD_ASSOCIATIONS.items()
    }
