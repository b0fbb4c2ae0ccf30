"""Every record the sandbox served against what arrived: ids, contents, dead letters."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ingest.models import REFINED_MODELS, FailedSync, RawRecord, SourceStream
from sandbox import SandboxClient
from sandbox.files import CATALOG_COLUMNS, MUSIC_COLUMNS
from syncproject.demo.world import DemoSource

SHOWN = 3

#: Tells the contents of two records apart.
Marks = dict[str, str]
Versions = Mapping[str, Mapping[str, Any]]


class Arrived(NamedTuple):
    """A refined row, with the raw version it was made from."""

    external_id: str
    body_hash: bytes
    payload: Mapping[str, str]
    updated_at: datetime | None
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one stream came to."""

    stream: str
    kind: str
    expected: int
    records: int
    dead_letters: int
    lost: int
    differences: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What all streams came to."""

    each: Sequence[Checked]
    records: int
    streams: int
    dead_letters: int
    lost: int
    differences: Sequence[str]

    @property
    def line(self) -> str:
        return (
            f"demo: ok, {self.records} records, {self.streams} streams, "
            f"{self.dead_letters} dead letters, {self.lost} lost"
        )


def check(sources: Iterable[DemoSource], sandbox: SandboxClient) -> Sums:
    """Compare every stream with the sandbox's own ledger."""
    streams = SourceStream.objects.select_related("source").defer("source__credentials")
    found = [
        _check_stream(streams.get(source__name=source.name, name=name), sandbox.ledger(dataset, full=True))
        for source in sources
        for name, dataset in source.datasets.items()
    ]
    return Sums(
        each=found,
        records=sum(one.records for one in found),
        streams=len(found),
        dead_letters=sum(one.dead_letters for one in found),
        lost=sum(one.lost for one in found),
        differences=[difference for one in found for difference in one.differences],
    )


def _check_stream(stream: SourceStream, ledger: Mapping[str, Any]) -> Checked:
    newest, bad = ledger["expected"]["newest"], ledger["expected"]["bad"]
    good = {name: version for name, version in newest.items() if version["bad"] is None}
    arrived = _arrived(stream)
    compare = _COMPARISONS.get(ledger["dataset"].split(".")[0], _compare_bodies)
    letters = FailedSync.objects.filter(stream=stream, resolved_at__isnull=True).count()
    label = f"{stream.source.name}/{stream.name}"
    differences = [
        *_unequal(label, "refined rows", len(good), len(arrived)),
        *_unequal(label, "open dead letters", bad, letters),
        *_unlike(label, *compare(stream, good, arrived)),
    ]
    return Checked(
        stream=label,
        kind=stream.kind,
        expected=len(newest),
        records=len(arrived),
        dead_letters=letters,
        lost=max(0, len(newest) - len(arrived) - letters),
        differences=differences,
    )


def _arrived(stream: SourceStream) -> list[Arrived]:
    # Streams of one source may share a table; the raw rows know which records came by a stream. Two plain
    # reads, as a join of tables just filled is planned without knowing them.
    raw_rows = RawRecord.objects.filter(stream=stream, is_deleted=False).order_by("version")
    versions, newest = {}, {}
    for pk, external_id, body_hash, payload in raw_rows.values_list(
        "pk", "external_id", "body_hash", "payload"
    ):
        versions[pk] = newest[external_id] = bytes(body_hash), payload
    rows = REFINED_MODELS[stream.kind]._default_manager.filter(
        source=stream.source_id, deleted_at__isnull=True
    )
    return [
        # They may even share a row: lines of invoices may also come with their invoice.
        Arrived(external_id, *(versions.get(raw_id) or newest[external_id]), updated_at, occurred_at)
        for external_id, raw_id, updated_at, occurred_at in rows.values_list(
            "external_id", "raw_id", "source_updated_at", "occurred_at"
        )
        if external_id in newest
    ]


def _unequal(label: str, what: str, expected: int, found: int) -> list[str]:
    return [] if expected == found else [f"{label}: {found} {what}, but the sandbox's ledger says {expected}"]


def _unlike(label: str, expected: Marks, found: Marks) -> list[str]:
    """Name the records that are missing, too many, or of another content."""
    kinds = {
        "missing": expected.keys() - found.keys(),
        "not in the ledger": found.keys() - expected.keys(),
        "of other content than served": {
            name for name in expected.keys() & found.keys() if expected[name] != found[name]
        },
    }
    return [
        f"{label}: {len(names)} records {what}, such as {', '.join(sorted(names)[:SHOWN])}"
        for what, names in kinds.items()
        if names
    ]


def _compare_bodies(_: SourceStream, good: Versions, arrived: Sequence[Arrived]) -> tuple[Marks, Marks]:
    """JSON is kept as it was served: the hashes are equal."""
    expected = {name: version["sha256"] for name, version in good.items()}
    return expected, {one.external_id: one.body_hash.hex() for one in arrived}


def _compare_rows(stream: SourceStream, good: Versions, arrived: Sequence[Arrived]) -> tuple[Marks, Marks]:
    """A file's rows are written again from what we kept, and must come out byte for byte."""
    columns = CATALOG_COLUMNS if stream.name == "catalog" else MUSIC_COLUMNS
    expected = {version["sha256"]: "" for version in good.values()}
    return expected, {_row_digest(one.payload, columns): "" for one in arrived}


def _compare_times(_: SourceStream, good: Versions, arrived: Sequence[Arrived]) -> tuple[Marks, Marks]:
    """A feed's entries are not kept as XML, GraphQL serves what is asked for: ids and times must be equal."""
    expected = {name: version["updated_at"] for name, version in good.items()}
    # Not everything says when it changed.
    timed = {name for name, text in expected.items() if text}
    found = {one.external_id: _utc_text(one.updated_at or one.occurred_at) for one in arrived}
    return expected, {name: text if name in timed else "" for name, text in found.items()}


def _utc_text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _row_digest(payload: Mapping[str, str], columns: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([payload[column] for column in columns])
    return hashlib.sha256(text.getvalue().encode()).hexdigest()


_COMPARISONS: Mapping[str, Callable[[SourceStream, Versions, Sequence[Arrived]], tuple[Marks, Marks]]] = {
    "files": _compare_rows,
    "feeds": _compare_times,
    "shopify-graphql": _compare_times,
    "stripe-reports": _compare_times,
    "mariana_tek-reports": _compare_times,
}
