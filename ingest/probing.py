"""Testing the way in to a source: a fresh token and at once the data, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from connectors.base import Connector
from connectors.checks import Check
from connectors.errors import ConfigError
from ingest import tokens
from ingest.connecting import connector_for
from ingest.models import Source


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
