"""What the settings of a REST source may say, by the names the source documents use or in snake_case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic.alias_generators import to_camel

from connectors.base import Config
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


Url = Annotated[str, AfterValidator(_url)]
DottedPath = Annotated[str, AfterValidator(_dotted)]
Parameters = dict[str, str | int | bool]

AuthType = Literal["none", "bearer", "api_key", "basic", "oauth2"]
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
    #: For api_key: the header it goes into, or else the query parameter.
    header: str = "X-API-Key"
    param: str | None = None
    #: For oauth2.
    scope: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _holds_no_secret(cls, values: Any) -> Any:
        given = values if isinstance(values, Mapping) else {}
        secrets = [name for name in given if str(name).replace("_", "").lower() in _SECRET_NAMES]
        if secrets:
            raise ValueError(f"{', '.join(secrets)} must not be in the config: give it with --credentials")
        return values


class PaginationSettings(_Settings):
    """How the source pages."""

    enabled: bool = True
    type: PagingType | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] = 100
    #: Not sent where not named: the source then decides how long a page is.
    limit_param: str | None = None
    page_param: str = "page"
    start_page: int = 1
    offset_param: str = "offset"
    cursor_param: str = "cursor"
    cursor_path: DottedPath | None = None
    next_path: DottedPath = "next"
    has_more_path: DottedPath | None = None
    total_path: DottedPath | None = None
    max_pages: Annotated[int, Field(ge=1)] | None = None

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
    until_param: str | None = None
    format: TimeFormat = "iso"
    #: Where a record says when it last changed.
    field: DottedPath | None = None


class ListingSettings(_Settings):
    """One stream."""

    source_identifier: Url
    method: Literal["GET", "POST"] = "GET"
    auth: AuthSettings = AuthSettings()
    #: Where the answer holds its records; empty where it is the bare list of them.
    data_path: Literal[""] | DottedPath = ""
    content_type: str | None = None
    target_table: str = "record"
    field_mapping: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    #: In the query, or in the JSON body of a POST.
    params: Parameters = Field(default_factory=dict)
    pagination: PaginationSettings = PaginationSettings(enabled=False)
    incremental: IncrementalSettings | None = None
    total_header: str | None = None

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

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        return streams_by_name(values, default_name="items")


class RestCredentials(_Settings):
    """What `auth.type` needs of it."""

    token: SecretStr | None = None
    api_key: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    token_url: Url | None = None
