"""The Celery app."""

import gc
import os
import signal
import sys
from functools import partial
from typing import Any

from celery import Celery
from celery.signals import task_prerun, worker_process_init, worker_ready
from django.db import close_old_connections

from ingest import stopping

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncproject.settings")

app = Celery("syncproject")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["syncproject"], related_name="pipeline")


def look_after_connections(task: Any, **_: Any) -> None:
    """Let go of a database connection that is broken or old, so that no task inherits another's trouble."""
    if not task.request.is_eager:  # its caller may be in the middle of a transaction
        close_old_connections()


task_prerun.connect(look_after_connections)


def collect_garbage_seldom(**_: Any) -> None:
    """
    Look for cycles every hundred thousand objects instead of every seven hundred.

    A batch of rows makes tens of thousands at once and no cycles; looking cost a sixth of a first load.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


worker_process_init.connect(collect_garbage_seldom)


def take_turns_often(**_: Any) -> None:
    """Let the thread that asks for the next page have its turn at once, and not after 5 ms of landing."""
    sys.setswitchinterval(0.0001)


worker_process_init.connect(take_turns_often)


def listen_for_shutdown(**_: Any) -> None:
    """
    Hear the signals that end the worker: a deploy waits for pages, not for whole slices.

    Celery's own worker_shutting_down comes only after its soft shutdown, when the tasks have been cut off.
    """
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        before = signal.getsignal(number)
        signal.signal(number, partial(_stop, worker=os.getpid(), before=before))


worker_ready.connect(listen_for_shutdown)


def _stop(number: int, frame: Any, *, worker: int, before: Any) -> None:
    # A pool's process inherits this; a signal to it alone is no shutdown.
    if os.getpid() == worker:
        stopping.ask()
    if callable(before):
        before(number, frame)
