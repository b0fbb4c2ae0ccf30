"""How one value looks in the admin: escaped, short, dates in UTC with the zone said."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from connectors.normal import decimals_of

EMPTY = "-"
LIST_CHARACTERS = 60
TOOLTIP_CHARACTERS = 500


def utc(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else EMPTY


def moment(moment: datetime | None) -> str:
    """Return date and time below each other, for narrow columns below a title that says UTC."""
    if moment is None:
        return EMPTY
    shown = utc(moment)
    day, time, _ = shown.split()
    return format_html('<span class="sync-moment" title="{}">{}<br>{}</span>', shown, day, time)


def span(length: timedelta | None) -> str:
    """Return the length in its largest fitting unit: "45 s", "12 min", "3.5 h", "4 d"."""
    if length is None:
        return EMPTY
    seconds = length.total_seconds()
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} d"


def number(value: int | None) -> str:
    return EMPTY if value is None else f"{value:,}"


def at_most(value: int, limit: int) -> str:
    """Return the number, or "1,000+" where counting stopped at the limit."""
    return f"{limit:,}+" if value > limit else f"{value:,}"


def plural(value: int, noun: str) -> str:
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def amount(value: Decimal | None, currency: str | None = None) -> str:
    """Return every digit that says something, at least as many decimals as the currency has."""
    if value is None:
        return EMPTY
    whole, _, decimals = f"{value:,f}".partition(".")
    decimals = decimals.rstrip("0").ljust(decimals_of(currency) if currency else 0, "0")
    return " ".join(filter(None, (f"{whole}.{decimals}" if decimals else whole, currency)))


def short(text: object, limit: int = LIST_CHARACTERS) -> str:
    """Return one line for a list; the tooltip has more of it."""
    if text is None:
        return EMPTY
    line = " ".join(str(text)[: TOOLTIP_CHARACTERS * 2].split())
    if len(line) <= limit:
        return line or EMPTY
    return format_html('<span title="{}">{}…</span>', line[:TOOLTIP_CHARACTERS], line[: limit - 1])


def over(text: object, below: object) -> SafeString:
    """Return two lines, where a column for each would push others out of the window."""
    return format_html('{} <small class="sync-below">{}</small>', text, below)


def label(text: str, colour: str) -> SafeString:
    return format_html('<span class="sync-label sync-{}">{}</span>', colour, text)


def link(url: str, text: object) -> SafeString:
    return format_html('<a class="text-link sync-link" href="{}">{}</a>', url, text)


def change_url(model: type[models.Model], pk: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[quote(pk)])


def change_link(model: type[models.Model], pk: Any, text: object) -> SafeString:
    return link(change_url(model, pk), text)


def list_url(model: type[models.Model], **filters: object) -> str:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def list_link(model: type[models.Model], text: object, **filters: object) -> SafeString:
    return link(list_url(model, **filters), text)


def web_link(address: str | None) -> str:
    """Return a link for http addresses; anything else, javascript: above all, stays text."""
    if not address or not address.lower().startswith(("http://", "https://")):
        return address or EMPTY
    return format_html(
        '<a class="text-link" href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>',
        address,
        short(address, 120),
    )


def plain(value: object) -> object:
    """Return the value as a person reads it; text stays text, for the template to escape."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return amount(value)
    return EMPTY if value is None or value == "" else value
