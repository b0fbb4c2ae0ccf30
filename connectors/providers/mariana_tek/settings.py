"""What a Mariana Tek source is told: which brand, how fast, which table reports; and the ways in."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.base import AuthMode, Config

_BRAND = re.compile(r"[a-z0-9][a-z0-9-]*(\.sandbox)?")
_REPORT_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
#: The days of a report are asked for by these, unless its settings say otherwise.
USUAL_DAYS = {
    "sales": ("min_transaction_date", "max_transaction_date"),
    "reservations": ("min_start_date_day", "max_start_date_day"),
    "rows": ("", ""),
}
#: What makes a row one. A refund repeats order, product and variant of what it takes back.
USUAL_KEYS = {
    "sales": (
        "order_number",
        "product_id",
        "variant_id",
        "transaction_date",
        "line_status",
        "line_quantity",
    ),
    "reservations": ("reservation_id",),
    "rows": (),
}


class TableReport(Config):
    """One table report of the tenant: ids differ from tenant to tenant."""

    id: str
    """Number of the report, as its address in the admin shows it."""
    slug: str
    """Its name in addresses, such as `orders-utc`."""
    shape: Literal["sales", "reservations", "rows"] = "rows"
    """What its rows are; the first two take the place of the streams `order_lines` and `reservations`."""
    way: Literal["async", "sync"] = "async"
    """`async` has the report made and fetches its file; `sync` answers at once, up to 500 rows a day."""
    key: tuple[str, ...] = ()
    """Columns that make a row one, in small letters with `_` between words. Needed where shape is `rows`."""
    first_day_param: str = ""
    """Parameter of the first day, such as `min_join_date_day`; without one all is asked for at once."""
    last_day_param: str = ""
    """Parameter of the last day."""
    days: Annotated[int, Field(ge=1, le=31)] = 7
    """Days asked for at a time."""
    history_days: Annotated[int, Field(ge=1)] = 30
    """How far back a full refresh reads."""
    lookback_days: Annotated[int, Field(ge=0)] = 3
    """Days read again by each run, as rows are booked late."""
    row_limit: Annotated[int, Field(ge=1)] = 500
    """Sent as `page_size`."""
    params: dict[str, str] = {}
    """More filters, sent as they are."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.keys:
            raise ValueError('give "key", the columns that make a row one')
        if bool(self.first_day_param) != bool(self.last_day_param):
            raise ValueError("give both first_day_param and last_day_param, or neither")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        return self.key or USUAL_KEYS[self.shape]

    @property
    def day_params(self) -> tuple[str, str]:
        """Return the parameters of the first and the last day; two empty texts where there are none."""
        return (self.first_day_param, self.last_day_param) if self.first_day_param else USUAL_DAYS[self.shape]


class MarianaTekConfig(Config):
    brand: str
    """The tenant's part of `https://<brand>.marianatek.com`; a sandbox is `<brand>.sandbox`."""
    base_url: str | None = None
    """Instead of `https://<brand>.marianatek.com`; for a stand-in such as the sandbox."""
    calls_per_second: Annotated[float, Field(gt=0)] = 5.0
    """Calls in the long run; the real limit is not published."""
    burst: Annotated[float, Field(ge=1)] = 10.0
    """Calls at once after a rest."""
    uses_updated_filter: bool = True
    """Ask for what changed since the last run only, where the tenant honours `min_updated_datetime`."""
    recent_ids: Annotated[int, Field(ge=0)] = 5_000
    """How many ids behind the newest one known are read again where the filter is not honoured."""
    history_from: date | None = None
    """Leave out orders placed and classes held before this day."""
    order_lines: Literal["list", "orders"] = "list"
    """`list` reads the endpoint `order_lines`; `orders` asks for each order and takes its purchased items."""
    class_types: dict[str, str] = {}
    """Words in names of classes, and the type they stand for; looked at before our own list."""
    partners: dict[str, str] = {}
    """Words in a booking's texts, and the source they stand for; looked at before our own list."""
    reports: dict[str, TableReport] = {}
    """Table reports by the name their stream gets."""
    poll_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How often a report in the making is asked for."""

    @field_validator("brand")
    @classmethod
    def _is_a_brand(cls, brand: str) -> str:
        if not _BRAND.fullmatch(brand):
            raise ValueError("give the part before .marianatek.com, such as my-studio or my-studio.sandbox")
        return brand

    @field_validator("reports")
    @classmethod
    def _have_names(cls, reports: dict[str, TableReport]) -> dict[str, TableReport]:
        for name in reports:
            if not _REPORT_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name for a stream: small letters, digits and _")
        return reports


class ApiKeyMode(AuthMode):
    """The key of a service user; it does not end."""

    mode = "api_key"
    title = "API key of a service user"

    api_key: SecretStr
    """As Mariana Tek issued it, without the word Bearer."""

    def doubt(self) -> str:
        if self.api_key.get_secret_value().lower().startswith("bearer "):
            return "Not a key: it begins with the word Bearer. Give what comes after it."
        return ""


class PasswordMode(AuthMode):
    """A user's name and password: a token of its own is fetched whenever one is needed."""

    mode = "password"
    title = "User name and password"

    username: str
    """Mail address of the user."""
    password: SecretStr
    """Of the user."""
    client_id: str = ""
    """Of the registered application, where the tenant asks for one."""
    client_secret: SecretStr | None = None
    """Of the registered application."""


class RefreshMode(AuthMode):
    """A refresh token from elsewhere. It changes with every use, so nothing else may use it."""

    mode = "refresh_token"
    title = "Refresh token"

    refresh_token: SecretStr
    """The latest; each use replaces it, and ours is kept with the source."""
    client_id: str
    """Of the application it was issued to."""
    client_secret: SecretStr | None = None
    """Only where the application is a confidential one."""


class ConnectMode(AuthMode):
    """A person lets us in on Mariana Tek's page."""

    mode = "authorization_code"
    title = "OAuth, by the Connect button"
    connects = True

    client_id: str
    """Of the registered application."""
    client_secret: SecretStr | None = None
    """Only where the application is a confidential one."""
