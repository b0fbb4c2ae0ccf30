"""What the settings of a REST source may say, by the names the source documents use or in snake_case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.alias_generators import to_camel

from connectors.base import AuthMode, Config
from connectors.configured import streams_by_name
from connectors.windows import TimeFormat

_URL = re.compile(r"https?://[^/?#@\s\\]+([/?#]\S*)?", re.IGNORECASE)
_DOTTED = re.compile(r"[^.\[\]*|&@`\"']+(\.[^.\[\]*|&@`\"']+)*")


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("give an http or https URL; user name and password belong into --credentials")
    return text


def _dotted(text: str) -> str:
    if not _DOTTED.fullmatch(text):
        raise ValueError('give a dotted path such as "data.items"')
    return text


#: Where a key stands in an address.
KEY_NAME = "api_key"
KEY_GAP = f"{{{KEY_NAME}}}"
Url = Annotated[str, AfterValidator(_url)]
DottedPath = Annotated[str, AfterValidator(_dotted)]
Parameters = dict[str, str | int | bool]

AuthType = Literal["none", "bearer", "api_key", "basic", "oauth2"]
GrantType = Literal["client_credentials", "refresh_token", "password", "authorization_code"]
PagingType = Literal["page", "offset", "cursor", "next", "link"]

_SECRET_NAMES = frozenset(
    {
        "token",
        "accesstoken",
        "apikey",
        "key",
        "value",
        "username",
        "password",
        "clientid",
        "clientsecret",
        "secret",
    }
)
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


class _Settings(Config):
    model_config = ConfigDict(alias_generator=to_camel)


class AuthSettings(_Settings):
    """How the credentials are sent; the credentials themselves are kept elsewhere, encrypted."""

    type: AuthType = "none"
    """How the credentials go with each call."""
    header: str = "X-API-Key"
    """For api_key: the header it goes into, unless `param` or `path` is given."""
    param: str | None = None
    """For api_key: the query parameter it goes into."""
    path: bool = False
    """For api_key: it stands in the path, where `sourceIdentifier` says `{api_key}`."""
    grant: GrantType = "client_credentials"
    """For oauth2: how a token is got."""
    scope: str | None = None
    """For oauth2: what is asked for, separated by blanks."""
    client_auth: Literal["basic", "body", "none"] = "basic"
    """For oauth2: how the client proves itself at tokenUrl; `none`: it has no secret."""
    authorize_url: Url | None = None
    """For grant authorization_code: the page where people let us in."""
    pkce: bool = True
    """For grant authorization_code: prove that whoever asks is who comes back (S256)."""

    @model_validator(mode="before")
    @classmethod
    def _holds_no_secret(cls, values: Any) -> Any:
        given = values if isinstance(values, Mapping) else {}
        secrets = [name for name in given if str(name).replace("_", "").lower() in _SECRET_NAMES]
        if secrets:
            raise ValueError(f"{', '.join(secrets)} must not be in the config: give it with --credentials")
        return values

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.grant == "authorization_code" and self.authorize_url is None:
            raise ValueError("grant authorization_code needs authorizeUrl: the page where people let us in")
        if self.path and (self.param or self.type != "api_key"):
            raise ValueError("path is for type api_key, and without param")
        return self


class PaginationSettings(_Settings):
    """How the source pages."""

    enabled: bool = True
    """False: the answer is all there is."""
    type: PagingType | None = None
    """How the next page is found."""
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    """How many records a page has."""
    limit_param: str | None = None
    """The parameter for `limit`; not sent where not named, the source then decides."""
    page_param: str = "page"
    """For type page: its parameter."""
    start_page: int = 1
    """For type page: the number of the first one."""
    offset_param: str = "offset"
    """For type offset: its parameter."""
    cursor_param: str = "cursor"
    """For type cursor: its parameter."""
    cursor_path: DottedPath | None = None
    """For type cursor: where an answer holds the next one."""
    next_path: DottedPath = "next"
    """For type next: where an answer holds the next page's URL."""
    has_more_path: DottedPath | None = None
    """Where an answer says whether there is more."""
    total_path: DottedPath | None = None
    """Where an answer says how many records there are; a run that misses some then says so."""
    max_pages: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many pages; such a run never counts as complete."""

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.enabled and self.type is None:
            raise ValueError("give type: page, offset, cursor, next or link (or enabled: false)")
        if self.enabled and self.type == "cursor" and self.cursor_path is None:
            raise ValueError("type cursor needs cursorPath: where the answer holds the next cursor")
        return self


class IncrementalSettings(_Settings):
    """How to ask for what changed since a time."""

    param: str
    """The parameter that asks for what changed since a time."""
    until_param: str | None = None
    """The parameter that asks for what changed until a time."""
    format: TimeFormat = "iso"
    """How times are written in these parameters."""
    field: DottedPath | None = None
    """Where a record says when it last changed."""


class ListingSettings(_Settings):
    """One stream."""

    source_identifier: Url
    """The listing's URL."""
    method: Literal["GET", "POST"] = "GET"
    """With POST the parameters go into the JSON body."""
    auth: AuthSettings = AuthSettings()
    """How the credentials are sent."""
    data_path: Literal[""] | DottedPath = ""
    """Where the answer holds its records; empty where it is the bare list of them."""
    content_type: str | None = None
    """What the content is (music, video); for content items."""
    target_table: str = "record"
    """A kind, or `content_index`, `catalog_items`."""
    field_mapping: dict[str, str] = Field(default_factory=dict)
    """Our field to a JMESPath into the record; external_id and updated_at are plain paths."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Sent with every call; secrets belong into the credentials."""
    params: Parameters = Field(default_factory=dict)
    """In the query, or in the JSON body of a POST."""
    pagination: PaginationSettings = PaginationSettings(enabled=False)
    """How the source pages."""
    incremental: IncrementalSettings | None = None
    """How to ask for changes only."""
    total_header: str | None = None
    """A header that tells how many records there are, such as `X-Total`."""

    @model_validator(mode="after")
    def _has_room_for_the_key(self) -> Self:
        if self.auth.path != (KEY_GAP in self.source_identifier.partition("?")[0]):
            raise ValueError(f"auth.path and {KEY_GAP} in the path of sourceIdentifier go together")
        return self

    @field_validator("headers")
    @classmethod
    def _hold_no_secret(cls, headers: dict[str, str]) -> dict[str, str]:
        secret = [name for name in headers if name.lower() in _SECRET_HEADERS]
        if secret:
            raise ValueError(f"{', '.join(secret)} must not be in the config: use auth and --credentials")
        return headers


class RestConfig(_Settings):
    """One stream, described at the top level; or several, with what they share at the top level."""

    streams: dict[str, ListingSettings]
    """Settings of each listing by the name of its stream, beside what all share."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        return streams_by_name(values, default_name="items")


class RestCredentials(AuthMode):
    """What `auth.type` needs of it."""

    model_config = ConfigDict(alias_generator=to_camel)

    mode = "as_configured"
    title = "As auth in the config says"

    token: SecretStr | None = None
    """For bearer."""
    api_key: SecretStr | None = None
    """For api_key."""
    username: str | None = None
    """For basic, and for the OAuth password grant."""
    password: SecretStr | None = None
    """For basic, and for the OAuth password grant."""
    client_id: str | None = None
    """For oauth2."""
    client_secret: SecretStr | None = None
    """For oauth2."""
    refresh_token: SecretStr | None = None
    """For the OAuth refresh token grant."""
    token_url: Url | None = None
    """For oauth2: where tokens are given out."""
