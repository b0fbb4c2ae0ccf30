"""Testing the way in to a source: a fresh token and at once the data, step by step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from django.db import DatabaseError

from connectors.base import Connector
from connectors.checks import Check
from connectors.errors import ConfigError
from ingest import tokens
from ingest.connecting import connector_for
from ingest.models import Source

log = logging.getLogger(__name__)


def probe(source: Source, *, now: Callable[[], datetime], until: datetime) -> Iterator[Check]:
    """
    Yield each step as it was taken, none begun after `until`.

    A source that was marked as to be connected again may ask again once its data has answered.
    """
    try:
        connector = connector_for(source, is_urgent=True, asks_anyway=True)
    except ConfigError as error:
        yield Check(name="settings", seconds=0.0, is_ok=False, told=str(error))
        return
    try:
        yield from _steps(connector, source, now=now, until=until)
    except DatabaseError:
        raise
    except Exception as error:
        log.exception("testing the connection failed", extra={"source": source.name})
        told = (
            f"{type(error).__name__} in the {source.connector} connector: {error}. This is a mistake in the "
            "connector; the log of the process that made the test has the trace."
        )
        yield Check(name="rest", seconds=0.0, is_ok=False, told=told)
    finally:
        connector.close()


def _steps(
    connector: Connector, source: Source, *, now: Callable[[], datetime], until: datetime
) -> Iterator[Check]:
    enabled = frozenset(source.streams.filter(is_enabled=True).values_list("name", flat=True))
    for check in connector.probe(enabled or None):
        if check.is_ok and check.name.startswith("data"):
            tokens.let_ask_again(source.pk)
        yield check
        if now() > until:
            told = "the time for a test is over; the steps left were not taken"
            yield Check(name="rest", seconds=0.0, is_ok=True, told=told, is_taken=False)
            return
