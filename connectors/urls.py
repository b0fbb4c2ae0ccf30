"""Whose URL it is."""

from urllib.parse import urlsplit


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port, which together decide who gets our credentials."""
    parts = urlsplit(url)
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or default
