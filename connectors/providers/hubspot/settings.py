"""What a HubSpot source is set up with: where the API answers, what is read, how often, and who asks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field, SecretStr, field_validator

from connectors.base import AuthMode, Config

SCOPES = (
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.companies.read",
    "crm.objects.deals.read",
    "crm.objects.owners.read",
    "tickets",
)
_VERSION = re.compile(r"v[0-9]+|[0-9]{4}-[0-9]{2}(-beta)?")
_PATH = re.compile(r"(/[A-Za-z0-9._-]+)+")
_PROPERTY = re.compile(r"[^\s,&?#]{1,100}")
_OLD_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Paths(Config):
    """Where the API has what, instead of where `version` says."""

    objects: str = ""
    """Of contacts, companies, deals and tickets, such as `/crm/objects/2026-09`."""
    associations: str = ""
    """Of associations, such as `/crm/v4/associations`."""
    owners: str = ""
    """Of owners, such as `/crm/v3/owners`."""
    pipelines: str = ""
    """Of pipelines, such as `/crm/v3/pipelines`."""

    @field_validator("objects", "associations", "owners", "pipelines")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        if path and not _PATH.fullmatch(path):
            raise ValueError("give a path such as /crm/v3/objects, without a slash at its end")
        return path


class HubSpotConfig(Config):
    version: str = "v3"
    """Version of the API: `v3`, or a date such as `2026-09`; it is part of the paths."""
    paths: Paths = Paths()
    """Single paths that differ from those of the version."""
    base_url: str = "https://api.hubapi.com"
    """Where the API answers; elsewhere for a stand-in such as the sandbox."""
    authorize_url: str = "https://app.hubspot.com/oauth/authorize"
    """The page on which a person lets us in."""
    token_path: str = "/oauth/v3/token"  # noqa: S105 - no password
    """Where tokens are had; `/oauth/v1/token` is the older one."""
    scopes: tuple[str, ...] = SCOPES
    """What a person is asked for on that page; must hold all that the app requires."""
    properties: Mapping[str, tuple[str, ...]] = {}
    """More properties to keep of `contacts`, `companies`, `deals` or `tickets`, by their internal names."""
    associations: bool = True
    """Ask for the companies and contacts of deals and tickets: one call more for each of both, per page."""
    archived: bool = True
    """End each run with the archive, which says what was deleted; else only a full refresh finds that out."""
    currency: str | None = None
    """Of deals that name none: the account's own, as three letters."""
    contacts_modified_by: str = "lastmodifieddate"
    """The property that says when a contact changed; other objects have `hs_lastmodifieddate`."""
    calls_per_10_seconds: int = Field(default=100, ge=10)
    """The account's limit: 100 in Free and Starter, 190 in Professional and Enterprise, 110 per OAuth app."""
    daily_calls: int | None = Field(default=None, ge=1)
    """The account's limit per day, such as 250000; apps that use OAuth have none."""
    searches_per_second: float = Field(default=4.0, gt=0)
    """The account's limit for searches, which is one of its own."""

    @field_validator("version")
    @classmethod
    def _is_a_version(cls, version: str) -> str:
        if not _VERSION.fullmatch(version):
            raise ValueError("give v3, or a date such as 2026-09")
        return version

    @field_validator("token_path")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        if not _PATH.fullmatch(path):
            raise ValueError("give a path such as /oauth/v3/token")
        return path

    @field_validator("properties")
    @classmethod
    def _are_properties(cls, wanted: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        unknown = sorted(set(wanted) - {"contacts", "companies", "deals", "tickets"})
        if unknown:
            raise ValueError(f"there are no properties of {', '.join(unknown)} to keep")
        odd = [name for names in wanted.values() for name in names if not _PROPERTY.fullmatch(name)]
        if odd:
            raise ValueError(f"{odd[0]!r} is no internal name of a property")
        return wanted

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, currency: str | None) -> str | None:
        if currency is not None and not re.fullmatch(r"[A-Z]{3}", currency):
            raise ValueError("give three capital letters, such as EUR")
        return currency

    @property
    def objects_url(self) -> str:
        return self._url(self.paths.objects, old="/crm/v3/objects", new="/crm/objects/")

    @property
    def associations_url(self) -> str:
        return self._url(self.paths.associations, old="/crm/v4/associations", new="/crm/associations/")

    @property
    def owners_url(self) -> str:
        return self._url(self.paths.owners, old="/crm/v3/owners", new="/crm/owners/")

    @property
    def pipelines_url(self) -> str:
        return self._url(self.paths.pipelines, old="/crm/v3/pipelines", new="/crm/pipelines/")

    @property
    def token_url(self) -> str:
        return f"{self.base_url.rstrip('/')}{self.token_path}"

    def _url(self, path: str, *, old: str, new: str) -> str:
        usual = old if self.version == "v3" else f"{new}{self.version}"
        return f"{self.base_url.rstrip('/')}{path or usual}"


class PrivateApp(AuthMode):
    """A token that does not end, of an app made in the account itself."""

    mode = "private_app"
    title = "Access token of a private app"

    access_token: SecretStr
    """The app's access token, `pat-...`."""

    def doubt(self) -> str:
        token = self.access_token.get_secret_value()
        if _OLD_KEY.fullmatch(token):
            return (
                "Wrong kind of key: this looks like an API key, which HubSpot took out of service on "
                "2022-11-30; access tokens of private apps begin with pat-."
            )
        return ""


class OAuthApp(AuthMode):
    """An app that people let into their accounts."""

    mode = "oauth"
    title = "OAuth app"
    connects = True

    client_id: str
    """The app's client id."""
    client_secret: SecretStr
    """The app's client secret."""
    refresh_token: SecretStr | None = None
    """From an earlier consent, if there was one; else press Connect."""
