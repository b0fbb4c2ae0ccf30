"""addsource: configure an account at a provider, checked before anything is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.db import transaction
from django.utils import timezone

from connectors import all_connectors
from connectors.errors import ConfigError
from ingest import schedules, tokens
from ingest.connecting import connector_for, lay_out_streams
from ingest.management.base import Exit, SyncCommand, refuse
from ingest.models import Source, SourceStream


class Command(SyncCommand):
    help = "Add a source, or give one a new config with --replace. Its streams start at the next tick."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="short name, say shopify-eu")
        parser.add_argument("connector", help="one of: " + ", ".join(all_connectors()))
        parser.add_argument(
            "--config",
            required=True,
            metavar="JSON|FILE",
            help="settings: a JSON object or a file that holds one",
        )
        parser.add_argument(
            "--credentials",
            metavar="FILE|-",
            help="a file with a JSON object of secrets, or - to read it from stdin",
        )
        when = parser.add_mutually_exclusive_group()
        when.add_argument("--schedule", help='"every 15m" or "0 3 * * *" (UTC) for all streams')
        when.add_argument(
            "--no-schedule",
            dest="schedule",
            action="store_const",
            const="",
            help="streams run only when started by hand",
        )
        parser.add_argument(
            "--replace",
            action="store_true",
            help="if there is a source of this name, update it instead of refusing",
        )

    def act(
        self,
        *,
        name: str,
        connector: str,
        config: str,
        credentials: str | None,
        schedule: str | None,
        replace: bool,
        **options: Any,
    ) -> Exit:
        _check_schedule(schedule)
        source = _source(name, connector, may_exist=replace)
        source.config = _read_config(config)
        if credentials is not None:
            source.credentials = _read_credentials(credentials)
        offered = _offered(source)
        with transaction.atomic():
            is_new = source.pk is None
            source.save()
            if credentials is not None:
                tokens.let_ask_again(source.pk)
            streams = _lay_out(source, offered, schedule)
        if options["json"]:
            self.write_json(
                {"source": name, "is_new": is_new, "streams": [_stream_json(one) for one in streams]}
            )
        else:
            self._tell(source, streams, is_new=is_new)
        return Exit.OK

    def _tell(self, source: Source, streams: list[SourceStream], *, is_new: bool) -> None:
        self.stdout.write(
            f"{'Added' if is_new else 'Updated'} {source.name} ({source.connector}) with these streams:"
        )
        rows = [(one.name, one.kind, one.schedule or "by hand", one.is_enabled) for one in streams]
        self.write_table(["stream", "kind", "schedule", "enabled"], rows)
        if any(one.next_run_at for one in streams):
            self.stdout.write("They start at the next tick, if a worker and beat are running.")
        self.stdout.write(f"To sync now and watch: python manage.py sync {source.name} --wait   (or --here)")


def _source(name: str, connector: str, *, may_exist: bool) -> Source:
    source = Source.objects.filter(name=name).first()
    if source is None:
        return Source(name=name, connector=connector)
    if not may_exist:
        refuse(
            f"There is a source {name!r} already ({source.connector}). "
            "Choose another name, or update it with --replace."
        )
    if source.connector != connector:
        refuse(f"{name} is a {source.connector} source and cannot become {connector}: choose another name.")
    return source


def _read_config(given: str) -> dict[str, Any]:
    if given.lstrip().startswith(("{", "[")):
        return _parse(given, "--config", is_secret=False)
    return _parse(_read_file(given, "--config"), given, is_secret=False)


def _read_credentials(given: str) -> dict[str, Any]:
    if given.lstrip().startswith(("{", "[")):
        refuse(
            "--credentials takes a file or -, not the secrets themselves: a command line is seen in the "
            "shell's history and in the list of processes."
        )
    text = sys.stdin.read() if given == "-" else _read_file(given, "--credentials")
    return _parse(text, "credentials from stdin" if given == "-" else given, is_secret=True)


def _read_file(given: str, option: str) -> str:
    try:
        return Path(given).read_text(encoding="utf-8-sig")
    except OSError as error:
        refuse(
            f"{option}: cannot read {given!r} ({error.strerror}). Give the path of a file that holds JSON."
        )
    except UnicodeDecodeError as error:
        refuse(f"{option}: {given} is not UTF-8 text (byte {error.start}). Save it as UTF-8.")


def _parse(text: str, where: str, *, is_secret: bool) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        line = text.splitlines()[error.lineno - 1] if text.strip() and not is_secret else ""
        near = f" near {line[max(0, error.colno - 20) : error.colno + 20]!r}" if line else ""
        refuse(f"{where} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}{near}.")
    except (ValueError, RecursionError) as error:
        refuse(f"{where} is not usable JSON: {error}.")
    if not isinstance(value, dict):
        refuse(f'{where} must be a JSON object such as {{"key": "value"}}, not {type(value).__name__}.')
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_schedule(schedule: str | None) -> None:
    try:
        schedules.check(schedule or "")
    except schedules.BadSchedule as error:
        refuse(f"--schedule: {error}")


def _offered(source: Source) -> frozenset[str]:
    """
    Return the names of the streams that the source's settings offer.

    :raises ConfigError: if the connector does not take them
    """
    try:
        source.clean_fields(exclude=["credentials"])
    except ValidationError as error:
        refuse("; ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items()))
    try:
        connector = connector_for(source)
    except ConfigError as error:
        if "credentials" in str(error) and not source.credentials:
            raise ConfigError(
                f"{error}. Give them with --credentials FILE, or --credentials - for stdin."
            ) from None
        raise
    try:
        return frozenset(stream.name for stream in connector.streams())
    finally:
        connector.close()


def _lay_out(source: Source, offered: frozenset[str], schedule: str | None) -> list[SourceStream]:
    """Make the rows of the streams; new ones are due now unless they run by hand only."""
    known = set(source.streams.values_list("name", flat=True))
    streams = lay_out_streams(source)
    for stream in streams:
        if schedule is not None:
            stream.schedule = schedule
        if stream.name not in known or schedule is not None:
            stream.next_run_at = timezone.now() if stream.schedule else None
        # What the new config no longer names would only fail, run after run.
        stream.is_enabled = stream.is_enabled and stream.name in offered
        stream.save(update_fields=["schedule", "next_run_at", "is_enabled"])
    return streams


def _stream_json(stream: SourceStream) -> dict[str, Any]:
    return {
        "name": stream.name,
        "kind": stream.kind,
        "schedule": stream.schedule,
        "is_enabled": stream.is_enabled,
        "next_run_at": stream.next_run_at,
    }
