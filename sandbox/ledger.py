"""What exists and what was served: the evidence a reader's copy is checked against."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import Any

from sandbox.data import utc_text
from sandbox.dataset import Dataset
from sandbox.messages import Answer


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

    def note(self, answer: Answer, faults: tuple[str, ...]) -> None:
        with self._lock:
            self._by_status[answer.status] += 1
            self._faults.update(faults)
            if answer.served is not None:
                self._pages[answer.served.dataset][answer.served.cursor] += 1
                self._records[answer.served.dataset] += answer.served.records

    def requests(self) -> dict[str, Any]:
        """Return the counts over all datasets."""
        with self._lock:
            return {
                "total": sum(self._by_status.values()),
                "by_status": {str(status): count for status, count in sorted(self._by_status.items())},
                "faults": dict(self._faults),
                "datasets": {name: self._served(name) for name in sorted(self._pages)},
            }

    def dataset(self, dataset: Dataset, *, is_full: bool) -> dict[str, Any]:
        """Return one dataset's newest state and what was served of it."""
        with self._lock:
            served = self._served(dataset.recipe.name)
        bad = dataset.bad_by_kind()
        expected: dict[str, Any] = {"count": len(dataset), "bad": sum(bad.values()), "bad_by_kind": bad}
        if is_full:
            expected["newest"] = _newest(dataset)
        removed = {name: utc_text(when) for name, when in dataset.deleted().items()}
        return {"dataset": dataset.recipe.name, "expected": expected, "deleted": removed, "served": served}

    def _served(self, name: str) -> dict[str, Any]:
        pages = self._pages.get(name, Counter())
        return {"requests": sum(pages.values()), "records": self._records[name], "pages": dict(pages)}


def _newest(dataset: Dataset) -> dict[str, dict[str, Any]]:
    return {
        version.external_id: {
            "updated_at": utc_text(version.updated),
            "sha256": version.sha256,
            "bad": version.bad,
            "drift": version.drift,
        }
        for version in dataset.versions()
    }
