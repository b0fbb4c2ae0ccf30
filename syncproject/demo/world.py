"""What the demo syncs: the sandbox's data, and a source for each connector."""

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

#: In the order in which people should see them move; those of other providers follow.
NAMES = {"shopify": "shop", "rest": "api", "csv": "download", "atom": "news"}


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
    return f"--seed {SEED} --now {now} --bad-share {BAD_SHARE}"


def write_files(known: Facts, folder: Path) -> None:
    """Write the files that the sandbox serves, so that they can be read from disk as well."""
    World(Options(now=known.epoch, seed=SEED, bad_share=BAD_SHARE)).files.write(folder)


def sources(*, url: str) -> list[DemoSource]:
    """Return the sources, in the order in which people should see them move."""
    found = [_source(connector, url) for connector in [*NAMES, *sorted(set(all_simulators()) - {*NAMES})]]
    streams = {"music": music_table("music.csv"), "catalog": catalog_table("catalog.csv")}
    from_disk = replace(found[2], name=f"{PREFIX}files", config={"streams": streams})
    return [*found[:2], from_disk, *found[2:]]


def _source(connector: str, url: str) -> DemoSource:
    offer = all_simulators()[connector].offer(url)
    return DemoSource(
        name=f"{PREFIX}{NAMES.get(connector, connector)}",
        connector=connector,
        config=offer.config,
        datasets=offer.datasets,
        credentials=offer.credentials,
    )
