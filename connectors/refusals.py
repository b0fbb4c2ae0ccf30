"""What a status of 400 and above means, by what happens next."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from connectors.errors import (
    AuthenticationError,
    BadResponse,
    ConnectorError,
    MissingScope,
    RateLimited,
    RefusedRequest,
    TransientError,
)

MAX_RETRY_AFTER = 900.0
_EXCERPT = 300
_PASSING = frozenset({408, 425, 429})
_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?")
#: RFC 6750, 3.1
_SCOPES_WANTED = re.compile(r'scope="([^"]*)"', re.IGNORECASE)
_WHAT_TO_DO = {
    400: "the provider refuses the request: check the settings of the source",
    401: "the provider does not accept the credentials: renew them",
    403: "the credentials may not read this: check their scopes",
    404: "there is nothing at this address: check it in the settings of the source",
    405: "the provider does not take this method here: check the address and the method",
    410: "the provider has taken this away: check the address",
}


def refusal(status: int, headers: Mapping[str, str], *, body: bytes, said: str) -> ConnectorError:
    """Return the error for an answer that is not the one hoped for; `said` is its body without secrets."""
    what, excerpt = f"answered {status} {_phrase(status)}", said[:_EXCERPT]
    told = f" (it said: {excerpt})" if excerpt else ""
    if status < 400:
        return BadResponse(f"{what} where content was due{told}")
    if status in _PASSING or status >= 500:
        return _passing(status, f"{what}{told}", headers)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        challenge = headers.get("WWW-Authenticate", "")
        if "insufficient_scope" in challenge:
            return _missing_scope(f"{what}{told}", challenge, body)
    message = f"{what}; {_WHAT_TO_DO.get(status, _WHAT_TO_DO[400])}{told}"
    if status == HTTPStatus.UNAUTHORIZED:
        return AuthenticationError(message, body=body)
    return RefusedRequest(message, status=status, body=body)


def _missing_scope(what: str, challenge: str, body: bytes) -> MissingScope:
    found = _SCOPES_WANTED.search(challenge)
    needed = found[1].split() if found else []
    named = f" ({', '.join(needed)})" if needed else ""
    return MissingScope(
        f"{what}; the credentials are good, but lack a scope{named}: grant it at the provider, then connect "
        "again",
        needed=tuple(needed),
        body=body,
    )


def _passing(status: int, message: str, headers: Mapping[str, str]) -> TransientError:
    wait = retry_after(headers)
    is_throttled = status == HTTPStatus.TOO_MANY_REQUESTS
    if is_throttled or (status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None):
        return RateLimited(f"{message}; asked us to slow down", retry_after=wait)
    return TransientError(message, retry_after=wait)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, at most MAX_RETRY_AFTER; None where the header is absent or nonsense."""
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER)
    moment = _epoch(text)
    if moment is None:
        return None
    # Both by the provider's clock, so that ours may be wrong.
    seconds = moment - (_epoch(headers.get("Date", "")) or time.time())
    return min(seconds, MAX_RETRY_AFTER) if seconds >= 0 else None


def _epoch(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"
