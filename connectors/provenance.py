"""
Which fields of a payload decide which fields of a kind: found by trying, so that it cannot be out of date.

A refine function is handed a payload that has whatever it asks for. What it asks for is noted, and so are the
words it compares the answers with. An answer that comes out in the kind decides what it stands in; then one
answer after the other is changed, and what changes in the kind depends on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msgspec import structs

from connectors.kinds import Kind
from connectors.pretending import Answers, Choice, Run, Stand, marks_in, room_of

Refine = Callable[[Mapping[str, Any]], Kind]

MOST_TRIES = 10_000
#: A change that turns most of a kind over says what the record is, not what its fields hold.
MOST_TURNED = 0.6

OTHERS: Mapping[Choice, Choice] = {
    Stand.WORD: Stand.OTHER_WORD,
    Stand.NUMBER: Stand.OTHER_NUMBER,
    Stand.TIME: Stand.OTHER_TIME,
    Stand.CURRENCY: Stand.OTHER_CURRENCY,
    True: False,
}
CONTAINERS = (Stand.OBJECT, Stand.LIST)


@dataclass(slots=True)
class Provenance:
    """Where the fields of the kinds that one stream fills come from, by the kinds' names."""

    #: The paths that decide a field, in the order in which they are asked for.
    sources: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    #: Fields that hold the same whatever the payload says.
    fixed: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Asked for, but nothing was seen to depend on them.
    unseen: list[str] = field(default_factory=list)
    #: False where there was more to try than we try.
    is_complete: bool = True


def provenance(refine: Refine) -> Provenance:
    """Return what was found out; nothing, where the function accepts no payload we can think of."""
    search = _Search(refine)
    search.go()
    return search.found


@dataclass(slots=True)
class _Try:
    """A payload, and what was understood of it."""

    run: Run
    kind: Kind | None = None


