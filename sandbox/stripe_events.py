"""
Stripe's events: what happened to which object and how it was then, kept for 30 days.

Objects of the sample data have one event for their last change. What changes from then on is noticed when
somebody asks, and noted for good: ids go up, times never go back, and one object may have many events.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from sandbox.dataset import Dataset
from sandbox.order import INDEX_BITS, INDEX_MASK
from sandbox.stripe_records import DAY

KEPT_DAYS = 30


class Types(NamedTuple):
    """What a resource's events are called; "" where there is none."""

    created: str
    updated: str
    deleted: str = ""


TYPES = {
    "customers": Types("customer.created", "customer.updated", "customer.deleted"),
    "products": Types("product.created", "product.updated", "product.deleted"),
    "prices": Types("price.created", "price.updated", "price.deleted"),
    "subscriptions": Types("customer.subscription.created", "customer.subscription.updated"),
    "invoices": Types("invoice.created", "invoice.updated", "invoice.deleted"),
    "payment_intents": Types("payment_intent.created", "payment_intent.succeeded"),
    "charges": Types("charge.succeeded", "charge.updated"),
    "refunds": Types("refund.created", "refund.updated"),
    "disputes": Types("charge.dispute.created", "charge.dispute.updated"),
    "payouts": Types("payout.created", "payout.updated"),
}


@dataclass(frozen=True, slots=True)
class Event:
    number: int
    type: str
    created: int
    row: bytes

    @property
    def id(self) -> str:
        return f"evt_{self.number:016d}"

    def body(self, api_version: str) -> bytes:
        head = msgspec.json.encode(
            {
                "id": self.id,
                "object": "event",
                "api_version": api_version,
                "created": self.created,
                "livemode": False,
                "pending_webhooks": 0,
                "request": {"id": None, "idempotency_key": None},
                "type": self.type,
            }
        )
        # The object as it stands: it may hold what no encoder writes.
        return b'%b,"data":{"object":%b}}' % (head[:-1], self.row)


class EventLog:
    """All that happened, as far as somebody looked. Thread-safe."""

    def __init__(self, datasets: Mapping[str, Dataset], *, now: Callable[[], int]) -> None:
        self._datasets = {name: datasets[name] for name in TYPES if name in datasets}
        self._now = now
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._revisions: dict[str, int] = {}
        self._rows: dict[str, dict[int, bytes]] = {}

    def newest_first(self) -> list[Event]:
        """Return the events of the last 30 days."""
        with self._lock:
            if not self._rows:
                self._begin()
            for name, dataset in self._datasets.items():
                if self._revisions[name] != dataset.revision:
                    self._compare(name, dataset)
            since = self._now() - KEPT_DAYS * DAY
            return [event for event in reversed(self._events) if event.created >= since]

    def _begin(self) -> None:
        past: list[tuple[int, str, bytes]] = []
        for name, dataset in self._datasets.items():
            self._revisions[name] = dataset.revision
            self._rows[name] = _rows_of(dataset)
            for key in dataset.order:
                updated, is_new = key >> INDEX_BITS, key >> INDEX_BITS == dataset.created(key)
                kind = TYPES[name].created if is_new else TYPES[name].updated
                past.append((updated, kind, self._rows[name][key & INDEX_MASK]))
        for created, kind, row in sorted(past, key=lambda one: one[0]):
            self._note(kind, min(created, self._now()), row)

    def _compare(self, name: str, dataset: Dataset) -> None:
        self._revisions[name] = dataset.revision
        before, after = self._rows[name], _rows_of(dataset)
        self._rows[name] = after
        types = TYPES[name]
        for index, row in after.items():
            if index not in before:
                self._note(types.created, self._now(), row)
            elif row != before[index]:
                self._note(types.updated, self._now(), row)
        for index in before.keys() - after.keys():
            if types.deleted:
                self._note(types.deleted, self._now(), before[index])

    def _note(self, kind: str, created: int, row: bytes) -> None:
        latest = self._events[-1].created if self._events else 0
        self._events.append(Event(len(self._events) + 1, kind, max(created, latest), row))


def _rows_of(dataset: Dataset) -> dict[int, bytes]:
    keys = list(dataset.order)
    return dict(zip([key & INDEX_MASK for key in keys], dataset.rows(keys), strict=True))
