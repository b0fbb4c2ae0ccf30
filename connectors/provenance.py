"""
Which fields of a payload decide which fields of a kind: found by trying, so that it cannot be out of date.

A refine function is handed a payload that has whatever it asks for. What it asks for is noted; then one
answer after the other is changed, and what changes in the kind depends on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from types import CodeType, FunctionType
from typing import Any

from msgspec import structs

from connectors.kinds import Kind

Refine = Callable[[Mapping[str, Any]], Kind]
#: What a path answers; a stand-in for a value that is made when it is asked for.
Choices = dict[str, Any]

MOST_STARTS = 60
MOST_TRIES = 16_000
MOST_CONSTANTS = 250
#: A change that turns most of a kind over says what the record is, not what its fields hold.
MOST_TURNED = 0.6

OBJECT, LIST, TEXTS, ABSENT = object(), object(), object(), object()
WORD, NUMBER, TIME = "word", "number", "time"
OTHER_WORD, OTHER_NUMBER, OTHER_TIME = "other word", "other number", "other time"
OTHERS = {WORD: OTHER_WORD, NUMBER: OTHER_NUMBER, TIME: OTHER_TIME, True: False}
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Provenance:
    """Where the fields of the kinds that one stream fills come from, by the kinds' names."""

    #: The paths that decide a field, in the order in which they are asked for.
    sources: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    #: Fields that hold the same whatever the payload says.
    fixed: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Asked for, but nothing was seen to depend on them.
    unseen: list[str] = field(default_factory=list)


def provenance(refine: Refine) -> Provenance:
    """Return what was found out; nothing, where the function accepts no payload we can think of."""
    search = _Search(refine)
    search.go()
    return search.found


class _Payload(dict[str, Any]):
    """An object that has whatever it is asked for, as far as the choices say."""

    def __init__(self, run: _Run, place: str = "") -> None:
        super().__init__()
        self._run, self._place = run, place

    def get(self, name: str, default: Any = None) -> Any:
        value = self._run.answer(f"{self._place}{name}")
        return default if value is None else value

    def __getitem__(self, name: str) -> Any:
        value = self._run.answer(f"{self._place}{name}")
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return self._run.answer(f"{self._place}{name}") is not None

    def __bool__(self) -> bool:
        return True


@dataclass(slots=True)
class _Run:
    """One try: what was answered, in which order, and what came of it."""

    choices: Choices
    #: A path's answer must not depend on what else was asked for.
    numbers: dict[str, int]
    asked: dict[str, Any] = field(default_factory=dict)
    kind: Kind | None = None

    def answer(self, path: str) -> Any:
        choice = self.choices.get(path, "EUR" if "currency" in path.lower() else WORD)
        self.asked.setdefault(path, choice)
        number = self.numbers.setdefault(path, len(self.numbers))
        if choice is ABSENT or path.count(".") > 6:
            return None
        if choice is OBJECT:
            return _Payload(self, f"{path}.")
        if choice is LIST:
            return [_Payload(self, f"{path}[].")]
        if choice is TEXTS:
            return [f"one{number}", f"two{number}"]
        made: dict[Any, Any] = {
            WORD: f"w{number}",
            OTHER_WORD: f"x{number}",
            NUMBER: str(1_000 + number),
            OTHER_NUMBER: str(2_000 + number),
            TIME: (FIRST_DAY + timedelta(hours=number)).isoformat(),
            OTHER_TIME: (FIRST_DAY + timedelta(hours=number, days=90)).isoformat(),
        }
        return choice if isinstance(choice, bool) else made.get(choice, choice)


class _Search:
    """Goes from one payload that is understood to the next, while the room asks for something new."""

    def __init__(self, refine: Refine) -> None:
        self.found = Provenance()
        self._refine = refine
        self._constants = _constants_of(refine)
        self._tries = 0
        self._numbers: dict[str, int] = {}
        #: Paths that were asked for.
        self._known: dict[str, None] = {}
        self._starts: list[_Run] = []

    def go(self) -> None:
        self._start_from({})
        for start in self._starts:
            for path in list(start.asked):
                for choices in _variations(start, path, self._constants):
                    self._vary(start, path, choices)
        _finish(self.found, self._starts, list(self._known))

    def _vary(self, start: _Run, path: str, choices: Choices) -> None:
        after = self._try(choices)
        if after.kind is not None:
            _note(self.found, start, after, path)
        if after.asked.keys() - self._known.keys():
            self._start_from(choices)

    def _start_from(self, choices: Choices) -> None:
        """Change the answer that was asked for last until the function is content with all of them."""
        candidates = [NUMBER, TIME, OBJECT, LIST, True, "EUR", TEXTS, *self._constants, ABSENT]
        run = self._try(choices)
        while run.kind is None and run.asked and self._tries < MOST_TRIES:
            path, choice = list(run.asked.items())[-1]
            is_new = path not in choices
            place = -1 if is_new else next(at for at, one in enumerate(candidates) if one is choice)
            if place + 1 >= len(candidates):
                break
            choices = {**choices, path: candidates[place + 1]}
            run = self._try(choices)
        self._known.update(dict.fromkeys(run.asked))
        if run.kind is not None and len(self._starts) < MOST_STARTS:
            self._starts.append(run)

    def _try(self, choices: Choices) -> _Run:
        run = _Run(choices, self._numbers)
        self._tries += 1
        if self._tries <= MOST_TRIES:
            # A room may trip over anything; that it does is the finding.
            with suppress(Exception):
                run.kind = self._refine(_Payload(run))
        return run


