"""One step of a test of a source: what was tried, how long it took, what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from connectors.errors import ConnectorError, MissingScope, NeedsReconnect


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a person is told of one step."""

    name: str
    seconds: float
    is_ok: bool
    told: str
    #: Nothing after this can succeed.
    is_final: bool = False
    #: False where there was nothing to try, or no time left; `told` says which.
    is_taken: bool = True


def checked(name: str, step: Callable[[], str]) -> Check:
    """Take the step, which says what came of it, and name what went wrong by what it means."""
    started = time.monotonic()
    try:
        told = step()
    except ConnectorError as error:
        return Check(
            name=name,
            seconds=time.monotonic() - started,
            is_ok=False,
            told=f"{_meaning(error)}{error}",
            is_final=not isinstance(error, MissingScope),
        )
    return Check(name=name, seconds=time.monotonic() - started, is_ok=True, told=told)


def _meaning(error: ConnectorError) -> str:
    if isinstance(error, MissingScope):
        return "Missing scope: "
    if isinstance(error, NeedsReconnect):
        return "Needs reconnecting: "
    return ""


def scopes_check(granted: Collection[str], needed: Collection[str]) -> Check:
    """Compare what was granted with what the streams need."""
    missing = sorted(set(needed) - set(granted))
    told = f"granted: {', '.join(sorted(granted)) or 'none named'}; needed: {', '.join(sorted(needed))}"
    if missing:
        told = f"Missing scope: {', '.join(missing)} ({told}). Grant it at the provider, then connect again."
    return Check(name="scopes", seconds=0.0, is_ok=not missing, told=told)
