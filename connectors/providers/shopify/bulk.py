"""
Bulk operations: a shop writes a whole listing into a file of JSON lines.

Quirks, as of 2026-11-22 (shopify.dev/api/usage/bulk-operations/queries, admin-graphql/2026-01):
- Children are lines of their own with `__parentId`. With groupObjects they follow their parents; without they
  may come anywhere, which is faster for Shopify and would need two passes of us.
- Five operations at once per shop from version 2026-01, one before: "already in progress" is waited for.
- A file is good for seven days, an operation ends after ten; an empty one has no url (unconfirmed).
- rootObjectCount counts without children (unconfirmed); a file with fewer rows is told as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from connectors.base import Access, FetchRequest, Json, Page
from connectors.errors import ConfigError, MissingScope, NotReady, SchemaError
from connectors.http import HttpSession
from connectors.providers.shopify.gids import type_of
from connectors.providers.shopify.graph import Graph
from connectors.providers.shopify.graph_pages import condition, numbered
from connectors.providers.shopify.queries import BULK_START, BULK_STATE, Listing
from connectors.providers.shopify.settings import ShopifyConfig
from connectors.report_rows import JsonLines
from connectors.reports import Report, ReportFlow, ReportState

PARENT = "__parentId"
STATES: Mapping[str, ReportState] = {
    "CREATED": ReportState.RUNNING,
    "RUNNING": ReportState.RUNNING,
    "CANCELING": ReportState.RUNNING,
    "COMPLETED": ReportState.READY,
    "CANCELED": ReportState.FAILED,
    "FAILED": ReportState.FAILED,
    "EXPIRED": ReportState.EXPIRED,
}


class BulkExports:
    """Bulk operations of one shop, by listing. Belongs to one connector, as its sessions do."""

    def __init__(self, graph: Graph, *, config: ShopifyConfig, access: Access, connector: str) -> None:
        self._graph = graph
        self._config = config
        self._clock = access.clock
        self._connector = connector
        # The file is behind a signed link: our token does not belong there.
        self._files = HttpSession(connector=connector, access=access)
        self._flows: dict[str, ReportFlow] = {}

    def close(self) -> None:
        self._files.close()

    def fetch(self, listing: Listing, request: FetchRequest) -> Page:
        """
        Start an operation, ask for it, or read on in its file, as the cursor says.

        :raises NotReady: if it is still being made, or others are
        """
        if listing.path not in self._flows:
            self._flows[listing.path] = self._flow(listing)
        return numbered(self._flows[listing.path].fetch(request))

    def _flow(self, listing: Listing) -> ReportFlow:
        layout = JsonLines(
            connector=self._connector,
            updated_path="updatedAt",
            is_child=lambda line: PARENT in line,
            assemble=partial(assembled, listing=listing),
        )
        return ReportFlow(
            start=partial(self._start, listing),
            poll=self._poll,
            files=self._files,
            layout=layout,
            clock=self._clock,
            poll_seconds=self._config.bulk_poll_seconds,
            max_age=timedelta(hours=self._config.bulk_hours),
        )

    def _start(self, listing: Listing, request: FetchRequest) -> str:
        variables = {"query": listing.bulk_query(condition(request)), "groupObjects": True}
        data = self._graph.data(BULK_START, variables).get("bulkOperationRunQuery") or {}
        said = "; ".join(str(one.get("message")) for one in data.get("userErrors") or ())
        if "already" in said and "progress" in said:
            raise NotReady(
                f"{self._connector}: {said}. It is tried again.", retry_after=self._config.bulk_poll_seconds
            )
        if said:
            raise ConfigError(f"{self._connector}: no bulk operation was started: {said}")
        return str((data.get("bulkOperation") or {}).get("id", ""))

    def _poll(self, operation: str) -> Report:
        node = self._graph.data(BULK_STATE, {"id": operation}).get("node")
        if node is None:
            return Report(state=ReportState.EXPIRED, said="nobody knows it any more")
        return self._report(node)

    def _report(self, node: Mapping[str, Any]) -> Report:
        """:raises MissingScope: if it ended as the credentials are not good for it"""
        status, code = str(node.get("status")), str(node.get("errorCode") or "")
        if status not in STATES:
            raise SchemaError(f"{self._connector}: a bulk operation is {status!r}, which we do not know")
        if code == "ACCESS_DENIED":
            raise MissingScope(f"{self._connector}: the bulk operation ended with {code}: grant its scopes")
        rows = node.get("rootObjectCount")
        return Report(
            state=STATES[status],
            url=str(node.get("url") or ""),
            said=f"{status} {code}".strip(),
            rows=None if rows is None else int(rows),
        )


def assembled(lines: Sequence[Json], *, listing: Listing) -> Json:
    """Return an object with its children in lists, as pages have them, too."""
    whole: dict[str, Any] = dict(lines[0])
    names = {kind: name for name, one in listing.nested.items() for kind in one.types}
    for line in lines[1:]:
        name = names.get(type_of(str(line.get("id", ""))))
        if name and line[PARENT] == whole.get("id"):
            child = {key: value for key, value in line.items() if key != PARENT}
            whole.setdefault(name, []).append(child)
    return whole
