"""
HubSpot's door: who may come in, how often, and how it says no.

Confirmed: Bearer only; policies TEN_SECONDLY_ROLLING, SECONDLY and DAILY with the body of a 429; the headers
X-HubSpot-RateLimit-*, without the daily ones for OAuth; MISSING_SCOPES and EXPIRED_AUTHENTICATION as
categories; BAD_REFRESH_TOKEN. Unconfirmed [M]: the other texts; that searches do not count for the ten
seconds and carry no such headers.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from sandbox.messages import Answer, BadRequest, Request, json_answer
from sandbox.oauth import OAuthServer

DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an account is allowed; these are those of a Professional one."""

    calls: int = 190
    seconds: float = 10.0
    searches_per_second: int = 4
    daily: int = 650_000
    most_listed: int = 100
    most_searched: int = 200
    search_cap: int = 10_000
    #: Objects in one call for associations, and associations of one object in one answer.
    most_inputs: int = 1_000
    associations_at_once: int = 500
    #: A change is found by searches so long after it was made.
    index_lag: float = 0.0


class RollingWindow:
    """So many calls in any stretch of so many seconds."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[float] = deque()

    def take(self) -> int | None:
        """Return how many more would be let in; None if this one is not."""
        with self._lock:
            now = self._clock()
            while self._calls and self._calls[0] <= now - self._seconds:
                self._calls.popleft()
            if len(self._calls) >= self._most:
                return None
            self._calls.append(now)
            return self._most - len(self._calls)


class Door:
    """Lets requests in, or says why not."""

    def __init__(
        self,
        rules: Rules,
        *,
        private_apps: Mapping[str, tuple[str, ...]],
        oauth: OAuthServer,
        clock: Callable[[], float],
    ) -> None:
        """Take the scopes of each private app by its token."""
        #: How often which limit was met.
        self.refused: Counter[str] = Counter()
        self._rules = rules
        self._private_apps = private_apps
        self._oauth = oauth
        self._clock = clock
        self._calls = RollingWindow(rules.calls, rules.seconds, clock)
        self._searches = RollingWindow(rules.searches_per_second, 1.0, clock)
        self._today = (0, 0)

    def enter(
        self, request: Request, *, scopes: tuple[str, ...], is_search: bool
    ) -> tuple[Answer | None, dict[str, str]]:
        """Return a refusal or None, and the headers every answer carries."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        granted = self._granted(token)
        if granted is None:
            return _unknown(token), {}
        policy, headers = self._limited(is_private=token in self._private_apps, is_search=is_search)
        if policy:
            self.refused[policy] += 1
            return _too_many(policy), headers
        missing = [scope for scope in scopes if scope not in granted]
        return (_missing(missing), headers) if missing else (None, headers)

    def _granted(self, token: str) -> tuple[str, ...] | None:
        if token in self._private_apps:
            return self._private_apps[token]
        consent = self._oauth.grant_of(token)
        return consent.scopes if consent else None

    def _limited(self, *, is_private: bool, is_search: bool) -> tuple[str, dict[str, str]]:
        """Return the policy that is broken or "", and the headers."""
        day = int(self._clock()) // DAY
        used = self._today[1] if self._today[0] == day else 0
        if is_private and used >= self._rules.daily:
            return "DAILY", {}
        self._today = (day, used + 1)
        if is_search:
            return ("SECONDLY" if self._searches.take() is None else ""), {}
        left = self._calls.take()
        headers = {
            "X-HubSpot-RateLimit-Max": str(self._rules.calls),
            "X-HubSpot-RateLimit-Remaining": str(left or 0),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(self._rules.seconds * 1_000)),
        }
        if is_private:
            headers["X-HubSpot-RateLimit-Daily"] = str(self._rules.daily)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(self._rules.daily - used - 1)
        return ("TEN_SECONDLY_ROLLING" if left is None else ""), headers


def refused(
    status: int, message: str, category: str, *, errors: list[dict[str, Any]] | None = None
) -> BadRequest:
    """Return a refusal in HubSpot's words."""
    body: dict[str, Any] = {
        "status": "error",
        "message": message,
        "correlationId": str(uuid.uuid4()),
        "category": category,
    }
    return BadRequest({**body, "errors": errors} if errors else body, status=status)


def invalid(message: str) -> BadRequest:
    return refused(400, message, "VALIDATION_ERROR")


def _answered(refusal: BadRequest) -> Answer:
    return json_answer(refusal.body, status=refusal.status)


def _unknown(token: str) -> Answer:
    if token.startswith("CI"):
        # One of ours once: OAuth tokens end.
        text = "The OAuth token used to make this call expired."
        return _answered(refused(401, text, "EXPIRED_AUTHENTICATION"))
    text = (
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find "
        "more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
    )
    return _answered(refused(401, text, "INVALID_AUTHENTICATION"))


def _missing(scopes: list[str]) -> Answer:
    text = "This app hasn't been granted all required scopes to make this call."
    errors = [
        {
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": scopes},
        }
    ]
    return _answered(refused(403, text, "MISSING_SCOPES", errors=errors))


def _too_many(policy: str) -> Answer:
    body = {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
        "requestId": uuid.uuid4().hex,
    }
    return json_answer(body, status=429)


class TokenDesk:
    """HubSpot's token endpoint, v1 or v3: a standard one in its own words."""

    def __init__(self, oauth: OAuthServer, *, names_scopes: bool) -> None:
        self._oauth = oauth
        self._names_scopes = names_scopes

    def answer(self, request: Request) -> Answer:
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            return _bad("BAD_REQUEST", "the body must be a form", code=415)
        answer = self._oauth.token(request)
        told = msgspec.json.decode(answer.body)
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if answer.status != 200:
            return _bad(*_in_their_words(told, form))
        scopes = str(told.pop("scope", "")).split()
        # The refresh token that was shown stays the one there is.
        told.setdefault("refresh_token", form.get("refresh_token", ""))
        answer.body = msgspec.json.encode({**told, **({"scopes": scopes} if self._names_scopes else {})})
        return answer


def _in_their_words(told: Mapping[str, str], form: Mapping[str, str]) -> tuple[str, str]:
    if told["error"] == "invalid_client":
        return "BAD_CLIENT_ID", "missing or unknown client id, or client secret that does not match"
    if told["error"] != "invalid_grant":
        return "BAD_GRANT_TYPE", told["error"]
    if form.get("grant_type") == "refresh_token":
        return "BAD_REFRESH_TOKEN", "missing or invalid refresh token"
    return "BAD_AUTH_CODE", "missing or unknown auth code"


def _bad(status: str, message: str, *, code: int = 400) -> Answer:
    body = {"status": status, "message": message, "correlationId": str(uuid.uuid4())}
    return json_answer(body, status=code)
