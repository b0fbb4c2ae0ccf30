"""HubSpot's objects of one type: listed, searched, archived, merged, associated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import msgspec

from sandbox.dataset import Dataset
from sandbox.hubspot_door import Rules, invalid
from sandbox.hubspot_ids import STRIDE, index_of, milliseconds, moment, object_id
from sandbox.hubspot_records import ASSOCIATIONS
from sandbox.hubspot_search import found, search_from
from sandbox.listing import twisted_rows
from sandbox.messages import Answer, Request, joined, json_answer, served_rows
from sandbox.order import INDEX_BITS, INDEX_MASK

LISTED = frozenset(("limit", "after", "properties", "propertiesWithHistory", "associations", "archived"))
DEFAULTS = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    "deals": (
        "dealname", "amount", "closedate", "pipeline", "dealstage", "createdate", "hs_lastmodifieddate",
        "hs_object_id",
    ),
    "tickets": (
        "subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority", "hs_ticket_category",
        "createdate", "hs_lastmodifieddate", "hs_object_id",
    ),
}  # fmt: skip


class Objects:
    """Contacts, companies, deals or tickets."""

    def __init__(self, name: str, dataset: Dataset, rules: Rules, clock: Callable[[], float]) -> None:
        self._name = name
        self._dataset = dataset
        self._rules = rules
        self._clock = clock
        #: Into which object another was merged, by their numbers.
        self._merged: dict[int, int] = {}

    def listing(self, request: Request) -> Answer:
        unknown = sorted(set(request.query) - LISTED)
        if unknown:
            raise invalid(f"unknown parameter: {unknown[0]}")
        most = 50 if request.query.get("propertiesWithHistory") else self._rules.most_listed
        limit = whole_number(request.query.get("limit", "10"), "limit", least=1, most=most)
        after = whole_number(request.query.get("after", "0"), "after")
        wanted = _names(request.query.get("properties"))
        if request.query.get("archived", "false") == "true":
            return self._archive(limit, after, request)
        return self._page(limit, after, wanted, request)

    def search(self, request: Request) -> Answer:
        asked = search_from(request.body, self._rules)
        newest = self._clock() - self._rules.index_lag
        stamps = {key & INDEX_MASK: key >> INDEX_BITS for key in self._dataset.order}
        indexes = [
            index
            for index, stamp in stamps.items()
            if index not in self._merged and self._is_in(stamp, newest)
        ]
        held = _Held(self._name, self._dataset, stamps)
        hits = found(asked, indexes, held.value)
        chosen = hits[asked.offset : asked.offset + asked.limit]
        keys = [stamps[index] << INDEX_BITS | index for index in chosen]
        rows = [] if {"empty_list", "empty_page"} & request.twists else self._rows(keys, request)
        more = asked.offset + asked.limit < len(hits) and "empty_list" not in request.twists
        # A page that came empty starts where it did, by another name.
        following = f"0{asked.after or 0}" if "empty_page" in request.twists else asked.offset + len(keys)
        body = joined(
            b'{"total":%d,"results":' % len(hits),
            [_shown(row, self._known(asked.properties)) for row in rows],
            _paging({"next": {"after": str(following)}} if more else None),
        )
        served = served_rows(self._dataset, rows, cursor=f"search {request.body.decode('utf-8', 'replace')}")
        return Answer(body=body, served=served)

    def merge(self, request: Request) -> Answer:
        """Merge one into another, as a person would: the one is gone, the other changed."""
        told = msgspec.json.decode(request.body, type=dict[str, str])
        kept = index_of(self._name, int(told["primaryObjectId"]))
        lost = index_of(self._name, int(told["objectIdToMerge"]))
        stamps = {key & INDEX_MASK: key for key in self._dataset.order}
        if kept not in stamps or lost not in stamps or kept == lost:
            raise invalid("objects to merge must be two that exist")
        self._merged[lost] = kept
        self._dataset.renew([stamps[kept]], at=int(self._clock()))
        return json_answer({"id": told["primaryObjectId"]})

    def associations(self, other: str, request: Request) -> Answer:
        """Answer batch/read of associations to objects of the type `other`."""
        inputs = _inputs(request.body, self._rules.most_inputs)
        live = {key & INDEX_MASK for key in self._dataset.order}
        results: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for one in inputs:
            index = index_of(self._name, whole_number(one["id"], "id"))
            others = self._associated(index, other) if index in live else []
            start = whole_number(one.get("after", "0"), "after")
            page = others[start : start + self._rules.associations_at_once]
            if not page:
                errors.append(_none_found(self._name, other, one["id"]))
                continue
            result: dict[str, Any] = {"from": {"id": one["id"]}, "to": page}
            if start + len(page) < len(others):
                result["paging"] = {"next": {"after": str(start + len(page)), "link": ""}}
            results.append(result)
        body: dict[str, Any] = {"status": "COMPLETE", "results": results}
        if errors:
            body |= {"numErrors": len(errors), "errors": errors}
        return json_answer(body, status=207 if errors else 200)

    # Inside

    def _is_in(self, stamp: int, newest: float) -> bool:
        return not self._rules.index_lag or stamp <= newest

    def _page(self, limit: int, after: int, wanted: Sequence[str] | None, request: Request) -> Answer:
        first = index_of(self._name, after) + 1 if after >= object_id(self._name, 0) else 0
        keys = [key for key in self._dataset.numbered() if (key & INDEX_MASK) >= first]
        keys = [key for key in keys if key & INDEX_MASK not in self._merged]
        chosen = [] if {"empty_list", "empty_page"} & request.twists else keys[:limit]
        rows = self._rows(chosen, request)
        last = object_id(self._name, chosen[-1] & INDEX_MASK) if chosen else 0
        following = _twisted_after(after, str(last) if len(keys) > limit else "", limit, request.twists)
        if "empty_list" in request.twists:
            following = ""
        body = joined(
            b'{"results":',
            [_shown(row, self._known(wanted)) for row in rows],
            _paging(_next_page(request, following) if following else None),
        )
        return Answer(body=body, served=served_rows(self._dataset, rows, cursor=str(after)))

    def _archive(self, limit: int, after: int, request: Request) -> Answer:
        gone = {int(external_id): when for external_id, when in self._dataset.deleted().items()}
        ids = sorted(one for one in gone if one > after)
        rows = []
        for one in ids[:limit]:
            record: dict[str, Any] = {"id": str(one), "properties": {"hs_object_id": str(one)}}
            when = moment(gone[one])
            rows.append({**record, "updatedAt": when, "archived": True, "archivedAt": when})
        body: dict[str, Any] = {"results": rows}
        if len(ids) > limit:
            body["paging"] = _next_page(request, str(ids[limit - 1]))
        return json_answer(body)

    def _rows(self, keys: list[int], request: Request) -> list[bytes]:
        rows = twisted_rows(self._dataset, keys, request)
        winners = {object_id(self._name, one) for one in self._merged.values()}
        return [self._with_merged(row) for row in rows] if winners else rows

    def _with_merged(self, row: bytes) -> bytes:
        with suppress(msgspec.DecodeError, KeyError, ValueError, TypeError):
            record = msgspec.json.decode(row)
            mine = index_of(self._name, int(record["id"]))
            lost = [str(object_id(self._name, one)) for one, kept in self._merged.items() if kept == mine]
            if lost:
                record["properties"]["hs_merged_object_ids"] = ";".join(lost)
                return msgspec.json.encode(record)
        return row

    def _associated(self, index: int, other: str) -> list[Any]:
        [row] = self._dataset.rows([index])
        with suppress(msgspec.DecodeError, ValueError):
            told = msgspec.json.decode(row[row.rindex(ASSOCIATIONS) + len(ASSOCIATIONS) : -1])
            return list(told[other])
        return []

    def _known(self, wanted: Sequence[str] | None) -> frozenset[str]:
        always = ("createdate", "hs_object_id", "lastmodifieddate", "hs_lastmodifieddate")
        return frozenset((*wanted, *always) if wanted else DEFAULTS[self._name])


class _Held:
    """What the properties of an object hold, for searches."""

    def __init__(self, name: str, dataset: Dataset, stamps: Mapping[int, int]) -> None:
        self._name = name
        self._dataset = dataset
        self._stamps = stamps
        self._modified_by = "lastmodifieddate" if name == "contacts" else "hs_lastmodifieddate"

    def value(self, name: str, index: int) -> int | str | None:
        if name == "hs_object_id":
            return object_id(self._name, index)
        if name == self._modified_by:
            return milliseconds(self._stamps[index])
        with suppress(msgspec.DecodeError):
            held = msgspec.json.decode(self._dataset.rows([index])[0])["properties"].get(name)
            return None if held in (None, "") else str(held)
        return None


def whole_number(text: str, name: str, *, least: int = 0, most: int = 10**18) -> int:
    """:raises BadRequest: if it is none, or not within the bounds"""
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise invalid(f"Invalid input: {name} must be a number from {least} to {most}")
    return int(text)


def _names(text: str | None) -> list[str] | None:
    return [name for name in text.split(",") if name] if text else None


def _shown(row: bytes, wanted: frozenset[str]) -> bytes:
    """Return the record without its associations, and without properties nobody asked for."""
    place = row.rfind(ASSOCIATIONS)
    plain = row if place < 0 else row[:place] + b"}"
    with suppress(msgspec.DecodeError, KeyError):
        record = msgspec.json.decode(plain, type=dict[str, msgspec.Raw])
        properties = msgspec.json.decode(record["properties"], type=dict[str, msgspec.Raw])
        if properties.keys() <= wanted:
            return plain
        kept = {name: value for name, value in properties.items() if name in wanted}
        return msgspec.json.encode({**record, "properties": kept})
    return plain


def _paging(paging: Mapping[str, Any] | None) -> bytes:
    return b"}" if paging is None else b',"paging":%b}' % msgspec.json.encode(paging)


def _next_page(request: Request, after: str) -> dict[str, Any]:
    link = f"{request.origin}{request.path}?{urlencode({**request.query, 'after': after})}"
    return {"next": {"after": after, "link": link}}


def _twisted_after(here: int, following: str, limit: int, twists: frozenset[str]) -> str:
    if "repeat_cursor" in twists:
        return str(here)
    if "cycle_cursor" in twists:
        return str(max(here - limit * STRIDE, 0))
    if {"endless_cursor", "empty_page"} & twists:
        return str(here + 1)
    return following


def _inputs(body: bytes, most: int) -> list[dict[str, str]]:
    try:
        inputs = msgspec.json.decode(body, type=dict[str, list[dict[str, str]]])["inputs"]
    except (msgspec.DecodeError, KeyError):
        raise invalid("Invalid input JSON: inputs, a list of objects with an id, is required") from None
    if not 1 <= len(inputs) <= most or any("id" not in one for one in inputs):
        raise invalid(f"inputs must hold 1 to {most} objects with an id")
    return inputs


def _none_found(name: str, other: str, external_id: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {other} are associated with {name} {external_id}.",
        "context": {"fromObjectId": [external_id], "toObjectType": [other]},
    }
