"""Dotted paths into JSON: the way from an answer to its list, from a record to its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def steps_of(path: str) -> tuple[str, ...]:
    """Return the steps of a dotted path; none for the empty one, which leads to the value itself."""
    return tuple(path.split(".")) if path else ()


def walk(value: Any, steps: Sequence[str]) -> Any:
    """Return what the steps lead to; None where they lead nowhere."""
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value
