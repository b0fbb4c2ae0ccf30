"""Which way in a source's credentials take, said by `mode` or found by what fits."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connectors.base import AuthMode, Config, Json
from connectors.errors import ConfigError

Model = TypeVar("Model", bound=Config)


def checked_settings(model: type[Model], values: Json, what: str) -> Model:
    """:raises ConfigError: naming each setting that is unknown, missing or malformed"""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        verb = "are" if issubclass(model, AuthMode) else "is"
        raise ConfigError(f"{what} {verb} not usable: {_problems(error, model)}") from None


def credentials_of(modes: Sequence[type[AuthMode]], values: Json, what: str) -> AuthMode:
    """
    Return the credentials as the mode they say, or as the one they fit.

    :raises ConfigError: if they fit none or several
    """
    given = {name: value for name, value in values.items() if name != "mode"}
    if "mode" in values or len(modes) == 1:
        mode = _named(modes, values["mode"], what) if "mode" in values else modes[0]
        return checked_settings(mode, given, what)
    fitting = [mode for mode in modes if _fits(mode, given)]
    if len(fitting) == 1:
        return checked_settings(fitting[0], given, what)
    known = "; ".join(f"{mode.mode} ({fields_shown(mode)})" for mode in modes)
    if fitting:
        names = ", ".join(mode.mode for mode in fitting)
        raise ConfigError(f'{what} fit several modes: {names}. Say which: "mode": "{fitting[0].mode}".')
    near = [mode for mode in modes if set(given) & _names(mode)]
    if len(near) == 1:
        return checked_settings(near[0], given, what)
    raise ConfigError(f"{what} fit none of the modes. Give what one of them takes: {known}.")


def fields_shown(model: type[Config]) -> str:
    """Return the names of a model's fields, for people."""
    fields = model.model_fields.items()
    named = [(field.alias or name) + (" (required)" if field.is_required() else "") for name, field in fields]
    return ", ".join(named) or "nothing"


def _named(modes: Sequence[type[AuthMode]], name: object, what: str) -> type[AuthMode]:
    found = {mode.mode: mode for mode in modes}.get(str(name))
    if found is None:
        raise ConfigError(f"{what}: there is no such mode. Known: {', '.join(mode.mode for mode in modes)}.")
    return found


def _fits(mode: type[AuthMode], given: Json) -> bool:
    try:
        mode.model_validate(dict(given))
    except ValidationError:
        return False
    return True


def _names(model: type[Config]) -> set[str]:
    aliases = {field.alias for field in model.model_fields.values() if field.alias}
    return {*model.model_fields, *aliases}


def _problems(error: ValidationError, model: type[Config]) -> str:
    # The values stay out of the message: they may be secrets.
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{_place(problem['loc'])}: {_told(problem, model)}" for problem in found)


def _place(loc: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in loc) or "value"


def _told(problem: ErrorDetails, model: type[Config]) -> str:
    if problem["type"] != "extra_forbidden":
        return problem["msg"].removeprefix("Value error, ")
    meant = get_close_matches(str(problem["loc"][0]), _names(model), n=1) if len(problem["loc"]) == 1 else []
    return f"there is no such setting; did you mean {meant[0]}?" if meant else "there is no such setting"
