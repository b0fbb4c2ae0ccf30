"""
Shopify: what a shop sells, to whom, from where, and what it is paid.

By GraphQL, Shopify's own first choice, page by page or with full refreshes as bulk operations; or by REST,
which is legacy since 2024-10-01 and closed to new public apps since 2025-04-01, but which custom apps may go
on with (shopify.dev/docs/api/admin-rest). Quirks stand where they are dealt with: `rest.py`, `graph.py`,
`queries.py`, `bulk.py`, `tokens.py`, and what fields mean in `rest_records.py` and `graph_records.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from connectors.auth.grants import AuthorizationCode
from connectors.auth.schemes import Authorizer
from connectors.base import Access, AuthMode, Connector, FetchRequest, Page, Stream
from connectors.checks import Check
from connectors.nested import NestedListing
from connectors.providers.shopify import offered
from connectors.providers.shopify.bulk import BulkExports
from connectors.providers.shopify.graph import Graph
from connectors.providers.shopify.graph_pages import GraphPages
from connectors.providers.shopify.queries import LOCATIONS
from connectors.providers.shopify.rest import Rest
from connectors.providers.shopify.settings import (
    AccessToken,
    ClientCredentialsApp,
    OAuthApp,
    ShopifyConfig,
)
from connectors.providers.shopify.tokens import ShopTokens
from connectors.reports import place_of


class Shopify(Connector):
    name = "shopify"
    title = "Shopify"
    config_model = ShopifyConfig
    example = {"shop": "my-shop.myshopify.com", "api": "graphql"}
    auth_modes = (AccessToken, OAuthApp, ClientCredentialsApp)

    def __init__(self, *, config: ShopifyConfig, credentials: AuthMode, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        self._tokens = ShopTokens(config=config, credentials=credentials, access=access, connector=self.name)
        is_legacy = config.api == "auto" and isinstance(credentials, AccessToken)
        self._is_rest = config.api == "rest" or is_legacy
        self._is_testing = False
        auth = self._tokens.auth
        if self._is_rest:
            self._rest = Rest(config=config, access=access, auth=auth, connector=self.name)
            return
        self._graph = Graph(config=config, access=access, auth=auth, connector=self.name)
        self._pages = GraphPages(
            self._graph,
            connector=self.name,
            nested_size=config.nested_page_size,
            most=config.most_per_listing,
        )
        self._levels = NestedListing(
            parents=lambda request: self._pages.fetch(LOCATIONS, request), children=self._pages.levels
        )
        self._bulk = BulkExports(self._graph, config=config, access=access, connector=self.name)

    def streams(self) -> tuple[Stream, ...]:
        if self._is_rest:
            return offered.REST_STREAMS
        return offered.graph_streams(is_bulk=self.config.api == "bulk")

    def authorizers(self) -> Collection[Authorizer]:
        return (self._tokens.auth,)

    def authorization(self) -> AuthorizationCode | None:
        return self._tokens.authorization({scope for stream in self.streams() for scope in stream.scopes})

    def probe(self, streams: Collection[str] | None = None) -> Iterator[Check]:
        # A test asks for a page and not for a bulk operation.
        self._is_testing = True
        try:
            yield from super().probe(streams)
        finally:
            self._is_testing = False

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        if self._is_rest:
            return self._by_rest(stream, request)
        if stream.name == "inventory_levels":
            return self._levels.fetch(request)
        listing = offered.GRAPH_LISTINGS[stream.name]
        if self._is_export(stream, request):
            return self._bulk.fetch(listing, request)
        if self.config.api == "bulk":
            most = offered.DEAR.get(stream.name, offered.MAX_PAGE_SIZE)
            request = replace(request, page_size=min(request.page_size, most))
        return self._pages.fetch(listing, request)

    def close(self) -> None:
        self._tokens.close()
        if self._is_rest:
            self._rest.close()
            return
        self._graph.close()
        self._bulk.close()

    def _by_rest(self, stream: Stream, request: FetchRequest) -> Page:
        listing = offered.REST_LISTINGS.get(stream.name)
        if listing is not None:
            return self._rest.fetch(listing, request)
        nested: NestedListing = getattr(self._rest, stream.name)
        return nested.fetch(request)

    def _is_export(self, stream: Stream, request: FetchRequest) -> bool:
        """Tell whether it is read from a file: so it is begun where all is wanted, and then gone on."""
        if place_of(request.cursor) is not None:
            return True
        if self.config.api != "bulk" or self._is_testing or stream.name not in offered.EXPORTED:
            return False
        return request.cursor is None and request.window_start is None
