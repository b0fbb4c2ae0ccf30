"""What a connector offers, in words made from its code: for `manage.py describe` and the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from connectors import exact_json
from connectors.base import Access, AuthMode, Connector, Stream
from connectors.errors import RecordError
from connectors.kinds import KINDS
from connectors.provenance import Provenance, provenance

DOTS = "..."
LEGEND = (
    "*Changes by*: the provider's time of change, by which a run asks for what is new; `-`: the listing"
    " cannot be asked so. *Deletes*: `tombstones` come with the pages, `full pass` is inferred from a"
    " complete full refresh, `none` is not heard of."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting or credential; within others its name has dots."""

    name: str
    is_required: bool
    default: Any
    #: What it may be, where that is a closed list.
    choices: tuple[str, ...]
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    name: str
    title: str
    needs_page: bool
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A connector."""

    name: str
    title: str
    example: str
    settings: tuple[Setting, ...]
    modes: tuple[Mode, ...]
    #: Empty where the settings of a source name its streams.
    streams: tuple[Stream, ...]
    fields: dict[str, Provenance]


def describe(cls: type[Connector]) -> Described:
    """:raises ConfigError: if the connector's own example does not suit it"""
    is_configured = "streams" in cls.config_model.model_fields
    streams = () if is_configured else _streams(cls)
    return Described(
        name=cls.name,
        title=cls.title,
        example=exact_json.dumps(dict(cls.example)).decode(),
        settings=settings_of(cls.config_model),
        modes=ways_in(cls),
        streams=streams,
        fields={stream.name: provenance(stream.refine) for stream in streams},
    )


def settings_of(model: type[BaseModel]) -> tuple[Setting, ...]:
    """Return what the model takes, settings within settings after theirs."""
    return tuple(_settings(model))


def ways_in(cls: type[Connector]) -> tuple[Mode, ...]:
    return tuple(
        Mode(name=mode.mode, title=mode.title, needs_page=mode.connects, settings=settings_of(mode))
        for mode in cls.auth_modes
    )


def _streams(cls: type[Connector]) -> tuple[Stream, ...]:
    connector = cls(
        config=cls.config_model.model_validate(dict(cls.example)),
        credentials=_placeholder(cls.auth_modes[0]),
        access=Access(),
    )
    try:
        return connector.streams()
    finally:
        connector.close()


def _placeholder(mode: type[AuthMode]) -> AuthMode:
    """Return credentials that open nothing; streams are the same with any."""
    required = {name: setting for name, setting in mode.model_fields.items() if setting.is_required()}
    values: dict[str, Any] = {
        name: SecretStr(DOTS) if setting.annotation is SecretStr else DOTS
        for name, setting in required.items()
    }
    return mode.model_construct(**values)


def _settings(model: type[BaseModel], place: str = "") -> Iterator[Setting]:
    for name, setting in model.model_fields.items():
        shown = f"{place}{setting.alias or name}"
        inner = [one for one in _parts(setting.annotation) if _is_model(one)]
        # Settings of one stream may stand at the top level, and that is how most sources have them.
        if shown != "streams":
            yield _setting(shown, setting)
        for nested in inner:
            yield from _settings(nested, "" if shown == "streams" else f"{shown}.")


def _setting(shown: str, setting: FieldInfo) -> Setting:
    default = None if setting.is_required() else setting.get_default(call_default_factory=True)
    is_shown = not isinstance(default, BaseModel | SecretStr | SecretBytes)
    literals = [part for part in _parts(setting.annotation) if get_origin(part) is Literal]
    choices = [one for literal in literals for one in get_args(literal)]
    return Setting(
        name=shown,
        is_required=setting.is_required(),
        default=default if is_shown else None,
        choices=tuple(str(one) for one in choices if one),
        told=" ".join((setting.description or "").split()),
    )


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    if get_origin(hint) is not Literal:
        for inner in get_args(hint):
            yield from _parts(inner)


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def markdown(one: Described) -> str:
    """Return the description as Markdown."""
    parts = [*_connecting(one), *_offered(one)]
    return "\n\n".join(parts) + "\n"


def _connecting(one: Described) -> Iterator[str]:
    yield "## Settings"
    yield f"```\nmanage.py addsource NAME {one.name} --config '{one.example}'\n```"
    yield _table(("setting", "meaning"), [_meaning(setting) for setting in one.settings])
    yield "## Credentials"
    rows = [row for mode in one.modes for row in _way_in(mode)]
    yield _table(("way in", "takes", "meaning"), rows)


def _way_in(mode: Mode) -> Iterator[tuple[str, str, str]]:
    title = f"{mode.title}; the source's page in the admin has a Connect button" * mode.needs_page
    yield f"`{mode.name}`", "" if mode.settings else "nothing", title or mode.title
    for setting in mode.settings:
        yield "", *_meaning(setting)


def _meaning(setting: Setting) -> tuple[str, str]:
    notes = [setting.told]
    if setting.choices:
        notes.append(f"One of {', '.join(f'`{choice}`' for choice in setting.choices)}.")
    if setting.is_required:
        notes.append("Required.")
    elif setting.default not in (None, "", (), {}, [], False):
        notes.append(f"Default `{_shown(setting.default)}`.")
    return f"`{setting.name}`", " ".join(note for note in notes if note)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    with suppress(RecordError):
        return exact_json.dumps(value).decode()
    return str(value)


def _offered(one: Described) -> Iterator[str]:
    yield "## Streams"
    if not one.streams:
        yield "Streams, kinds and fields are what the settings of the source say."
        return
    columns = ("stream", "kinds", "key", "changes by", "ways", "deletes", "page", "scopes")
    yield _table(columns, [_row(stream, one.fields[stream.name]) for stream in one.streams])
    yield LEGEND
    for name, found in one.fields.items():
        yield f"### Fields of `{name}`"
        yield from _fields(found)


def _row(stream: Stream, found: Provenance) -> tuple[str, ...]:
    changes = (f"`{stream.cursor_field}`" if stream.cursor_field else "yes") if stream.is_incremental else "-"
    kinds = dict.fromkeys([stream.kind, *found.sources])
    return (
        f"`{stream.name}`",
        ", ".join(kinds),
        ", ".join(f"`{name}`" for name in stream.key),
        changes,
        ", ".join(stream.ways),
        stream.deletes.value,
        str(stream.page_size),
        ", ".join(f"`{scope}`" for scope in stream.scopes) or "-",
    )


def _fields(found: Provenance) -> Iterator[str]:
    rows = [
        (kind, name, _origin(found, kind, name))
        for kind in {**found.sources, **found.fixed}
        for name in KINDS[kind].__struct_fields__
        if name in found.sources.get(kind, {}) or name in found.fixed.get(kind, {})
    ]
    yield _table(("kind", "our field", "from"), rows) if rows else "As the settings say."
    if not found.is_complete:
        yield "There was more to try than is tried: something may be missing here."
    if found.unseen:
        yield f"Looked at, too: {', '.join(f'`{path}`' for path in found.unseen)}."


def _origin(found: Provenance, kind: str, name: str) -> str:
    paths = found.sources.get(kind, {}).get(name)
    return ", ".join(f"`{path}`" for path in paths) if paths else f"always `{found.fixed[kind][name]}`"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "None."
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
