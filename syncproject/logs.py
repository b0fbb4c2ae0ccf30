"""Log lines: constant messages, so that they group, with the facts behind them as name=value."""

from __future__ import annotations

import logging

# What every record has; the rest was given as `extra`. Django gives the request, whose text holds the whole
# address: the one-time code that a provider sends a person back with, for one.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data", "request"}


class FactsFormatter(logging.Formatter):
    """Writes `2026-01-31 10:00:00,000 INFO ingest.jobs job ended job=7 status=SUCCEEDED`."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in vars(record).items() if name not in _OWN}
        whole = super().format(record)
        if not facts:
            return whole
        first, newline, rest = whole.partition("\n")
        told = " ".join(f"{name}={_one_line(value)}" for name, value in facts.items())
        return f"{first} {told}{newline}{rest}"


def _one_line(value: object) -> str:
    # A provider's text must not be able to forge a line of its own.
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)
