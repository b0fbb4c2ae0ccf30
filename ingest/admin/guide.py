"""What a connector takes, beside the form: an example of its settings, its ways in, and what each is for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from connectors import all_connectors
from connectors.base import Connector
from connectors.describing import Mode, Setting, settings_of, ways_in

#: Stands where a secret belongs; as a credential it is refused.
PLACEHOLDER = "..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One of the ways in, and the credentials to give for it."""

    title: str
    needs_page: bool
    text: str
    takes: Sequence[tuple[str, SafeString]]


def of_settings(*names: str, is_new: bool) -> SafeString:
    """Return the guide to the settings of these connectors; the page shows that of the one chosen."""
    guides = [_settings(name, cls) for name, cls in _rooms(names)]
    return render_to_string("ingest/admin/guide_settings.html", {"guides": guides, "is_new": is_new})


def of_credentials(*names: str, is_new: bool) -> SafeString:
    """Return the guide to the ways in; that of a source which has credentials is folded away."""
    guides = [_ways(name, cls) for name, cls in _rooms(names)]
    return render_to_string("ingest/admin/guide_credentials.html", {"guides": guides, "is_new": is_new})


def placeholders(credentials: dict[str, Any]) -> list[str]:
    """Return the names of those that nobody has filled in."""
    return [name for name, value in credentials.items() if value == PLACEHOLDER]


def _rooms(names: Sequence[str]) -> Iterator[tuple[str, type[Connector]]]:
    known = all_connectors()
    return ((name, known[name]) for name in names if name in known)


def _settings(name: str, cls: type[Connector]) -> dict[str, Any]:
    known = settings_of(cls.config_model)
    example = json.dumps(dict(cls.example), indent=2, ensure_ascii=False)
    return {"name": name, "title": cls.title, "text": example, "takes": [_meaning(one) for one in known]}


def _ways(name: str, cls: type[Connector]) -> dict[str, Any]:
    known = ways_in(cls)
    must_say = sum(1 for mode in known if mode.settings) > 1
    return {"name": name, "title": cls.title, "ways": [_way(mode, must_say=must_say) for mode in known]}


def _way(mode: Mode, *, must_say: bool) -> Way:
    needed = {one.name: PLACEHOLDER for one in mode.settings if one.is_required}
    said = {"mode": mode.name} if must_say else {}
    return Way(
        title=mode.title,
        needs_page=mode.needs_page,
        text=json.dumps({**said, **needed}) if needed else "",
        takes=[_meaning(one) for one in mode.settings],
    )


def _meaning(setting: Setting) -> tuple[str, SafeString]:
    choices = f"One of {', '.join(f'`{choice}`' for choice in setting.choices)}." if setting.choices else ""
    notes = [setting.told, choices, "Required." if setting.is_required else _default(setting.default)]
    return setting.name, _marked(" ".join(note for note in notes if note))


def _default(value: Any) -> str:
    if value in (None, "", (), {}, [], False):
        return ""
    return f"Default `{value if isinstance(value, str) else json.dumps(value, default=str)}`."


def _marked(told: str) -> SafeString:
    """Return the text with what stands between backticks as code."""
    parts = [("code" if number % 2 else "span", part) for number, part in enumerate(told.split("`"))]
    return format_html("{}", format_html_join("", "<{0}>{1}</{0}>", ((tag, part) for tag, part in parts)))
