"""
Which companies and contacts deals and tickets belong to: asked for page by page, and kept with the record.

Searches cannot return associations, and listings do so in another shape: asking for them apart makes a record
the same by whichever way it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from connectors import exact_json
from connectors.base import SourceRecord
from connectors.errors import RecordError, SchemaError, TransientError
from connectors.providers.hubspot.api import Api

#: Objects per call.
AT_ONCE = 100
#: Calls for one batch; each gives up to some hundred associations of an object.
MOST_CALLS = 200
#: Part of an answer of 207: none of these is a failure.
_NONE_THERE = ("NO_ASSOCIATIONS_FOUND", "OBJECT_NOT_FOUND")

#: What an object is associated with, by the object's id.
Found = dict[str, list[Any]]


def with_associations(
    api: Api, url: str, records: Sequence[SourceRecord], *, of: str, to: Sequence[str]
) -> list[SourceRecord]:
    """
    Return the records with their associations to objects of each of the types `to`.

    :raises TransientError: if some could not be told
    :raises SchemaError: if the answer is not what is documented
    """
    ids = [record.external_id for record in records if record.external_id and not record.problem]
    found = {other: _read(api, f"{url}/{of}/{other}/batch/read", ids) for other in to}
    return [_completed(record, found) for record in records]


def _completed(record: SourceRecord, found: Mapping[str, Found]) -> SourceRecord:
    if record.problem or not record.external_id:
        return record
    told = {other: found[other].get(record.external_id, []) for other in found}
    # The record's own bytes stay as they were sent.
    start = record.body.rstrip().removesuffix(b"}")
    return replace(record, body=b'%b,"associations":%b}' % (start, exact_json.dumps(told)))


def _read(api: Api, url: str, ids: Sequence[str]) -> Found:
    found: Found = {}
    for start in range(0, len(ids), AT_ONCE):
        inputs = [{"id": one} for one in ids[start : start + AT_ONCE]]
        for _ in range(MOST_CALLS):
            if not inputs:
                break
            inputs = _take(_answered(api, url, inputs), found)
    for others in found.values():
        others.sort(key=lambda other: (len(str(other["toObjectId"])), str(other["toObjectId"])))
    return found


def _answered(api: Api, url: str, inputs: list[dict[str, str]]) -> Mapping[str, Any]:
    try:
        answer = api.read_batch(url, inputs)
    except RecordError as error:
        raise SchemaError(f"hubspot: the associations at {url} cannot be read: {error}") from None
    if not isinstance(answer, Mapping) or not isinstance(answer.get("results"), list):
        raise SchemaError(f"hubspot: no list of associations in the answer of {url}")
    failed = [
        one
        for one in answer.get("errors") or ()
        if not any(word in str([one.get("category"), one.get("subCategory")]) for word in _NONE_THERE)
    ]
    if failed:
        raise TransientError(f"hubspot: some associations at {url} were not told: {str(failed[0])[:300]}")
    return answer


def _take(answer: Mapping[str, Any], found: Found) -> list[dict[str, str]]:
    """Note the associations of an answer; return whose list goes on, and where."""
    going_on = []
    try:
        for result in answer["results"]:
            who = str(result["from"]["id"])
            found.setdefault(who, []).extend(one for one in result["to"] if one["toObjectId"])
            after = ((result.get("paging") or {}).get("next") or {}).get("after")
            if after:
                going_on.append({"id": who, "after": str(after)})
    except (LookupError, TypeError, AttributeError):
        raise SchemaError("hubspot: an association has no ids where they are documented") from None
    return going_on
