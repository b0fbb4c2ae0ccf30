"""
HubSpot CRM: contacts, companies, deals, tickets, owners and pipelines.

Quirks as of 2026-11-22; [S] confirmed by the source named, [M] not, and so a setting or harmless if wrong.
- Paths of v3 and those with a date (`/crm/objects/2026-09/contacts`) are both served [S: HubSpot's public
  API specifications, 2026-08-21].
- A listing goes by internal id, 10 a page unless asked for more, 100 at most, and knows no time of change
  [S: contacts.json there]. A search does, but ends at 10,000 results [S: gotchas of apideck], has 200 a page
  at most [S: PipedreamHQ/pipedream PR 18360], counts its pages and takes one sort only [M].
- Contacts say when they changed in `lastmodifieddate`, all others in `hs_lastmodifieddate` [M: setting].
- A search lags behind by seconds to minutes: windows must overlap.
- A change of an association alone does not count as a change of the record [M]: a full refresh finds it.
- Associations come with no search; `batch/read` answers 207 where some objects have none [S: specification
  of associations v4; the words of its errors are M].
- Values of properties are texts or null, "" stands for null; times are ISO 8601 or epoch milliseconds.
- Deleted objects are in the archive (`archived=true`), for 90 days [M]; merged ones are only named in
  `hs_merged_object_ids` of the one they went into [S: recorded data]; what was erased for privacy is nowhere.
- An archived owner still owns deals, so it is a row that is not active.
- Pipelines of deals and of tickets have ids of their own, which may be equal ("default", "0").
- Searches have a limit of their own, 4 a second [S: changelog crm-search-api-rate-limit-increase], 5 lately
  [M], and none of the X-HubSpot-RateLimit headers [M]. Calls by OAuth come without the daily ones [S:
  changelog rate-limit-headers-will-now-appear-for-oauth-authenticated-calls]. A 429 names its limit in
  `policyName` [S: community.hubspot.com, 47812].
- A bad refresh token is BAD_REFRESH_TOKEN and not invalid_grant [S: airbytehq/airbyte, issue 79592].
- "401 is not a valid indicator that a new token must be retrieved" [S: usage guidelines]: tokens are renewed
  by `expires_in`; a 401 renews once all the same, as a token may have been taken back.
- 423 and 477 pass [M].
"""

from __future__ import annotations

from collections.abc import Collection

from connectors.auth.grants import AuthorizationCode
from connectors.auth.schemes import Authorizer
from connectors.base import Access, Connector, FetchRequest, Page, Stream
from connectors.providers.hubspot import directory
from connectors.providers.hubspot.api import Api
from connectors.providers.hubspot.auth import NAME, Way
from connectors.providers.hubspot.objects import Objects
from connectors.providers.hubspot.offering import OWNERS, PIPELINES, object_types, streams
from connectors.providers.hubspot.settings import HubSpotConfig, OAuthApp, PrivateApp


class HubSpot(Connector):
    name = NAME
    title = "HubSpot"
    config_model = HubSpotConfig
    example = {"version": "v3"}
    auth_modes = (PrivateApp, OAuthApp)

    def __init__(self, *, config: HubSpotConfig, credentials: PrivateApp | OAuthApp, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._config = config
        self._way = Way(config, credentials, access)
        self._api = Api(config, self._way, access)
        self._types = object_types(config)
        self._objects = Objects(self._api, config)

    def streams(self) -> tuple[Stream, ...]:
        return streams(self._config)

    def authorizers(self) -> Collection[Authorizer]:
        return (self._way.authorizer,)

    def authorization(self) -> AuthorizationCode | None:
        return self._way.page

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        if stream.name == OWNERS:
            return directory.owners(self._api, self._config, request)
        if stream.name in PIPELINES:
            return directory.pipelines(self._api, self._config, PIPELINES[stream.name])
        return self._objects.fetch(self._types[stream.name], request)

    def close(self) -> None:
        self._api.close()
        self._way.close()
