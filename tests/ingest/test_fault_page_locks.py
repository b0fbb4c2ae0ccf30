"""Somebody else's lock on a page costs a moment, not a turn."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from connectors.base import Page as FetchedPage
from ingest import applying
from ingest.models import Page
from tests.ingest.steps import StreamNamed, apply, land, start
from tests.scripted import record

WAIT = 20.0


class Onlooker:
    """Locks a page, as a worker that chooses pages does, until somebody waits for the lock."""

    def __init__(self, page_id: int) -> None:
        self._page_id = page_id
        self._is_locked = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def lock(self) -> None:
        self._thread.start()
        assert self._is_locked.wait(WAIT)

    def leave(self) -> None:
        self._is_over.set()
        self._thread.join(WAIT)

    def _look(self) -> None:
        try:
            with transaction.atomic():
                Page.objects.select_for_update().get(pk=self._page_id)
                self._is_locked.set()
                while not is_waited_for() and not self._is_over.wait(0.01):
                    pass
        finally:
            connection.close()


def is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_writer_waits_for_a_page_that_another_only_looks_at(
    stream: StreamNamed, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(stream("records"))
    land(job, FetchedPage(records=[record("1")]))
    onlooker = Onlooker(Page.objects.get().pk)
    begin = applying._begin

    def begin_and_be_looked_at(job_id: int) -> list[int]:
        page_ids = begin(job_id)
        if page_ids:
            onlooker.lock()
        return page_ids

    monkeypatch.setattr(applying, "_begin", begin_and_be_looked_at)

    try:
        assert apply(job) == 1
    finally:
        onlooker.leave()

    assert Page.objects.get().state == Page.State.APPLIED
