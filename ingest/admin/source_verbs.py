"""What staff may do with sources: sync now, full refresh, test the connection, pause, resume."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest

from ingest import jobs
from ingest.admin import cells, testing
from ingest.admin.base import Verb
from ingest.models import CollectionJob, Source


def sync_now(request: HttpRequest, chosen: QuerySet[Source]) -> None:
    _start(request, chosen, full=False)


def full_refresh(request: HttpRequest, chosen: QuerySet[Source]) -> None:
    _start(request, chosen, full=True)


def _start(request: HttpRequest, chosen: QuerySet[Source], *, full: bool) -> None:
    for source in chosen.defer("config", "credentials").order_by("name"):
        if source.is_paused:
            messages.warning(request, f"{source.name} is paused: resume it first.")
            continue
        if source.needs_reconnect_since:
            told = "needs reconnecting first: its page says why."
            messages.warning(request, f"{source.name} {told}")
            continue
        streams = list(source.streams.filter(is_enabled=True).order_by("name"))
        started = [jobs.start(stream, trigger=CollectionJob.Trigger.ADMIN, full=full) for stream in streams]
        _report(request, source, [is_new for _, is_new in started])


def _report(request: HttpRequest, source: Source, are_new: list[bool]) -> None:
    waiting = cells.plural(len(are_new) - sum(are_new), "stream")
    live = "" if all(are_new) else f"{waiting} with a live job already: wait for it or cancel it."
    if not are_new:
        messages.warning(request, f"{source.name} has no enabled stream: enable one on its page.")
    elif any(are_new):
        started = f"{cells.plural(sum(are_new), 'new job')} within seconds."
        messages.success(request, " ".join(filter(None, (f"{source.name}: {started}", live))))
    else:
        messages.warning(request, f"{source.name}: {live}")


def pause(request: HttpRequest, chosen: QuerySet[Source]) -> None:
    count = jobs.set_paused(chosen, paused=True)
    messages.success(
        request,
        f"{cells.plural(count, 'source')} paused. Live jobs stop at their next page and keep their place.",
    )


def resume(request: HttpRequest, chosen: QuerySet[Source]) -> None:
    count = jobs.set_paused(chosen, paused=False)
    messages.success(request, f"{cells.plural(count, 'source')} resumed. Waiting jobs go on within seconds.")


VERBS = (
    Verb(
        name="sync",
        label="Sync now",
        icon="sync",
        run=sync_now,
        is_main=True,
        is_offered=lambda s: not s.is_paused,
    ),
    Verb(
        name="full",
        label="Full refresh",
        icon="cached",
        run=full_refresh,
        is_offered=lambda s: not s.is_paused,
    ),
    Verb(name="test", label="Test connection", icon="network_check", run=testing.run),
    Verb(name="pause", label="Pause", icon="pause", run=pause, is_offered=lambda s: not s.is_paused),
    Verb(
        name="resume",
        label="Resume",
        icon="play_arrow",
        run=resume,
        is_main=True,
        is_offered=lambda s: s.is_paused,
    ),
)
