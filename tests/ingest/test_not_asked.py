"""Who waits for something of our own, such as a token another worker renews, has not failed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from connectors.errors import NotAsked
from ingest.models import CollectionJob
from ingest.waiting import FAILURES_BEFORE_SPARING
from tests.ingest.steps import StreamNamed, fetch, start
from tests.scripted import Script

pytestmark = pytest.mark.django_db


def test_waiting_is_no_attempt_and_holds_up_no_other_job(script: Script, stream: StreamNamed) -> None:
    times = FAILURES_BEFORE_SPARING + 1
    script.says("orders", *[NotAsked("The token is renewed elsewhere.", retry_after=3)] * times, [])
    waiting, other = start(stream("orders")), start(stream("records"))

    for _ in range(times):
        CollectionJob.objects.filter(pk=waiting.pk).update(next_run_at=Now())
        fetch(waiting)

    waiting.refresh_from_db()
    other.refresh_from_db()
    assert (waiting.status, waiting.attempts, waiting.error_type) == ("PENDING", 0, "not_asked")
    assert timedelta(0) < waiting.next_run_at - timezone.now() < timedelta(seconds=4)
    assert other.next_run_at <= timezone.now()
