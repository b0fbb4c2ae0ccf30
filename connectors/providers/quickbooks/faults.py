"""
Faults: how QuickBooks Online words a refusal, and what each means for us.

Quirks, as of 2026-11-22:
- `Fault` is the data services' word; the gateway before them writes `fault`, `error`, `message` in small
  letters (routablehq/python-quickbooks issues 118 and 250; ruckus/quickbooks-ruby spec/fixtures).
- A fault may come with status 200 (ej2/python-quickbooks client.py treats it so whatever the status).
- Throttling was a 403 with code 3001 before it was a 429 (ruckus/quickbooks-ruby spec/fixtures, 2016-10-27
  and 2016-12-07).
- Code ranges: below 500 authentication, 500-599 unsupported, 600-1999 general, 2000-4999 validation, from
  10000 severe (ej2/python-quickbooks client.py handle_exceptions). 3100 and 3200 are about authentication,
  too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors import exact_json
from connectors.errors import (
    AuthenticationError,
    ConnectorError,
    RateLimited,
    RecordError,
    RefusedRequest,
    TransientError,
)

THROTTLED = 3001
NOT_THIS_COMPANY = 3100
NOT_AUTHENTICATED = frozenset({100, 3200})
AUTHENTICATION_TYPES = frozenset({"AUTHENTICATION", "AUTHENTICATIONFAULT"})
FIRST_UNSUPPORTED = 500
FIRST_SEVERE = 10_000
_WORDS = (b'"Fault"', b'"fault"')
_MOST_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The first error of a fault, which is nearly always the only one."""

    type: str
    code: int
    said: str

    @property
    def is_about_credentials(self) -> bool:
        return (
            self.code in NOT_AUTHENTICATED
            or 0 < self.code < FIRST_UNSUPPORTED
            or (self.type.upper() in AUTHENTICATION_TYPES and self.code != NOT_THIS_COMPANY)
        )


def fault_in(body: bytes) -> Fault | None:
    """Return the fault of an answer, in whichever letters; None where there is none."""
    # Every page is looked at, and nearly none has the word in it.
    if not any(word in body for word in _WORDS):
        return None
    try:
        answer = exact_json.loads(body)
    except RecordError:
        return None
    return fault_of(answer)


def fault_of(answer: Any) -> Fault | None:
    """Return the fault of an answer that is decoded already."""
    if not isinstance(answer, Mapping):
        return None
    fault = _said(answer, "Fault")
    if not isinstance(fault, Mapping):
        return None
    errors = _said(fault, "Error")
    first = errors[0] if isinstance(errors, list) and errors else {}
    error = first if isinstance(first, Mapping) else {}
    told = [str(text) for text in (_said(error, "Message"), _said(error, "Detail")) if text]
    return Fault(
        type=str(_said(fault, "Type") or ""), code=_number(_said(error, "Code")), said=": ".join(told)
    )


def named(fault: Fault, *, status: int, body: bytes) -> ConnectorError:
    """Return the error a fault is, by what happens next."""
    what = f"fault {fault.code} ({fault.type or 'of no type'}): {fault.said[:_MOST_SHOWN] or 'nothing said'}"
    if fault.code == THROTTLED:
        return RateLimited(f"{what}; asked us to slow down")
    if fault.code == NOT_THIS_COMPANY:
        return AuthenticationError(
            f"{what}. The app is not connected to this company, or without the accounting scope: check "
            "realm_id, then connect the account again",
            body=body,
        )
    if fault.is_about_credentials:
        return AuthenticationError(f"{what}; the credentials are not accepted: connect again", body=body)
    if fault.code >= FIRST_SEVERE or fault.type == "SystemFault":
        return TransientError(what)
    return RefusedRequest(f"{what}; check the settings of the source", status=status, body=body)


def _said(holder: Mapping[str, Any], name: str) -> Any:
    value = holder.get(name)
    return holder.get(name.lower()) if value is None else value


def _number(code: Any) -> int:
    text = str(code or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
