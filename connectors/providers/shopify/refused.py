"""
What a refusal of the Admin API means, by what happens next.

Quirks, as of 2026-11-22, unconfirmed but for the shape of GraphQL errors (community.shopify.com, 8456):
- REST says {"errors": "text"} or {"errors": {"field": ["text"]}}; a missing scope is 403, naming it; a shop
  that does not pay is 402, a locked one 423.
- GraphQL answers 200 with errors[].extensions.code, and what is throttled has no data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.errors import (
    ConfigError,
    ConnectorError,
    CursorExpired,
    MissingScope,
    RateLimited,
    RefusedRequest,
    SchemaError,
    TransientError,
)

_SCOPE = re.compile(r"\b((?:read|write)_[a-z_]+)\b")
_SHOWN = 500
_SHOP_CLOSED = {402: "the shop is frozen until its bill is paid", 423: "the shop is locked"}
_LEAST_WAIT = 0.5


class TooCostly(ConfigError):
    """A GraphQL query costs more than one may: ask for fewer at once."""


def named(error: RefusedRequest) -> ConnectorError:
    """Return the refusal as what it means."""
    text = error.body.decode("utf-8", "replace")
    if error.status == 403 and "scope" in text:
        return _missing_scope(str(error), text, error.body)
    if error.status in _SHOP_CLOSED:
        return RefusedRequest(
            f"{error}: {_SHOP_CLOSED[error.status]}; ask its owner", status=error.status, body=error.body
        )
    return error


def graph_error(errors: Sequence[Mapping[str, Any]], cost: Mapping[str, Any]) -> ConnectorError:
    """Return what the errors of a GraphQL answer mean, by the first of them."""
    first = errors[0]
    code = str((first.get("extensions") or {}).get("code", ""))
    text = "; ".join(str(one.get("message", one)) for one in errors)[:_SHOWN]
    told = f"shopify: GraphQL {code or 'error'}: {text.rstrip('.')}"
    return _by_code(code, told, first, cost) or _by_text(told, text)


def _by_code(
    code: str, told: str, first: Mapping[str, Any], cost: Mapping[str, Any]
) -> ConnectorError | None:
    match code:
        case "THROTTLED":
            return RateLimited(told, retry_after=_wait(cost))
        case "ACCESS_DENIED":
            required = str((first.get("extensions") or {}).get("requiredAccess", ""))
            return _missing_scope(told, f"{required} {told}", b"")
        case "MAX_COST_EXCEEDED":
            return TooCostly(f"{told}. Make the pages of this stream smaller.")
        case "SHOP_INACTIVE":
            return ConfigError(f"{told}. The shop is closed or frozen: ask its owner.")
        case "INTERNAL_SERVER_ERROR" | "TIMEOUT":
            return TransientError(told)
        case _:
            return None


def _by_text(told: str, text: str) -> ConnectorError:
    if "cursor" in text.lower():
        return CursorExpired(told)
    return SchemaError(f"{told}. Does api_version suit this connector?")


def _missing_scope(told: str, text: str, body: bytes) -> MissingScope:
    needed = tuple(dict.fromkeys(_SCOPE.findall(text)))
    shown = f" ({', '.join(needed)})" if needed else ""
    return MissingScope(
        f"{told}. The credentials are good, but lack a scope{shown}: grant it to the app, then connect again",
        needed=needed,
        body=body,
    )


def _wait(cost: Mapping[str, Any]) -> float:
    """Return the seconds until what was asked for can be paid."""
    status = cost.get("throttleStatus") or {}
    rate = float(status.get("restoreRate") or 0)
    lacking = float(cost.get("requestedQueryCost") or 0) - float(status.get("currentlyAvailable") or 0)
    return max(lacking / rate, _LEAST_WAIT) if rate > 0 else 2 * _LEAST_WAIT
