"""
Each pretended provider is a module of this package with a `SIMULATOR`; nothing else lists them.

It says what data there is, which paths answer, and how a source must be set up to read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import sandbox
from sandbox.data import Recipe
from sandbox.dataset import Dataset
from sandbox.messages import Handler
from sandbox.options import Options

#: Programs, which run when they are imported.
_NO_ROOMS = frozenset({"__main__"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a simulator is given to work with."""

    #: By the name after the dot: of "acme.orders" it is "orders".
    datasets: Mapping[str, Dataset]
    options: Options
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """How a source reads this provider."""

    config: Mapping[str, Any]
    #: Which dataset each stream lists; streams made of several, or of parts of one, are left out.
    datasets: Mapping[str, str]
    credentials: Mapping[str, Any] = field(default_factory=dict)
    #: Refused by the connector, or by the provider.
    bad_credentials: Mapping[str, Any]
    #: A person has to let us in on the provider's page first.
    connects: bool = False
    #: Further ways to read it, by name: another of its APIs, another way in.
    more: Mapping[str, Offer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A record that is served, but is made of those of a dataset or of parts of them."""

    external_id: str
    #: As it is served; empty where that depends on what is asked for.
    body: bytes = b""
    #: What it says of its last change, epoch seconds.
    updated: int | None = None
    #: What makes it one that no reader can store.
    bad: str | None = None


#: Lists what there is of a stream of parts.
Parts = Callable[[], Iterable[Part]]


def no_parts(_: Setting) -> Mapping[str, Parts]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """One pretended provider."""

    #: The connector that reads it.
    connector: str
    #: The datasets, each with how many records it has unless told otherwise.
    recipes: Callable[[Options], Sequence[tuple[Recipe, int]]]
    #: By path, which may end in "/*" for all below, and begin with a method other than GET: "POST /token".
    routes: Callable[[Setting], Mapping[str, Handler]]
    #: Takes the address the sandbox answers at.
    offer: Callable[[str], Offer]
    #: What streams hold that are no dataset of their own, by the name that the ledger knows them by.
    parts: Callable[[Setting], Mapping[str, Parts]] = no_parts


@cache
def all_simulators() -> dict[str, Simulator]:
    """Return each provider's simulator by the name of its connector."""
    names = [module.name for module in iter_modules(sandbox.__path__) if module.name not in _NO_ROOMS]
    found = [getattr(import_module(f"sandbox.{name}"), "SIMULATOR", None) for name in sorted(names)]
    return {one.connector: one for one in found if isinstance(one, Simulator)}
