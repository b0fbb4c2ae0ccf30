"""Start a full refresh of the orders of every source named, all at one moment, and ring for the workers."""

from __future__ import annotations

import sys

import django

if __name__ == "__main__":
    django.setup()

from celery import current_app
from django.utils import timezone

from ingest import jobs
from ingest.models import CollectionJob, SourceStream
from syncproject import pipeline


def main(sources: list[str]) -> None:
    with current_app.producer_or_acquire() as producer:
        producer.connection.ensure_connection()  # a process of long standing has that behind it
    streams = SourceStream.objects.filter(source__name__in=sources, name="orders")
    started = [jobs.start(one, trigger=CollectionJob.Trigger.ADMIN, full=True)[0] for one in streams]
    for job in started:
        if jobs.note_rung(job.pk, now=timezone.now()):
            pipeline.ring(pipeline.page_chain(job.pk))


if __name__ == "__main__":
    main(sys.argv[1:])
