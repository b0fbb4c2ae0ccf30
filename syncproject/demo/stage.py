"""Setting the stage in the database: the staff user, and the sources as if nothing had been synced yet."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from ingest import jobs
from ingest.connecting import lay_out_streams
from ingest.models import REFINED_MODELS, CollectionJob, FailedSync, RawRecord, Source, SourceStream
from syncproject.demo import world
from syncproject.demo.consenting import let_in
from syncproject.demo.world import DemoSource

USER = "demo"
WEB = "http://127.0.0.1:8000"


def make_user(password: str) -> None:
    """Make the user who may see everything, or give it its password back."""
    user, _ = get_user_model().objects.get_or_create(username=USER)
    user.is_staff = user.is_superuser = user.is_active = True
    user.set_password(password)
    user.save()


def clear() -> None:
    """Remove the sources of an earlier demo, and what came with them."""
    ids = list(Source.objects.filter(name__startswith=world.PREFIX).values_list("pk", flat=True))
    tables = [model._meta.db_table for model in reversed(REFINED_MODELS.values())]
    if not ids:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # a large table takes its time
        # Set by set: Django would read every row first to follow its relations.
        for table in (FailedSync._meta.db_table, *tables):
            cursor.execute(f"DELETE FROM {table} WHERE source_id = ANY(%s)", [ids])  # noqa: S608 - our own names
        cursor.execute(
            f"DELETE FROM {RawRecord._meta.db_table} raw USING {SourceStream._meta.db_table} stream"  # noqa: S608
            " WHERE stream.id = raw.stream_id AND stream.source_id = ANY(%s)",
            [ids],
        )
        Source.objects.filter(pk__in=ids).delete()


def make_sources(wanted: Iterable[DemoSource], *, web: str = WEB) -> list[SourceStream]:
    """
    Make the sources, or bring them up to date; return the streams to be synced, in the order given.

    `web`: where our own pages are, to which providers send people back.
    """
    found: list[SourceStream] = []
    for one in wanted:
        source, _ = Source.objects.update_or_create(
            name=one.name,
            defaults={
                "connector": one.connector,
                "config": one.config,
                "credentials": dict(one.credentials),
                "is_paused": False,
            },
        )
        let_in(one, web=web)
        streams = {stream.name: stream for stream in lay_out_streams(source)}
        found += [streams[name] for name in one.datasets]
        # By hand only: once the demo has ended there is nobody to ask.
        source.streams.update(schedule="", next_run_at=None)
    return found


def start_jobs(streams: Iterable[SourceStream]) -> list[CollectionJob]:
    """Start a full refresh of each stream, so that an earlier demo's rows are compared with the sandbox's."""
    return [jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, full=True)[0] for stream in streams]