def _variations(start: _Run, path: str, constants: Iterable[str]) -> Iterator[Choices]:
    choice = start.asked[path]
    alternatives: list[Any] = [ABSENT]
    if choice not in (OBJECT, LIST, TEXTS, ABSENT):
        alternatives += [OTHERS.get(choice, "USD"), True]
    if isinstance(choice, str) and choice not in (NUMBER, TIME):
        # Some read what is within only where there is something.
        alternatives += [OBJECT, LIST, *constants]
    return ({**start.choices, path: alternative} for alternative in alternatives)


def _note(found: Provenance, before: _Run, after: _Run, path: str) -> None:
    assert before.kind is not None  # noqa: S101 - for the type checker
    assert after.kind is not None  # noqa: S101
    if before.asked[path] in (OBJECT, LIST) or after.choices[path] in (OBJECT, LIST):
        return  # what is inside decides
    changed = list(_changed(before.kind, after.kind))
    given = [one for one in structs.astuple(before.kind) if one is not None]
    if len(changed) > 4 and len(changed) > MOST_TURNED * len(given):
        return
    for kind, name in changed:
        paths = found.sources.setdefault(kind, {}).setdefault(name, [])
        if path not in paths:
            paths.append(path)


def _changed(before: Kind, after: Kind) -> Iterator[tuple[str, str]]:
    for name in before.__struct_fields__:
        one, other = getattr(before, name), getattr(after, name, None)
        if name in before.children and one and other and len(one) == len(other):
            for child, changed in zip(one, other, strict=True):
                yield from _changed(child, changed)
        elif one != other:
            yield before.kind, name


def _finish(found: Provenance, starts: list[_Run], asked: list[str]) -> None:
    decided = {path for kind in found.sources.values() for paths in kind.values() for path in paths}
    inner = {path for start in starts for path, choice in start.asked.items() if choice in (OBJECT, LIST)}
    found.unseen = [path for path in asked if path not in decided | inner]
    kinds = [start.kind for start in starts if start.kind is not None]
    for kind in [*kinds, *(child for parent in kinds for child in _children(parent))]:
        for name, value in structs.asdict(kind).items():
            is_decided = name in found.sources.get(kind.kind, {}) or name in kind.children
            if value is not None and not is_decided:
                found.fixed.setdefault(kind.kind, {})[name] = value


def _children(kind: Kind) -> Iterator[Kind]:
    for name in kind.children:
        yield from getattr(kind, name) or ()


def _constants_of(refine: Refine) -> list[str]:
    """Return the texts that the room compares with or looks up: one of them may be what it waits for."""
    function: Any = refine
    while isinstance(function, partial):
        function = function.func
    room = ".".join(str(getattr(function, "__module__", "")).split(".")[:3])
    found: dict[str, None] = {}
    for name in [name for name in sys.modules if name == room or name.startswith(f"{room}.")]:
        for label, value in vars(sys.modules[name]).items():
            # Not __builtins__ and its like: they hold hundreds of names, and there is no time to try all.
            is_own = not label.startswith("__") and getattr(value, "__module__", name) == name
            found.update(dict.fromkeys(_texts_in(value) if is_own else ()))
    # A word that is one of our own choices would be taken for that one.
    usable = [text for text in found if 0 < len(text) <= 60 and text[0] != "_" and text not in OTHERS]
    return usable[:MOST_CONSTANTS]


def _texts_in(value: Any) -> Iterator[str]:
    inner: Iterable[Any] = ()
    if isinstance(value, str):
        yield value
    elif isinstance(value, CodeType):
        inner = value.co_consts
    elif isinstance(value, Mapping | frozenset | tuple | set | list):
        inner = value
    elif isinstance(value, FunctionType):
        inner = (value.__code__,)
    for one in inner:
        yield from _texts_in(one)
