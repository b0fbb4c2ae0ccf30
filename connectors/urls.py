"""Addresses: whose they are, whether they may be called, where a redirect may lead."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from connectors.errors import ConfigError

_ODD = re.compile(r"[\x00-\x20\x7f\\]")


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port, which together decide who gets our credentials."""
    parts = urlsplit(url)
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or default


def check_url(url: str) -> None:
    """:raises ConfigError: if it is none that may be called"""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or _ODD.search(url):
        raise ConfigError("the address is not a valid http or https URL: check it in the settings")
    if "@" in parts.netloc:
        raise ConfigError("the address holds a user name or password: put them into the credentials")


def redirect_target(here: str, location: str, *, method: str) -> str:
    """
    Return where a redirect leads.

    :raises ConfigError: if that is elsewhere, as our credentials would go with the request
    """
    try:
        target = urljoin(here, location)
    except ValueError:
        raise ConfigError("redirected to something that is no URL: check the address") from None
    check_url(target)
    if method not in {"GET", "HEAD"} or origin(target) != origin(here):
        scheme, host, port = origin(target)
        raise ConfigError(
            f"redirected to {scheme}://{host}:{port}{urlsplit(target).path}: redirects are followed on the "
            "same host only; if the new address is right, put it into the settings of the source"
        )
    return target
