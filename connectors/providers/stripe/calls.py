"""Asking Stripe: one call, one answer, and refusals named by what they mean there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn

from connectors import exact_json
from connectors.errors import (
    AuthenticationError,
    CursorExpired,
    MissingScope,
    RecordError,
    SchemaError,
    TransientError,
)
from connectors.http import Answer, HttpSession, RefusedRequest

#: Events appear out of order by some seconds, and answers take their time: what Stripe shows is taken for
#: known up to so long before.
SETTLED = timedelta(seconds=60)

#: Whoever has one can confirm the payment; the key to read with shows it, but nobody here needs it.
_CLIENT_SECRET = re.compile(rb'("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"')

_PERMISSION = re.compile(r"rak_[a-z_]+")
_PASSING_CODES = frozenset({"lock_timeout", "rate_limit"})
#: Not a permission that is missing, but a key that is not for this at all.
_KEY_CODES = frozenset({"secret_key_required", "api_key_expired", "account_invalid"})
_PLACE_PARAMS = frozenset({"starting_after", "ending_before"})


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, and until when it surely knows everything."""

    answer: Answer
    as_of: datetime


class Calls:
    """One account's API."""

    def __init__(self, http: HttpSession, *, base_url: str, clock: Callable[[], datetime]) -> None:
        self._http = http
        self._api = f"{base_url}/v1"
        self._clock = clock

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Told:
        """
        Return the answer, client secrets left out.

        :raises CursorExpired: if the object at which the page begins is gone
        :raises MissingScope: if a restricted key lacks a permission
        :raises ConnectorError: as the session does
        """
        started = time.monotonic()
        try:
            answer = self._http.request("GET", f"{self._api}{path}", params=params)
        except RefusedRequest as refusal:
            _refuse(refusal)
        told = _date(answer.headers) or self._clock()
        elapsed = timedelta(seconds=time.monotonic() - started)
        kept = replace(answer, body=without_client_secrets(answer.body))
        return Told(kept, told - elapsed - SETTLED)

    def post(self, path: str, form: Mapping[str, str], *, idempotency_key: str) -> Answer:
        """
        Return the answer; asked twice with one key, Stripe does once what is asked.

        :raises ConnectorError: as `get` does
        """
        headers = {"Idempotency-Key": idempotency_key}
        try:
            return self._http.request("POST", f"{self._api}{path}", form=form, headers=headers)
        except RefusedRequest as refusal:
            _refuse(refusal)


def without_client_secrets(body: bytes) -> bytes:
    """Return JSON with "[secret]" in their place, every other byte as received."""
    return _CLIENT_SECRET.sub(rb'\1"[secret]"', body) if b'"client_secret"' in body else body


def object_in(answer: Answer) -> Mapping[str, Any]:
    """:raises SchemaError: if the answer is no JSON object"""
    try:
        value = exact_json.loads(answer.body)
    except RecordError as error:
        raise SchemaError(f"stripe: the answer is {error}") from None
    if not isinstance(value, Mapping):
        raise SchemaError("stripe: the answer is no object")
    return value


def _refuse(refusal: RefusedRequest) -> NoReturn:
    error = _error_in(refusal.body)
    code, message = str(error.get("code", "")), str(error.get("message", ""))
    if refusal.status == HTTPStatus.CONFLICT or code in _PASSING_CODES:
        raise TransientError(str(refusal)) from None
    if code == "resource_missing" and error.get("param") in _PLACE_PARAMS:
        raise CursorExpired(f"{refusal}. The list is read again from its beginning.") from None
    if code in _KEY_CODES:
        raise AuthenticationError(str(refusal), body=refusal.body) from None
    if refusal.status == HTTPStatus.FORBIDDEN:
        needed = tuple(dict.fromkeys(_PERMISSION.findall(message)))
        raise MissingScope(
            f"{refusal}. Give the restricted key the permission to read this, in Stripe's Dashboard under "
            "Developers, API keys.",
            needed=needed,
            body=refusal.body,
        ) from None
    raise refusal


def _error_in(body: bytes) -> Mapping[str, Any]:
    try:
        value = exact_json.loads(body)
    except RecordError:
        return {}
    error = value.get("error") if isinstance(value, Mapping) else None
    return error if isinstance(error, Mapping) else {}


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