class _Search:
    """Goes from one payload that is understood to the next, while the room asks for something new."""

    def __init__(self, refine: Refine) -> None:
        self.found = Provenance()
        self._refine = refine
        self._answers = Answers(room_of(_module_of(refine)), self._hear)
        self._tries = 0
        #: Paths that were asked for.
        self._known: dict[str, None] = {}
        #: Those of them that had an answer in one of the starts, and which.
        self._understood: dict[str, Choice] = {}
        self._starts: list[_Try] = []
        #: The words that each path was held against.
        self._words: dict[str, dict[str, None]] = {}
        self._todo: deque[tuple[_Try, str, Choice]] = deque()

    def go(self) -> None:
        self._start_from({})
        while self._todo:
            start, path, choice = self._todo.popleft()
            after = self._try({**start.run.choices, path: choice})
            if after.kind is not None:
                self._note_change(start, after, path)
            if self._leads_on(after, path):
                self._start_from(after.run.choices)
            if not self._todo:
                self._look_behind()
        self.found.is_complete = self._tries < MOST_TRIES
        self._finish()

    def _leads_on(self, after: _Try, path: str) -> bool:
        if after.kind is not None:
            return bool(after.run.given() - self._understood.keys())
        # Refused for something else than what was changed, or after what nobody has asked for yet.
        return after.run.last != path or bool(after.run.asked.keys() - self._known.keys())

    def _start_from(self, choices: dict[str, Choice]) -> None:
        """Change the answer that was asked for last until the function is content with all of them."""
        made = self._try(choices)
        while made.kind is None and made.run.asked and self._tries < MOST_TRIES:
            path, choice = made.run.last, made.run.asked[made.run.last]
            candidates = self._candidates(path)
            is_candidate = path in choices and choice in candidates
            place = candidates.index(choice) if is_candidate else -1
            if place + 1 >= len(candidates):
                break
            choices = {**choices, path: candidates[place + 1]}
            made = self._try(choices)
        self._known.update(dict.fromkeys(made.run.asked))
        if made.kind is not None and made.run.given() - self._understood.keys():
            self._starts.append(made)
            for path in made.run.asked:
                self._todo += [(made, path, other) for other in self._alternatives(made, path)]
            for path in made.run.given():
                self._understood.setdefault(path, made.run.asked[path])

    def _candidates(self, path: str) -> list[Choice]:
        first = (Stand.NUMBER, Stand.TIME, *CONTAINERS, True, Stand.CURRENCY, Stand.TEXTS)
        return [*first, *self._words.get(path, ()), Stand.ABSENT]

    def _alternatives(self, start: _Try, path: str) -> Iterator[Choice]:
        choice = start.run.asked[path]
        yield self._understood.get(path, Stand.ABSENT) if choice is Stand.ABSENT else Stand.ABSENT
        if choice in (*CONTAINERS, Stand.TEXTS, Stand.ABSENT):
            return
        yield OTHERS.get(choice, Stand.WORD)
        is_text = isinstance(choice, str) or choice is Stand.WORD
        if path not in self._understood:
            # Some read what is within only where there is something.
            yield from (True, *(CONTAINERS if is_text else ()))
        yield from self._words.get(path, ()) if is_text else ()

    def _look_behind(self) -> None:
        """Change what has had no effect where another answer is absent, as that one may hide it."""
        for start in self._starts:
            unseen = [path for path in self._unseen() if path in start.run.asked]
            for hiding in start.run.asked if unseen else ():
                bare = self._try({**start.run.choices, hiding: Stand.ABSENT})
                for path in unseen if bare.kind is not None else ():
                    if path in bare.run.asked and path != hiding:
                        self._vary(bare, path)

    def _vary(self, start: _Try, path: str) -> None:
        for choice in self._alternatives(start, path):
            after = self._try({**start.run.choices, path: choice})
            if after.kind is not None:
                self._note_change(start, after, path)

    def _try(self, choices: dict[str, Choice]) -> _Try:
        made = _Try(Run(self._answers, choices))
        self._tries += 1
        if self._tries > MOST_TRIES:
            return made
        # A room may trip over anything; that it does is the finding.
        with suppress(Exception):
            made.kind = self._refine(made.run.payload())
        if made.kind is not None:
            self._note_values(made.kind)
        return made

    def _hear(self, path: str, word: str) -> None:
        words = self._words.setdefault(path, {})
        if word not in words:
            words[word] = None
            self._todo += [(start, path, word) for start in self._starts if path in start.run.asked]

    # What came of it

    def _note_values(self, made: Kind) -> None:
        """Note what went through: it stands in the kind as it was answered."""
        for kind, name, value in _values(made):
            for mark in marks_in(value):
                if mark in self._answers.marks:
                    self._note(kind, name, self._answers.marks[mark])

    def _note_change(self, before: _Try, after: _Try, path: str) -> None:
        assert before.kind is not None  # noqa: S101 - for the type checker
        assert after.kind is not None  # noqa: S101
        if before.run.asked[path] in CONTAINERS or after.run.choices[path] in CONTAINERS:
            return  # what is inside decides
        changed = list(_changed(before.kind, after.kind))
        given = [one for one in structs.astuple(before.kind) if one is not None]
        if len(changed) > 4 and len(changed) > MOST_TURNED * len(given):
            return
        for kind, name in changed:
            self._note(kind, name, path)

    def _note(self, kind: str, name: str, path: str) -> None:
        paths = self.found.sources.setdefault(kind, {}).setdefault(name, [])
        if path not in paths:
            paths.append(path)

    def _unseen(self) -> list[str]:
        decided = {path for kind in self.found.sources.values() for paths in kind.values() for path in paths}
        inner = {path for one in self._starts for path, is_ in one.run.asked.items() if is_ in CONTAINERS}
        return [path for path in self._known if path not in decided | inner]

    def _finish(self) -> None:
        order = {path: place for place, path in enumerate(self._known)}
        for paths in (paths for kind in self.found.sources.values() for paths in kind.values()):
            paths.sort(key=lambda path: order.get(path, len(order)))
        self.found.unseen = self._unseen()
        for start in self._starts:
            for kind, name, value in _values(start.kind):
                if name not in self.found.sources.get(kind, {}):
                    self.found.fixed.setdefault(kind, {})[name] = value


def _module_of(refine: Refine) -> str:
    function: Any = refine
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__module__", ""))


def _changed(before: Kind, after: Kind) -> Iterator[tuple[str, str]]:
    for name in before.__struct_fields__:
        one, other = getattr(before, name), getattr(after, name, None)
        if name in before.children and one and other and len(one) == len(other):
            for child, changed in zip(one, other, strict=True):
                yield from _changed(child, changed)
        elif one != other:
            yield before.kind, name


def _values(kind: Kind | None) -> Iterator[tuple[str, str, Any]]:
    """Yield what a kind and its children hold."""
    if kind is None:
        return
    for name in kind.__struct_fields__:
        value = getattr(kind, name)
        if name in kind.children:
            for child in value or ():
                yield from _values(child)
        elif value is not None:
            yield kind.kind, name, value
