"""Owners and pipelines: short lists, read whole each time."""

from __future__ import annotations

from msgspec.structs import replace

from connectors.base import FetchRequest, Page
from connectors.pages import split_records
from connectors.providers.hubspot.api import Api
from connectors.providers.hubspot.auth import NAME
from connectors.providers.hubspot.objects import next_after
from connectors.providers.hubspot.offering import MOST_OWNERS
from connectors.providers.hubspot.places import ARCHIVE, Place, place_of
from connectors.providers.hubspot.refining import pipeline_id
from connectors.providers.hubspot.settings import HubSpotConfig


def owners(api: Api, config: HubSpotConfig, request: FetchRequest) -> Page:
    """
    Return owners: first the active ones, then those that are archived, who still own deals.

    :raises ConnectorError: as Connector.fetch does
    """
    place = place_of(request)
    is_archive = place.phase == "archived"
    params = {
        "limit": min(request.page_size, MOST_OWNERS),
        "archived": "true" if is_archive else "false",
        **({"after": place.after} if place.after else {}),
    }
    answer = api.get(config.owners_url, params)
    found = split_records(
        answer.body,
        path="results",
        id_path="id",
        updated_path="updatedAt",
        connector=NAME,
        content_type=answer.headers.get("Content-Type", ""),
    )
    after = next_after(found.envelope)
    following = Place(phase=place.phase, after=after) if after else None if is_archive else ARCHIVE
    return Page(records=found.records, next_cursor=following.cursor() if following else None)


def pipelines(api: Api, config: HubSpotConfig, of: str) -> Page:
    """
    Return the pipelines of one type of objects, their stages within.

    :raises ConnectorError: as Connector.fetch does
    """
    answer = api.get(f"{config.pipelines_url}/{of}", {})
    found = split_records(
        answer.body,
        path="results",
        id_path="id",
        updated_path="updatedAt",
        connector=NAME,
        content_type=answer.headers.get("Content-Type", ""),
    )
    records = [
        replace(one, external_id=pipeline_id(of, one.external_id)) if one.external_id else one
        for one in found.records
    ]
    return Page(records=records)
