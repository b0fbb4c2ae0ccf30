"""What a source of a shop is set up with: which API, how fast, and who we are."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from connectors.base import AuthMode, Config
from connectors.budgets import BudgetPolicy

_SHOP = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}|unstable")

Api = Literal["auto", "graphql", "bulk", "rest"]


class ShopifyConfig(Config):
    shop: str
    """The shop's own domain, `<name>.myshopify.com`."""
    api: Api = "auto"
    """`graphql` is Shopify's own first choice; `bulk` is the same with full refreshes as bulk operations;
    `rest` is legacy and closed to new public apps. `auto`: REST with the access token of a custom app, as
    sources were read before there was a choice, else GraphQL."""
    api_version: str = "2026-10"
    """Quarterly version of the Admin API."""
    base_url: str | None = None
    """Instead of `https://<shop>`; for a stand-in such as the sandbox."""
    rest_rate: float = Field(default=2.0, gt=0)
    """REST calls per second: Shopify gives 2, on Advanced 4, on Plus 20."""
    rest_burst: float = Field(default=36.0, ge=1)
    """REST calls at once after a rest; Shopify's bucket holds 40."""
    graphql_rate: float = Field(default=100.0, gt=0)
    """GraphQL points per second: 100 on Standard, 200 on Advanced, 1000 on Plus, 2000 on Enterprise."""
    graphql_burst: float = Field(default=900.0, ge=1)
    """GraphQL points at once after a rest; of the 2000 in Shopify's bucket a query may need 1000 at first."""
    most_per_listing: int = Field(default=24_000, ge=2)
    """So many objects are paged through before a listing is begun anew where it stands: Shopify pages
    through 25,000 at most."""
    nested_page_size: int = Field(default=10, ge=1, le=250)
    """So many lines, variants and images come with their parent; the rest are asked for one by one."""
    bulk_poll_seconds: float = Field(default=15.0, gt=0)
    """How often a bulk operation is asked for."""
    bulk_hours: float = Field(default=24.0, gt=0)
    """How long a bulk operation may take; Shopify ends it after ten days."""
    extra_scopes: tuple[str, ...] = ()
    """More to ask for on the Connect page, such as `read_all_orders` for orders older than 60 days."""

    @field_validator("shop")
    @classmethod
    def _is_a_shop(cls, shop: str) -> str:
        if not _SHOP.fullmatch(shop):
            raise ValueError("give the shop's own domain, such as my-shop.myshopify.com")
        return shop

    @field_validator("api_version")
    @classmethod
    def _is_a_version(cls, version: str) -> str:
        if not _VERSION.fullmatch(version):
            raise ValueError("give a version such as 2026-10")
        return version

    @property
    def base(self) -> str:
        return (self.base_url or f"https://{self.shop}").rstrip("/")

    @property
    def admin_api(self) -> str:
        return f"{self.base}/admin/api/{self.api_version}"

    @property
    def rest_policy(self) -> BudgetPolicy:
        return BudgetPolicy(name="rest", rate=self.rest_rate, burst=self.rest_burst)

    @property
    def graphql_policy(self) -> BudgetPolicy:
        return BudgetPolicy(name="graphql", rate=self.graphql_rate, burst=self.graphql_burst)


class AccessToken(AuthMode):
    """A token that does not end, made with a custom app in the shop's admin."""

    mode = "access_token"
    title = "Access token of a custom app"

    access_token: SecretStr
    """Admin API access token, `shpat_...`."""

    def doubt(self) -> str:
        if self.access_token.get_secret_value().startswith("shpss_"):
            return "Wrong kind of key: shpss_ is the app's client secret, access tokens begin with shpat_."
        return ""


class _App(AuthMode):
    """An app as Shopify knows it."""

    client_id: str
    """The app's client id (API key)."""
    client_secret: SecretStr
    """The app's client secret, `shpss_...`."""

    def doubt(self) -> str:
        if self.client_secret.get_secret_value().startswith("shpat_"):
            return "Wrong kind of key: shpat_ is an access token, the app's client secret begins with shpss_."
        return ""


class OAuthApp(_App):
    """An app a merchant installs: offline tokens of an hour, renewed by a refresh token that rotates."""

    mode = "oauth"
    title = "App that a merchant lets in"
    connects = True

    refresh_token: SecretStr | None = None
    """Where the app was installed elsewhere; else press Connect."""


class ClientCredentialsApp(_App):
    """An app of the shop's own organisation: tokens of 24 hours, minted anew."""

    mode = "client_credentials"
    title = "App of our own organisation (client credentials)"
