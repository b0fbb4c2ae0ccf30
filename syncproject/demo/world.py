"""What the demo syncs: the sandbox's data, and a source for each connector."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.providers.csv.table import CATALOG_COLUMNS
from sandbox import Options, World

SEED = 7
#: A few records in ten thousand that no reader can store.
BAD_SHARE = 0.0006
PREFIX = "demo-"

SONG_FIELDS = {
    "external_id": "id",
    "title": "name",
    "artist": "artist.name",
    "genre": "genre",
    "occurred_at": "created_at",
}
SONG_COLUMNS = ("song_name", "artist_name", "music_genre", "album", "track_id")
MUSIC_TABLE = {
    "targetTable": "content_index",
    "contentType": "music",
    "columnMapping": {
        "external_id": "track_id",
        "title": "song_name",
        "artist": "artist_name",
        "genre": "music_genre",
    },
}


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
    options = Options(now=0)
    return [
        DemoSource(
            name=f"{PREFIX}shop",
            connector="shopify",
            config={"shop": "sandbox.myshopify.com", "base_url": f"{url}/shopify"},
            datasets={name: f"shopify.{name}" for name in ("customers", "products", "orders")},
            credentials={"access_token": options.shopify_token},
        ),
        DemoSource(
            name=f"{PREFIX}api",
            connector="rest",
            config=_api_config(url),
            datasets={name: f"api.{name}" for name in PAGINATION},
            credentials={"token": options.api_token},
        ),
        DemoSource(
            name=f"{PREFIX}files",
            connector="csv",
            config={
                "streams": {
                    "music": _music("music.csv"),
                    "catalog": _catalog("catalog.csv"),
                }
            },
            datasets={"music": "files.music", "catalog": "files.catalog"},
            credentials={},
        ),
        DemoSource(
            name=f"{PREFIX}download",
            connector="csv",
            config={"streams": {"music": _music(f"{url}/files/music.csv")}},
            datasets={"music": "files.music"},
            credentials={},
        ),
        DemoSource(
            name=f"{PREFIX}news",
            connector="atom",
            config={
                "streams": {
                    "articles": {"sourceIdentifier": f"{url}/feeds/articles.atom", "contentType": "article"},
                    "news": {"sourceIdentifier": f"{url}/feeds/news.rss", "contentType": "news"},
                }
            },
            datasets={"articles": "feeds.articles", "news": "feeds.news"},
            credentials={},
        ),
    ]


#: One stream for each way of paging.
PAGINATION: Mapping[str, Mapping[str, Any]] = {
    "page": {"type": "page", "totalPath": "meta.total"},
    "offset": {"type": "offset", "totalPath": "meta.total"},
    "cursor": {
        "type": "cursor",
        "cursorPath": "meta.next_cursor",
        "hasMorePath": "meta.has_more",
        "totalPath": "meta.total",
    },
    "next": {"type": "next", "nextPath": "meta.next", "totalPath": "meta.total"},
    "link": {"type": "link"},
}


def _api_config(url: str) -> dict[str, Any]:
    return {
        "auth": {"type": "bearer"},
        "targetTable": "content_index",
        "contentType": "music",
        "fieldMapping": SONG_FIELDS,
        "incremental": {"param": "updated_since", "field": "updated_at"},
        "streams": {
            name: {
                "sourceIdentifier": f"{url}/api/{name}/items",
                "pagination": {"limit": 100, "limitParam": "limit", **pagination},
                **({"totalHeader": "X-Total"} if name == "link" else {"dataPath": "data.items"}),
            }
            for name, pagination in PAGINATION.items()
        },
    }


def _music(identifier: str) -> dict[str, Any]:
    return {"sourceIdentifier": identifier, **MUSIC_TABLE}


def _catalog(identifier: str) -> dict[str, Any]:
    return {
        "sourceIdentifier": identifier,
        "targetTable": "catalog_items",
        "hasHeader": False,
        "columns": list(CATALOG_COLUMNS),
    }
