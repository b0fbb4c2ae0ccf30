"""What all commands share: exit codes, `--json`, and errors in one line instead of a stack trace."""

from __future__ import annotations

import io
import logging
import os
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
    OutputWrapper,
)
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError

from connectors import exact_json
from connectors.errors import ConnectorError
from ingest.management.text import one_line, write_table
from ingest.models import Source, SourceStream


class Exit(IntEnum):
    """How a command ended. The text below stands in every --help."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    INTERRUPTED = 130


EXIT_CODES = """\
exit codes:
  0    all went well; every job that was waited for SUCCEEDED
  1    a job ended FAILED, CANCELLED or QUARANTINED, or what was asked for could not be done
  2    the command line or a setting is wrong; nothing was changed
  3    a job ended PARTIAL: some records are dead letters, or fewer arrived than the source has
  130  interrupted with Ctrl-C
"""


def refuse(message: str) -> NoReturn:
    """:raises CommandError: always; the command line or a setting is wrong"""
    raise CommandError(one_line(message), returncode=Exit.USAGE)


class Terminal:
    """stdout or stderr without what Django adds: line ends, and the colour of alarm."""

    def __init__(self, wrapper: OutputWrapper) -> None:
        self._wrapper = wrapper

    def write(self, text: str) -> None:
        self._wrapper.write(text, style_func=str, ending="")
        self._wrapper.flush()  # in a pipe, too, progress is of use only while it is made

    def flush(self) -> None:
        self._wrapper.flush()

    def isatty(self) -> bool:
        return self._wrapper.isatty()


class SyncCommand(BaseCommand):
    """A command of this project: `act` does the work and returns how it ended."""

    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        shown: dict[str, Any] = {"epilog": EXIT_CODES, "formatter_class": _Formatter, **kwargs}
        return super().create_parser(prog_name, subcommand, **shown)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object per line")

    def act(self, *args: Any, **options: Any) -> Exit:
        """Do what the command is for."""
        raise NotImplementedError

    def handle(self, *_: Any, **options: Any) -> None:
        _settle_encoding(is_json=options.get("json", False))
        code = self._guarded(options)
        if code:
            raise SystemExit(int(code))

    @property
    def aside(self) -> Terminal:
        """Where people are told what is not the result; it never gets into a pipe."""
        return Terminal(self.stderr)

    def say(self, text: str) -> None:
        self.aside.write(f"{text}\n")

    def write_table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        write_table(Terminal(self.stdout), columns, rows)

    def write_json(self, value: Any) -> None:
        self.stdout.write(exact_json.dumps(value).decode())

    def _guarded(self, options: dict[str, Any]) -> Exit:
        try:
            with _errors_in_one_line(), log_from(logging.WARNING):
                return self.act(**options)
        except KeyboardInterrupt:
            return Exit.INTERRUPTED
        except BrokenPipeError:
            # The reader has seen enough (`| head`); Python would complain when it flushes at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.OK


class _Formatter(RawDescriptionHelpFormatter, DjangoHelpFormatter):
    """Keeps the lines of the exit codes apart, and Django's own options at the end."""


@contextmanager
def log_from(level: int) -> Iterator[None]:
    """Log nothing below this level for a while: what commands do they tell in their own words."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(max(level, before))
    try:
        yield
    finally:
        root.setLevel(before)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except (ConnectorError, ImproperlyConfigured) as error:
        raise CommandError(one_line(str(error)), returncode=Exit.USAGE) from None
    except (DatabaseError, InterfaceError) as error:
        raise CommandError(_database_trouble(error), returncode=Exit.FAILED) from None


def _database_trouble(error: Exception) -> str:
    reason = one_line(str(error))
    if isinstance(error, ProgrammingError):
        return f"The database does not fit this code ({reason}). Run: python manage.py migrate"
    if isinstance(error, OperationalError | InterfaceError):
        return f"PostgreSQL did not answer ({reason}). Run `make up`, or check DATABASE_URL, then try again."
    return f"PostgreSQL refused ({reason}). If it stays so, report it with the command you typed."


def _settle_encoding(*, is_json: bool) -> None:
    """JSON is always UTF-8; for people, what their terminal cannot show is escaped rather than fatal."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if is_json:
            sys.stdout.reconfigure(encoding="utf-8")
        else:
            sys.stdout.reconfigure(errors="backslashreplace")


def source_named(name: str) -> Source:
    """:raises CommandError: naming the sources there are, if this is none of them"""
    found = Source.objects.defer("credentials").filter(name=name).first()
    if found is None:
        names = ", ".join(Source.objects.order_by("name").values_list("name", flat=True)[:20])
        refuse(f"There is no source {name!r}. {_there_are(names)}")
    return found


def _there_are(names: str) -> str:
    return f"There are: {names}." if names else "Make one with: python manage.py addsource NAME CONNECTOR ..."


def streams_named(source: Source | None, names: list[str]) -> list[SourceStream]:
    """
    Return the streams of these names, of one source or of all; none named means all there are.

    :raises CommandError: naming the streams there are, if one is not among them
    """
    streams = (
        SourceStream.objects.select_related("source").defer("source__credentials").order_by("name", "id")
    )
    if source is not None:
        streams = streams.filter(source=source)
    found = [stream for stream in streams if not names or stream.name in names]
    for name in names:
        if name not in {stream.name for stream in found}:
            known = ", ".join(sorted({stream.name for stream in streams}))
            where = f"in source {source.name}" if source else "in any source"
            refuse(f"There is no stream {name!r} {where}. There are: {known or 'none'}.")
    return found
