"""Settings of a QuickBooks company and the ways in, with where Intuit answers."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from connectors.base import AuthMode, Config

SCOPE = "com.intuit.quickbooks.accounting"
AUTHORIZE_URL = "https://appcenter.intuit.com/connect/oauth2"
TOKEN_URL = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - no password
API_URLS = {
    "production": "https://quickbooks.api.intuit.com",
    "sandbox": "https://sandbox-quickbooks.api.intuit.com",
}
REALM = re.compile(r"[0-9]{1,20}")


class QuickBooksConfig(Config):
    realm_id: str = ""
    """The company's id, digits only; without it, the company a person chose when connecting."""
    environment: Literal["production", "sandbox"] = "production"
    """Which of Intuit's worlds; keys and tokens of one are no good in the other."""
    minor_version: Annotated[int, Field(ge=75, le=999)] = 75
    """Minor version of the API; lower ones than 75 are no longer served."""
    change_data_capture: bool = True
    """Ask for what changed, deletions included, instead of querying for it, where that is possible."""
    check_totals: bool = True
    """Ask for the number of records after a full refresh; one that fell short is not called complete."""
    requests_per_second: Annotated[float, Field(gt=0, le=10_000)] = 8.0
    """Calls per second in the long run; Intuit allows 10, and 500 per minute."""
    burst: Annotated[float, Field(ge=1, le=10_000)] = 8.0
    """Calls at once after a rest; less than the provider allows."""
    slow_down_seconds: Annotated[float, Field(gt=0, le=900)] = 60.0
    """How long to wait after a refusal that does not say."""
    base_url: str | None = None
    """Instead of all hosts of Intuit's; for a stand-in such as the sandbox."""

    @field_validator("realm_id")
    @classmethod
    def _is_a_realm(cls, realm_id: str) -> str:
        if realm_id and not REALM.fullmatch(realm_id):
            raise ValueError("give the company id as digits, such as 9130357992222222")
        return realm_id

    @property
    def api_url(self) -> str:
        return (self.base_url or API_URLS[self.environment]).rstrip("/")

    @property
    def token_url(self) -> str:
        return f"{self.base_url.rstrip('/')}/oauth2/v1/tokens/bearer" if self.base_url else TOKEN_URL

    @property
    def authorize_url(self) -> str:
        return f"{self.base_url.rstrip('/')}/connect/oauth2" if self.base_url else AUTHORIZE_URL


class ConnectedApp(AuthMode):
    """An app at Intuit; a person who may, lets it into the company."""

    mode = "oauth"
    title = "App at Intuit, let in by a person"
    connects = True

    client_id: str
    """Client ID of the app, from its keys at developer.intuit.com."""
    client_secret: SecretStr
    """Client secret that belongs to it."""


class RefreshToken(ConnectedApp):
    """The same app, let in elsewhere."""

    mode = "refresh_token"
    title = "App at Intuit, with a refresh token"
    connects = False

    refresh_token: SecretStr
    """The latest refresh token, such as the OAuth 2.0 Playground gives; later ones are kept by us."""

    def doubt(self) -> str:
        if self.refresh_token.get_secret_value().startswith("eyJ"):
            return "Wrong kind of key: this looks like an access token, which ends within the hour."
        return ""
