"""
HubSpot's CRM API: objects by list and search, their archive, merges, associations, owners, pipelines, tokens.

Confirmed: paths of v3, 2026-03 and 2026-09, listings by id of 100 at most that give the properties asked for
and no others, searches without associations, `batch/read` of associations with 207, `archived`,
`paging.next.after` (HubSpot's public API specifications, 2026-08-21). What is not is said in `hubspot_door`
and `hubspot_search`, and [M]: unknown properties are left out in silence, merged records are gone from
listing and archive, the archive keeps for ever (the real one for 90 days), owners 500 a page at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from sandbox.dataset import Dataset
from sandbox.hubspot_directory import is_archived_owner
from sandbox.hubspot_door import Door, Rules, TokenDesk, invalid, refused
from sandbox.hubspot_ids import object_id
from sandbox.hubspot_objects import Objects, whole_number
from sandbox.hubspot_records import recipes
from sandbox.listing import twisted_rows
from sandbox.messages import Answer, BadRequest, Handler, Request, joined, json_answer, served_rows
from sandbox.oauth import OAuthServer
from sandbox.oauth_rules import Client
from sandbox.oauth_rules import Rules as OAuthRules
from sandbox.order import INDEX_MASK
from sandbox.simulators import Offer, Setting, Simulator

PREFIX = "/hubspot"
#: Where objects, associations, owners and pipelines are, by the version of the API.
PLACES = {
    "v3": ("/crm/v3/objects", "/crm/v4/associations", "/crm/v3/owners", "/crm/v3/pipelines"),
    **{
        date: tuple(f"/crm/{what}/{date}" for what in ("objects", "associations", "owners", "pipelines"))
        for date in ("2026-03", "2026-09")
    },
}
SCOPES = {
    "contacts": "crm.objects.contacts.read",
    "companies": "crm.objects.companies.read",
    "deals": "crm.objects.deals.read",
    "tickets": "tickets",
    "owners": "crm.objects.owners.read",
}
PRIVATE_APP = "pat-na1-sandbox"
CLIENT = Client(
    client_id="sandbox-hubspot-app",
    client_secret="sandbox-hubspot-secret",  # noqa: S106 - not a secret: this world is pretended
    redirect_uris=tuple(
        f"http://{host}/admin/ingest/source/connected/"
        for host in ("testserver", "127.0.0.1:8000", "localhost:8000")
    ),
    scopes=("oauth", *SCOPES.values()),
)
#: So much that a demo is not slowed down.
GENEROUS = Rules(calls=20_000, searches_per_second=2_000, daily=100_000_000)
ACCESS_SECONDS = 1_800.0


class Portal:
    """One HubSpot account."""

    def __init__(
        self,
        datasets: Mapping[str, Dataset],
        *,
        clock: Callable[[], float],
        rules: Rules = GENEROUS,
        private_apps: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """Take the scopes of each private app by its token, where there are others than the sandbox's own."""
        self.oauth = OAuthServer(
            CLIENT,
            clock=clock,
            rules=OAuthRules(
                grants=frozenset(("authorization_code", "refresh_token")),
                access_seconds=ACCESS_SECONDS,
                rotates=False,
                client_auth="body",
                prefixes=("CI", "na1-"),
                answer={"hub_id": 62515, "user_id": 7, "token_use": "access_token"},
            ),
        )
        known = private_apps or {PRIVATE_APP: tuple(SCOPES.values())}
        self.door = Door(rules, private_apps=known, oauth=self.oauth, clock=clock)
        self._datasets = datasets
        self._objects = {
            name: Objects(name, datasets[name], rules, clock) for name in SCOPES if name != "owners"
        }

    def routes(self) -> dict[str, Handler]:
        routes: dict[str, Handler] = {
            f"POST {PREFIX}/oauth/v3/token": TokenDesk(self.oauth, names_scopes=True).answer,
            f"POST {PREFIX}/oauth/v1/token": TokenDesk(self.oauth, names_scopes=False).answer,
            f"{PREFIX}/oauth/authorize": self.oauth.authorize,
            f"{PREFIX}/*": self._guarded(_nothing_here),
        }
        for objects, associations, owners, pipelines in PLACES.values():
            routes |= self._object_routes(f"{PREFIX}{objects}", f"{PREFIX}{associations}")
            routes[f"{PREFIX}{owners}"] = self._guarded(self._owners, SCOPES["owners"])
            for name in ("deals", "tickets"):
                handler = partial(self._pipelines, name)
                routes[f"{PREFIX}{pipelines}/{name}"] = self._guarded(handler, SCOPES[name])
        return routes

    def _object_routes(self, objects: str, associations: str) -> dict[str, Handler]:
        routes: dict[str, Handler] = {}
        for name, held in self._objects.items():
            scope = SCOPES[name]
            routes[f"{objects}/{name}"] = self._guarded(held.listing, scope)
            routes[f"POST {objects}/{name}/search"] = self._guarded(held.search, scope, is_search=True)
            routes[f"POST {objects}/{name}/merge"] = self._guarded(held.merge, scope)
            for other in ("companies", "contacts") if name in {"deals", "tickets"} else ():
                path = f"POST {associations}/{name}/{other}/batch/read"
                handler = partial(held.associations, other)
                routes[path] = self._guarded(handler, scope, SCOPES[other])
        return routes

    def _guarded(self, handler: Handler, *scopes: str, is_search: bool = False) -> Handler:
        def guarded(request: Request) -> Answer:
            refusal, headers = self.door.enter(request, scopes=scopes, is_search=is_search)
            answer = refusal or _answered(handler, request)
            answer.headers |= headers
            return answer

        return guarded

    def _owners(self, request: Request) -> Answer:
        unknown = sorted(set(request.query) - {"limit", "after", "archived", "email"})
        if unknown:
            raise invalid(f"unknown parameter: {unknown[0]}")
        limit = whole_number(request.query.get("limit", "100"), "limit", least=1, most=500)
        after = whole_number(request.query.get("after", "0"), "after")
        is_archived = request.query.get("archived", "false") == "true"
        dataset = self._datasets["owners"]
        keys = [
            key
            for key in dataset.numbered()
            if is_archived_owner(key & INDEX_MASK) == is_archived
            and object_id("owners", key & INDEX_MASK) > after
        ]
        rows = twisted_rows(dataset, keys[:limit], request)
        paging = b"}"
        if len(keys) > limit:
            last = object_id("owners", keys[limit - 1] & INDEX_MASK)
            paging = b',"paging":{"next":{"after":"%d"}}}' % last
        cursor = f"{'archived ' * is_archived}{after}"
        return Answer(
            body=joined(b'{"results":', rows, paging), served=served_rows(dataset, rows, cursor=cursor)
        )

    def _pipelines(self, name: str, request: Request) -> Answer:
        if request.query:
            raise invalid("pipelines take no parameters")
        dataset = self._datasets[f"{name.removesuffix('s')}_pipelines"]
        rows = twisted_rows(dataset, dataset.numbered(), request)
        return Answer(body=joined(b'{"results":', rows, b"}"), served=served_rows(dataset, rows, cursor=""))


