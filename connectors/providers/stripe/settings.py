"""What a Stripe source is told: which account, how fast, which reports; and its key."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from connectors.base import AuthMode, Config
from connectors.providers.stripe.streams import INVOICE_LINES, RESOURCES

_ACCOUNT = re.compile(r"acct_[A-Za-z0-9]+")
_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z_]+)?")
_RIGHT_KIND = "Give one that begins with rk_ or sk_."
_REPORT_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\.[0-9]+")


class ReportConfig(Config):
    """One report of Stripe's, read as a stream of generic records."""

    report_type: str
    """Stripe's name of the report with its version, such as `payout_reconciliation.itemized.5`."""
    key: tuple[str, ...] = Field(min_length=1)
    """Columns whose values together tell one row from all others."""
    time_column: str | None = "created_utc"
    """Column with the row's time in UTC; with null every run reads the whole report."""
    title_column: str | None = "description"
    """Column that people should see as the title."""
    columns: tuple[str, ...] = ()
    """Columns to ask for, `key` and the others named here among them; empty: those Stripe gives unasked."""

    @field_validator("report_type")
    @classmethod
    def _is_a_report_type(cls, name: str) -> str:
        if not _REPORT_TYPE.fullmatch(name):
            raise ValueError("give the report's name with its version, such as balance.summary.1")
        return name


class StripeConfig(Config):
    account: str | None = None
    """A connected account, `acct_...`, that the key's platform reads for."""
    api_version: str = "2026-06-24.dahlia"
    """Version of the API that lists are asked in; events come in the account's own default version."""
    base_url: str | None = None
    """Instead of `https://api.stripe.com`; for a stand-in such as the sandbox."""
    calls_per_second: float = Field(default=20.0, gt=0)
    """Calls per second of all workers together; Stripe allows 25 per endpoint, 100 in all in live mode."""
    burst: float = Field(default=15.0, ge=1)
    """Calls at once after a rest."""
    event_days: int = Field(default=30, ge=2)
    """How long Stripe keeps events; after a longer gap everything is listed again."""
    settle_days: int = Field(default=10, ge=0)
    """Balance transactions of so many days before are read again, as they turn from pending to available."""
    balance_from: Literal["list", "report"] = "list"
    """Whether balance transactions are listed, or read from a report, which also tells their payouts."""
    balance_report: str = "payout_reconciliation.itemized.5"
    """The report that `balance_from: report` reads."""
    reports: dict[str, ReportConfig] = Field(default_factory=dict)
    """Further reports by the name of the stream each becomes."""
    report_poll_seconds: float = Field(default=30.0, gt=0)
    """How often Stripe is asked whether a report is ready."""

    @field_validator("reports")
    @classmethod
    def _have_names_of_their_own(cls, reports: dict[str, ReportConfig]) -> dict[str, ReportConfig]:
        taken = {INVOICE_LINES.name, *(one.name for one in RESOURCES)} & reports.keys()
        if taken:
            raise ValueError(f"there is a stream of this name already: {', '.join(sorted(taken))}")
        return reports

    @field_validator("account")
    @classmethod
    def _is_an_account(cls, account: str | None) -> str | None:
        if account is not None and not _ACCOUNT.fullmatch(account):
            raise ValueError("give the id of an account, such as acct_1A2b3C")
        return account

    @field_validator("api_version")
    @classmethod
    def _is_a_version(cls, version: str) -> str:
        if not _VERSION.fullmatch(version):
            raise ValueError("give a version such as 2026-06-24.dahlia")
        return version


class SecretKey(AuthMode):
    """A key that does not end; best a restricted one that may only read."""

    mode = "secret_key"
    title = "Secret or restricted key"

    secret_key: SecretStr
    """Restricted key `rk_live_...` that may read, or secret key `sk_live_...`; `_test_` in a sandbox."""

    def doubt(self) -> str:
        key = self.secret_key.get_secret_value()
        if key.startswith("pk_"):
            return f"Wrong kind of key: pk_ is publishable and reads nothing. {_RIGHT_KIND}"
        if key.startswith("whsec_"):
            return f"Wrong kind of key: whsec_ signs webhooks. {_RIGHT_KIND}"
        if not key.startswith(("sk_", "rk_")):
            return f"This does not look like one of Stripe's keys. {_RIGHT_KIND}"
        return ""
