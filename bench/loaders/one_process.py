"""
Fetch, apply and count the orders of sources, one after the other: the tasks' own steps without Celery.

Not `manage.py sync --here`: it brings the metrics up to date at every turn, tasks do so every half minute.
"""

from __future__ import annotations

import sys
from datetime import timedelta

import django

if __name__ == "__main__":
    django.setup()

from celery.signals import worker_process_init
from django.conf import settings
from django.utils import timezone

from ingest import applying, fetching, jobs
from ingest.models import CollectionJob, SourceStream
from syncproject import pipeline


def main(source: str) -> None:
    stream = SourceStream.objects.get(source__name=source, name="orders")
    job, _ = jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, full=True)
    every = timedelta(seconds=settings.METRICS_SECONDS)
    is_over = False
    while not is_over:
        until = pipeline.slice_end()
        fetching.fetch_slice(job.pk, now=timezone.now, until=until, after_landing=_ring_nobody)
        applying.apply_landed(job.pk, now=timezone.now, until=until, after_batch=_ring_nobody)
        is_over = pipeline.close_turn(job.pk, now=timezone.now, metrics_every=every) is not None


def _ring_nobody(pages_waiting: int) -> None:
    """The next turn comes at once."""


if __name__ == "__main__":
    worker_process_init.send(sender=None)  # whatever worker processes tune
    for name in sys.argv[1:]:
        main(name)
