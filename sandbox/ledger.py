"""What exists and what was served: the evidence a reader's copy is checked against."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from sandbox.data import utc_text
from sandbox.dataset import Dataset, Version
from sandbox.flaws import BadRow
from sandbox.messages import Answer, Served
from sandbox.simulators import Part


class Ledger:
    """Counts every answer; knows how often each page was asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Start counting afresh."""
        with self._lock:
            self._by_status: Counter[int] = Counter()
            self._pages: defaultdict[str, Counter[str]] = defaultdict(Counter)
            self._records: Counter[str] = Counter()
            self._faults: Counter[str] = Counter()
            self._lies: Counter[str] = Counter()
            self._bad: defaultdict[str, Counter[BadRow]] = defaultdict(Counter)

    def note(self, answer: Answer, faults: tuple[str, ...], lie: str | None) -> None:
        with self._lock:
            self._by_status[answer.status] += 1
            self._faults.update(faults)
            if lie is not None:
                self._lies[lie] += 1
            if answer.served is not None:
                self._note_served(answer.served)

    def take_back(self, served: Served) -> None:
        """Forget an answer that was noted and that nobody got."""
        with self._lock:
            self._pages[served.dataset] -= Counter([served.cursor])
            self._records[served.dataset] -= served.records
            self._bad[served.dataset] -= Counter(served.bad)

    def _note_served(self, served: Served) -> None:
        self._pages[served.dataset][served.cursor] += 1
        self._records[served.dataset] += served.records
        if served.bad:
            self._bad[served.dataset].update(served.bad)

    def requests(self) -> dict[str, Any]:
        """Return the counts over all datasets."""
        with self._lock:
            return {
                "total": sum(self._by_status.values()),
                "by_status": {str(status): count for status, count in sorted(self._by_status.items())},
                "faults": dict(self._faults),
                "lies": dict(self._lies),
                "datasets": {name: self._served(name) for name in sorted(self._pages)},
            }

    def dataset(self, dataset: Dataset, *, is_full: bool) -> dict[str, Any]:
        """Return one dataset's newest state and what was served of it."""
        name = dataset.recipe.name
        with self._lock:
            served = self._served(name)
            if is_full:
                served["bad"] = [_told(bad, times) for bad, times in self._bad[name].items()]
        bad = dataset.bad_by_kind()
        expected: dict[str, Any] = {"count": len(dataset), "bad": sum(bad.values()), "bad_by_kind": bad}
        if is_full:
            versions = list(dataset.versions())
            expected["newest"] = {version.external_id: _newest(version) for version in versions}
            expected["newest_bad"] = {
                version.external_id: {**_newest(version), "payload": version.row.decode()}
                for version in versions
                if version.bad
            }
        removed = {external_id: utc_text(when) for external_id, when in dataset.deleted().items()}
        return {"dataset": name, "expected": expected, "deleted": removed, "served": served}

    def _served(self, name: str) -> dict[str, Any]:
        pages = self._pages.get(name, Counter())
        return {"requests": sum(pages.values()), "records": self._records[name], "pages": dict(pages)}


def parts_told(name: str, parts: Iterable[Part], *, is_full: bool) -> dict[str, Any]:
    """Return what there is of a stream that is made of others' parts; what was served is not counted."""
    found = list(parts)
    kinds = Counter(part.bad for part in found if part.bad)
    expected: dict[str, Any] = {"count": len(found), "bad": kinds.total(), "bad_by_kind": dict(kinds)}
    if is_full:
        expected["newest"] = {part.external_id: _part(part) for part in found}
    return {"dataset": name, "expected": expected}


def _part(part: Part) -> dict[str, Any]:
    return {
        "updated_at": "" if part.updated is None else utc_text(part.updated),
        "sha256": hashlib.sha256(part.body).hexdigest() if part.body else "",
        "bad": part.bad,
    }


def _newest(version: Version) -> dict[str, Any]:
    return {
        "updated_at": utc_text(version.updated),
        "sha256": version.sha256,
        "bad": version.bad,
        "drift": version.drift,
    }


def _told(bad: BadRow, times: int) -> dict[str, Any]:
    return {
        "external_id": bad.external_id,
        "bad": bad.kind,
        "sha256": hashlib.sha256(bad.row).hexdigest(),
        "payload": bad.row.decode(),
        "times": times,
    }
