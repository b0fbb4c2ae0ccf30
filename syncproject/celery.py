"""The Celery app."""

import os
import signal
from functools import partial
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from ingest import stopping

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncproject.settings")

app = Celery("syncproject")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["syncproject"], related_name="pipeline")


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
