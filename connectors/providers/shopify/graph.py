"""
The GraphQL Admin API: one question, one answer without errors, paid for in points.

Quirks, as of 2026-11-22: what a query costs is told with its answer, in extensions.cost: what was asked for
must be there at first, what was found is kept. The bucket is per app and shop
(shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from connectors import exact_json
from connectors.auth.schemes import Authorizer
from connectors.base import Access
from connectors.errors import BadResponse, RecordError
from connectors.http import Answer, HttpSession, RefusedRequest
from connectors.providers.shopify.refused import graph_error, named
from connectors.providers.shopify.settings import ShopifyConfig

#: Before the shop has said what a query costs.
FIRST_COST = 100.0
#: A query dearer than the bucket would never be paid for.
_MOST_OF_BURST = 0.8
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Graph:
    """Questions to one shop, by one source."""

    def __init__(self, *, config: ShopifyConfig, access: Access, auth: Authorizer, connector: str) -> None:
        self._url = f"{config.admin_api}/graphql.json"
        self._budget = access.budget and access.budget(config.graphql_policy)
        self._most = config.graphql_burst * _MOST_OF_BURST
        self._costs: dict[str, float] = {}
        self._http = HttpSession(
            connector=connector, access=access, auth=auth, budget=self._budget, quota=lambda _: None
        )

    def close(self) -> None:
        self._http.close()

    def ask(self, query: str, variables: Mapping[str, Any]) -> Answer:
        """
        Return the answer, which holds no errors.

        :raises RateLimited: if the points are used up
        :raises MissingScope: if the credentials are not good for this
        :raises TooCostly: if it asks for too much at once
        :raises CursorExpired: if the cursor is refused
        """
        cost = min(self._costs.get(query, FIRST_COST), self._most)
        body = {"query": query, "variables": dict(variables)}
        try:
            answer = self._http.request("POST", self._url, json_body=body, cost=cost)
        except RefusedRequest as error:
            raise named(error) from None
        members = _split(answer.body)
        told = members.get("extensions") or {}
        costs = told.get("cost") or {} if isinstance(told, Mapping) else {}
        self._hear(query, costs)
        if members.get("errors"):
            raise self._http.without_secrets(graph_error(_listed(members["errors"]), costs))
        return answer

    def data(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the `data` of the answer, read. :raises BadResponse: if there is none"""
        data = exact_json.loads(self.ask(query, variables).body).get("data")
        if not isinstance(data, Mapping):
            raise BadResponse("shopify: the GraphQL answer holds neither data nor errors")
        return data

    def _hear(self, query: str, costs: Mapping[str, Any]) -> None:
        """Learn what the query costs, and how much is left."""
        spent = costs.get("actualQueryCost") or costs.get("requestedQueryCost")
        if spent:
            self._costs[query] = float(spent)
        status = costs.get("throttleStatus")
        if self._budget is None or not status:
            return
        self._budget.observe(
            available=float(status["currentlyAvailable"]),
            limit=float(status["maximumAvailable"]),
            rate=float(status["restoreRate"]),
        )


def _split(body: bytes) -> dict[str, Any]:
    """Return what stands beside the data, read; the data is read by whoever wants it."""
    try:
        members = _members.decode(body)
        return {name: exact_json.loads(bytes(raw)) for name, raw in members.items() if name != "data"}
    except (*exact_json.DECODE_ERRORS, RecordError):
        raise BadResponse("shopify: the GraphQL answer is no JSON object") from None


def _listed(errors: Any) -> list[Mapping[str, Any]]:
    """Return errors as a list of objects; some are mere text."""
    found = errors if isinstance(errors, list) else [errors]
    return [one if isinstance(one, Mapping) else {"message": str(one)} for one in found]
