"""From a payload of any shape to a refined kind, by a table of paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from connectors.base import Json
from connectors.errors import ConfigError, RecordError
from connectors.kinds import KIND_ALIASES, KINDS, Kind, build, kind_named, mappable_fields
from connectors.paths import steps_of, walk

Getter = Callable[[Json], Any]

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_QUOTED = re.compile(r'"([^"\\]+)"')


class FieldMapping:
    """Fills a kind: each of our fields from a JMESPath into the payload, of which dotted paths are a part."""

    def __init__(
        self,
        *,
        kind: str,
        mapping: Mapping[str, str],
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Take our field -> path, and our field -> the value where the payload has none.

        :raises ConfigError: naming the kind, field or path that is not usable
        """
        self.kind = _kind(kind)
        _check_fields(self.kind, {**mapping, **(defaults or {})})
        self._defaults = dict(defaults or {})
        self._getters = {field: _getter(field, path) for field, path in mapping.items()}

    def refine(self, payload: Json) -> Kind:
        """:raises RecordError: naming the field and the value that does not fit"""
        values = dict(self._defaults)
        for field, get in self._getters.items():
            try:
                value = get(payload)
            except JMESPathError as error:
                raise RecordError(f"{field}: the path does not fit this record: {error}") from None
            if value is not None:
                values[field] = value
        return build(self.kind, values)


def _kind(name: str) -> type[Kind]:
    try:
        return kind_named(name)
    except KeyError:
        known = ", ".join(sorted({*KINDS, *KIND_ALIASES}))
        raise ConfigError(f"targetTable: there is no kind {name!r}. Known: {known}.") from None


def _check_fields(kind: type[Kind], values: Mapping[str, Any]) -> None:
    possible = mappable_fields(kind)
    unknown = sorted(set(values) - possible)
    if unknown:
        known = ", ".join(sorted(possible))
        raise ConfigError(f"{kind.kind} has no field {', '.join(unknown)} to map to. Possible: {known}.")


def _getter(field: str, path: str) -> Getter:
    quoted = _QUOTED.fullmatch(path)
    if quoted:
        return partial(walk, steps=(quoted[1],))
    if _DOTTED.fullmatch(path):
        return partial(walk, steps=steps_of(path))
    try:
        return jmespath.compile(path).search
    except JMESPathError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{field}: {path!r} is not a path ({reason}); quote odd names: '\"a name\"'"
        ) from None