def _answered(handler: Handler, request: Request) -> Answer:
    try:
        return handler(request)
    except BadRequest as refusal:
        return json_answer(refusal.body, status=refusal.status)


def _nothing_here(request: Request) -> Answer:
    raise refused(404, f"resource not found: {request.path}", "OBJECT_NOT_FOUND")


def _routes(setting: Setting) -> dict[str, Handler]:
    return Portal(setting.datasets, clock=setting.clock).routes()


def _offer(url: str) -> Offer:
    streams = (*SCOPES, "deal_pipelines", "ticket_pipelines")
    usual = Offer(
        config={
            "base_url": f"{url}{PREFIX}",
            "authorize_url": f"{url}{PREFIX}/oauth/authorize",
            "calls_per_10_seconds": 20_000,
            "searches_per_second": 2_000,
        },
        datasets={name: f"hubspot.{name}" for name in streams},
        credentials={"access_token": PRIVATE_APP},
        bad_credentials={"access_token": "pat-na1-wrong"},
    )
    app = {"mode": "oauth", "client_id": CLIENT.client_id, "client_secret": CLIENT.client_secret}
    return replace(usual, more={"oauth": replace(usual, credentials=app, connects=True)})


SIMULATOR = Simulator(connector="hubspot", recipes=recipes, routes=_routes, offer=_offer)
