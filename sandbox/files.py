"""
Two CSV files over HTTP: a list of songs with a header, and a price list without one.

Both also lie in an S3-compatible store, plain, as gzip and in one zip archive. Ranges,
validators and conditional requests follow RFC 9110; one range a request is served.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sandbox import vocabulary as words
from sandbox.data import Facts, Recipe, Record, song
from sandbox.dataset import Dataset
from sandbox.flaws import BadRow
from sandbox.messages import Answer, Handler, Request, Served
from sandbox.object_store import BUCKET, KEY_ID, PREFIX, SECRET, ObjectStore
from sandbox.options import Options
from sandbox.simulators import Offer, Simulator

CSV = "text/csv; charset=utf-8"
MUSIC_COLUMNS = ("song_name", "artist_name", "music_genre", "album", "track_id")
CATALOG_COLUMNS = (
    "category_id",
    "capacity",
    "capacity_gb",
    "price",
    "content_count",
    "content_unit",
    "is_active",
    "is_popular",
)
HEADERS = {"music": ",".join(MUSIC_COLUMNS).encode() + b"\r\n", "catalog": b""}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def recipes() -> dict[str, Recipe]:
    """Return how each file's rows are made, by file name without its ending."""
    music = Recipe(
        name="files.music",
        make=_make_song,
        external_id=lambda index: str(index + 1),
        encode=_encode_row,
        defects={"ragged": _drop_last_cell, "nul": partial(_set, column="song_name", value="a\x00b")},
    )
    catalog = Recipe(
        name="files.catalog",
        make=_make_catalog_row,
        external_id=lambda index: f"row-{index + 1}",
        has_ids=False,
        encode=_encode_row,
        defects={
            "ragged": _drop_last_cell,
            "nul": partial(_set, column="content_unit", value="a\x00b"),
            "wrong_type": partial(_set, column="price", value="free"),
            "overflow": partial(_set, column="price", value="123456789012345.67"),
        },
    )
    return {"music": music, "catalog": catalog}


def _make_song(facts: Facts) -> Record:
    item = song(facts.dice, number=facts.index + 1, version=facts.version)
    # One title in fifty runs over two lines: readers that split at line ends fall over it.
    title = item.title.replace(" ", "\n", 1) if facts.index % 50 == 49 else item.title
    row = (title, item.artist, item.genre, item.album, str(facts.index + 1))
    return dict(zip(MUSIC_COLUMNS, row, strict=True))


def _make_catalog_row(facts: Facts) -> Record:
    category = words.CATEGORIES[facts.index % len(words.CATEGORIES)]
    capacity = facts.dice.choice(words.CAPACITIES_GB)
    return {
        "category_id": category,
        "capacity": f"{capacity}GB",
        "capacity_gb": str(capacity),
        "price": str(19_900 + 100 * facts.dice.below(900) + 100 * facts.version),
        # Counts up, so that no two rows are equal.
        "content_count": str(500 + facts.index),
        "content_unit": words.CATEGORY_UNITS[category],
        "is_active": "false" if facts.dice.below(10) == 0 else "true",
        "is_popular": "true" if facts.dice.below(5) == 0 else "false",
    }


def _encode_row(record: Record) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(record.values())
    return text.getvalue().encode()


def _drop_last_cell(record: Record) -> None:
    record.popitem()


def _set(record: Record, *, column: str, value: str) -> None:
    record[column] = value


class Rendition(NamedTuple):
    """One state of a file."""

    body: bytes
    etag: str
    modified: int
    bad: tuple[BadRow, ...]


