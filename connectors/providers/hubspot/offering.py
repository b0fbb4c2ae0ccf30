"""What is read of HubSpot: the types of its objects with their properties, and the streams they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from connectors.base import Deletes, Json, Stream
from connectors.kinds import Kind
from connectors.providers.hubspot.refining import (
    refine_company,
    refine_contact,
    refine_deal,
    refine_owner,
    refine_pipeline,
    refine_ticket,
)
from connectors.providers.hubspot.settings import HubSpotConfig

MOST_SEARCHED, MOST_OWNERS = 200, 100
OWNERS = "owners"
#: Streams of pipelines, and the type of objects that goes through them.
PIPELINES = {"deal_pipelines": "deals", "ticket_pipelines": "tickets"}

_CONTACTS_SCOPE = "crm.objects.contacts.read"
_COMPANIES_SCOPE = "crm.objects.companies.read"
_OWNERS_SCOPE = "crm.objects.owners.read"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """One type of the CRM's objects."""

    name: str
    kind: str
    refine: Callable[[Json], Kind]
    scope: str
    #: What is asked for; whatever is not comes neither with a listing nor with a search.
    properties: tuple[str, ...]
    modified_by: str = "hs_lastmodifieddate"
    #: The types of objects whose associations with it are kept.
    associated: tuple[str, ...] = ()

    @property
    def all_properties(self) -> tuple[str, ...]:
        """Return its properties with those that say who it is, how old, and what became part of it."""
        return (*self.properties, "createdate", self.modified_by, "hs_object_id", "hs_merged_object_ids")


_CONTACTS = ObjectType(
    name="contacts",
    kind="customer",
    refine=refine_contact,
    scope=_CONTACTS_SCOPE,
    properties=(
        "email",
        "firstname",
        "lastname",
        "phone",
        "mobilephone",
        "country",
        "lifecyclestage",
        "company",
        "associatedcompanyid",
        "hubspot_owner_id",
    ),
)
_COMPANIES = ObjectType(
    name="companies",
    kind="company",
    refine=refine_company,
    scope=_COMPANIES_SCOPE,
    properties=(
        "name",
        "domain",
        "industry",
        "phone",
        "city",
        "country",
        "numberofemployees",
        "lifecyclestage",
        "hubspot_owner_id",
    ),
)
_DEALS = ObjectType(
    name="deals",
    kind="deal",
    refine=refine_deal,
    scope="crm.objects.deals.read",
    properties=(
        "dealname",
        "amount",
        "deal_currency_code",
        "pipeline",
        "dealstage",
        "hs_is_closed",
        "hs_is_closed_won",
        "closedate",
        "hubspot_owner_id",
    ),
    associated=("companies", "contacts"),
)
_TICKETS = ObjectType(
    name="tickets",
    kind="ticket",
    refine=refine_ticket,
    scope="tickets",
    properties=(
        "subject",
        "hs_pipeline",
        "hs_pipeline_stage",
        "hs_ticket_priority",
        "hs_ticket_category",
        "closed_date",
        "hubspot_owner_id",
    ),
    associated=("companies", "contacts"),
)


def object_types(config: HubSpotConfig) -> dict[str, ObjectType]:
    """Return the types by name, as the source wants them."""
    types = (
        replace(_CONTACTS, modified_by=config.contacts_modified_by),
        _COMPANIES,
        replace(_DEALS, refine=partial(refine_deal, account_currency=config.currency)),
        _TICKETS,
    )
    wanted = {}
    for one in types:
        properties = dict.fromkeys((*one.properties, *config.properties.get(one.name, ())))
        wanted[one.name] = replace(
            one,
            properties=tuple(properties),
            associated=one.associated if config.associations else (),
        )
    return wanted


def streams(config: HubSpotConfig) -> tuple[Stream, ...]:
    """Return what the source offers."""
    types = object_types(config)
    return (
        *(_objects_stream(one, has_archive=config.archived) for one in types.values()),
        Stream(
            name=OWNERS,
            kind="employee",
            refine=refine_owner,
            page_size=MOST_OWNERS,
            scopes=(_OWNERS_SCOPE,),
        ),
        *(
            Stream(
                name=name,
                kind="record",
                refine=partial(refine_pipeline, of=of),
                deletes=Deletes.FULL_PASS,
                key=("object type", "id"),
                scopes=(types[of].scope,),
            )
            for name, of in PIPELINES.items()
        ),
    )


def _objects_stream(one: ObjectType, *, has_archive: bool) -> Stream:
    scopes_of = {"companies": _COMPANIES_SCOPE, "contacts": _CONTACTS_SCOPE}
    return Stream(
        name=one.name,
        kind=one.kind,
        refine=one.refine,
        page_size=MOST_SEARCHED,
        is_incremental=True,
        cursor_field=one.modified_by,
        # Without the archive, what a full refresh does not list is gone.
        deletes=Deletes.TOMBSTONES if has_archive else Deletes.FULL_PASS,
        scopes=(one.scope, *(scopes_of[other] for other in one.associated)),
    )
