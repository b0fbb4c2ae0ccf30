"""What the demo syncs: the sandbox's data, and a source for each connector and each way to read it."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox import Options, World
from sandbox.files import catalog_table, music_table
from sandbox.simulators import all_simulators

SEED = 7
#: A few records in ten thousand that no reader can store.
BAD_SHARE = 0.0006
PREFIX = "demo-"

#: One shop is read by each of its APIs, and one of them asks for the payments of each order.
AMOUNTS: dict[str, Any] = {"customers": 1_000, "products": 400, "orders": 2_000}

#: In the order in which people should see them move; those of other providers follow.
NAMES = {"shopify": "shop", "rest": "api", "csv": "download", "atom": "news"}
#: What is shown of a provider, where that is not just its usual way.
WAYS = {
    "shopify": ("", "graphql", "bulk"),
    "csv": ("", "store"),
    "hubspot": ("oauth",),
    "quickbooks": ("oauth",),
}
#: Left for people to connect, by name: the provider and the way.
LEFT = {"press-connect": ("hubspot", "oauth")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What stays the same from one demo to the next, kept in .local/demo.json."""

    password: str
    #: When the sample data ends, epoch seconds.
    epoch: int
    #: Decided just now: what an earlier demo synced is of another world.
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSource:
    """One source, and which of the sandbox's datasets each stream lists."""

    name: str
    connector: str
    config: Mapping[str, Any]
    datasets: Mapping[str, str]
    credentials: Mapping[str, str]
    #: Somebody has to let us in on the provider's page: the demo, where there are datasets to sync.
    connects: bool = False


def facts(folder: Path) -> Facts:
    """Return what the first demo decided, deciding it now if this is the first."""
    file = folder / "demo.json"
    try:
        return Facts(**json.loads(file.read_text()))
    except FileNotFoundError:
        found = Facts(password=secrets.token_urlsafe(9), epoch=int(time.time()), is_new=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps({"password": found.password, "epoch": found.epoch}))
    draft.replace(file)
    return found


def sandbox_arguments(known: Facts) -> str:
    """Return the command line that makes the sandbox serve this world."""
    now = datetime.fromtimestamp(known.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    amounts = " ".join(f"--{name} {count}" for name, count in AMOUNTS.items())
    return f"--seed {SEED} --now {now} --bad-share {BAD_SHARE} {amounts}"


def write_files(known: Facts, folder: Path) -> None:
    """Write the files that the sandbox serves, so that they can be read from disk as well."""
    World(Options(now=known.epoch, seed=SEED, bad_share=BAD_SHARE, **AMOUNTS)).files.write(folder)


def sources(*, url: str) -> list[DemoSource]:
    """Return the sources, in the order in which people should see them move."""
    connectors = [*NAMES, *sorted(set(all_simulators()) - {*NAMES})]
    found = [_source(connector, way, url) for connector in connectors for way in WAYS.get(connector, ("",))]
    first = next(number for number, one in enumerate(found) if one.connector == "csv")
    streams = {"music": music_table("music.csv"), "catalog": catalog_table("catalog.csv")}
    from_disk = replace(found[first], name=f"{PREFIX}files", config={"streams": streams})
    left = [
        replace(_source(connector, way, url), name=f"{PREFIX}{name}", datasets={})
        for name, (connector, way) in LEFT.items()
    ]
    return [*found[:first], from_disk, *found[first:], *left]


def _source(connector: str, way: str, url: str) -> DemoSource:
    usual = all_simulators()[connector].offer(url)
    offer = usual.more[way] if way else usual
    # Where it is shown in one way only there is nothing to tell apart.
    suffix = f"-{way}" if way and len(WAYS[connector]) > 1 else ""
    return DemoSource(
        name=f"{PREFIX}{NAMES.get(connector, connector)}{suffix}",
        connector=connector,
        config=offer.config,
        datasets=offer.datasets,
        credentials=offer.credentials,
        connects=offer.connects,
    )