class Files:
    """Renders a file once per state of its dataset."""

    def __init__(self, datasets: dict[str, Dataset]) -> None:
        self._datasets = datasets
        self._lock = threading.Lock()
        self._renditions: dict[str, tuple[int, Rendition]] = {}

    def routes(self, clock: Callable[[], float]) -> dict[str, Handler]:
        plain = {f"{name}.csv": self._server(name) for name in self._datasets}
        packed = {f"{name}.csv.gz": partial(self._gzip, name) for name in self._datasets}
        store = ObjectStore(objects={**plain, **packed, "all files.zip": self._zip}, clock=clock)
        return {**{f"/files/{name}": serve for name, serve in plain.items()}, f"{PREFIX}*": store.get}

    def write(self, folder: Path) -> list[Path]:
        """Write every file into a folder and return where."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.csv" for name in self._datasets]
        for path in paths:
            path.write_bytes(self._rendition(path.stem).body)
        return paths

    def _server(self, name: str) -> Handler:
        def serve(request: Request) -> Answer:
            rendition = self._rendition(name)
            answer = _answer(rendition, request)
            if answer.status in {200, 206}:
                start = answer.headers.get("Content-Range", "start")
                answer.served = Served(
                    dataset=f"files.{name}",
                    cursor=start,
                    records=answer.body.count(b"\r\n"),
                    bad=tuple(bad for bad in rendition.bad if bad.row in answer.body),
                )
            return answer

        return serve

    def _gzip(self, name: str, request: Request) -> Answer:
        plain = self._rendition(name)
        return _answer(_packed(plain, gzip.compress(plain.body, mtime=0)), request)

    def _zip(self, request: Request) -> Answer:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in self._datasets:
                # With a date of its own, so that equal content is an equal file.
                archive.writestr(zipfile.ZipInfo(f"{name}.csv"), self._rendition(name).body)
        return _answer(_packed(self._rendition("music"), packed.getvalue()), request)

    def _rendition(self, name: str) -> Rendition:
        dataset = self._datasets[name]
        with self._lock:
            revision, rendition = self._renditions.get(name, (-1, None))
            if rendition is None or revision != dataset.revision:
                revision, rendition = dataset.revision, _render(dataset, HEADERS[name])
                self._renditions[name] = (revision, rendition)
            return rendition


def _render(dataset: Dataset, header: bytes) -> Rendition:
    rows = dataset.rows(dataset.numbered())
    body = header + b"".join(rows)
    return Rendition(body, _etag(body), dataset.newest, dataset.bad_in(rows))


def _packed(plain: Rendition, body: bytes) -> Rendition:
    return plain._replace(body=body, etag=_etag(body))


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:24]}"'


def _answer(rendition: Rendition, request: Request) -> Answer:
    headers = {
        "ETag": rendition.etag,
        "Last-Modified": formatdate(rendition.modified, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    if is_unchanged(request, etag=rendition.etag, modified=rendition.modified):
        return Answer(status=304, headers=headers, content_type="")
    size = len(rendition.body)
    part = _range(request.headers.get("range", ""), size) if _may_use_range(request, rendition) else None
    if part is None:
        return Answer(body=rendition.body, headers=headers, content_type=CSV)
    if not part:
        headers["Content-Range"] = f"bytes */{size}"
        return Answer(status=416, headers=headers, content_type=CSV)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return Answer(status=206, body=rendition.body[part.start : part.stop], headers=headers, content_type=CSV)


def is_unchanged(request: Request, *, etag: str, modified: int) -> bool:
    """Tell whether the caller has this state already; If-None-Match outranks If-Modified-Since."""
    known = request.headers.get("if-none-match")
    if known is not None:
        return known.strip() == "*" or etag in [tag.strip() for tag in known.split(",")]
    since = _http_date(request.headers.get("if-modified-since", ""))
    return since is not None and modified <= since


def _may_use_range(request: Request, rendition: Rendition) -> bool:
    condition = request.headers.get("if-range")
    if condition is None or condition == rendition.etag:
        return True
    return _http_date(condition) == rendition.modified


def _http_date(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError:
        return None


def _range(text: str, size: int) -> range | None:
    """Return the bytes asked for, empty when there are none such; None when it is no range we serve."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return range(max(size - int(last), 0), size)
    return range(int(first), min(int(last) + 1 if last else size, size))


def _recipes(options: Options) -> list[tuple[Recipe, int]]:
    made = recipes()
    return [(made["music"], options.songs), (made["catalog"], options.catalog)]


def music_table(identifier: str) -> dict[str, Any]:
    """Return how a source reads the songs, from disk or from here."""
    columns = {"external_id": "track_id", "title": "song_name", "artist": "artist_name"}
    return {
        "sourceIdentifier": identifier,
        "targetTable": "content_index",
        "contentType": "music",
        "columnMapping": {**columns, "genre": "music_genre"},
    }


def catalog_table(identifier: str) -> dict[str, Any]:
    """Return how a source reads the price list, from disk or from here."""
    return {
        "sourceIdentifier": identifier,
        "targetTable": "catalog_items",
        "hasHeader": False,
        "columns": list(CATALOG_COLUMNS),
    }


def _offer(url: str) -> Offer:
    music, catalog = music_table(f"{url}/files/music.csv"), catalog_table(f"{url}/files/catalog.csv")
    usual = Offer(
        config={"streams": {"music": music, "catalog": catalog}},
        datasets={"music": "files.music", "catalog": "files.catalog"},
        bad_credentials={"token": "none is needed"},
    )
    key = {"accessKeyId": KEY_ID, "secretAccessKey": SECRET}
    packed = {
        "music": music_table(f"s3://{BUCKET}/music.csv.gz"),
        "catalog": {**catalog_table(f"s3://{BUCKET}/all files.zip"), "zipMember": "catalog.csv"},
    }
    config = {"streams": {name: {**one, "s3Endpoint": f"{url}/s3"} for name, one in packed.items()}}
    return replace(usual, more={"store": replace(usual, config=config, credentials={"mode": "s3", **key})})


SIMULATOR = Simulator(
    connector="csv",
    recipes=_recipes,
    routes=lambda setting: Files(dict(setting.datasets)).routes(setting.clock),
    offer=_offer,
)
