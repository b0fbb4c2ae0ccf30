"""
A payload that has whatever it is asked for, and hears which words its values are held against.

No value occurs twice, so that one which comes out again tells which path it came in by.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from string import ascii_uppercase
from types import CodeType, FrameType, ModuleType
from typing import Any, TypeAlias

#: Deeper than that nobody looks: what asks further asks without end.
MOST_STEPS = 6
MOST_LETTERS = 60
_MARK = re.compile(r"[w-z][0-9]+[w-z]|[0-9]{6}")


class Stand(Enum):
    """What is answered instead of a value that the room would know."""

    WORD, NUMBER, TIME, CURRENCY = auto(), auto(), auto(), auto()
    OTHER_WORD, OTHER_NUMBER, OTHER_TIME, OTHER_CURRENCY = auto(), auto(), auto(), auto()
    OBJECT, LIST, TEXTS, ABSENT = auto(), auto(), auto(), auto()


LETTERS = {Stand.WORD: "w", Stand.OTHER_WORD: "x", Stand.TEXTS: "yz"}
FIRST_NUMBERS = {Stand.NUMBER: 100_003, Stand.OTHER_NUMBER: 500_001}
#: No currency that has other than hundredths begins so.
FIRST_LETTERS = {Stand.CURRENCY: "Q", Stand.OTHER_CURRENCY: "Z"}
FIRST_TIMES = {
    Stand.TIME: datetime(2026, 1, 1, tzinfo=UTC),
    Stand.OTHER_TIME: datetime(2026, 4, 1, tzinfo=UTC),
}
#: A path's answer: one of the above, true or false, or the very word.
Choice: TypeAlias = Stand | bool | str
Hears = Callable[[str, str], None]


class Payload(dict[str, Any]):
    """An object that has whatever it is asked for."""

    def __init__(self, answer: Callable[[str], Any], place: str = "") -> None:
        super().__init__()
        self._answer, self._place = answer, place

    def get(self, name: str, default: Any = None) -> Any:
        value = self._answer(f"{self._place}{name}")
        return default if value is None else value

    def __getitem__(self, name: str) -> Any:
        value = self._answer(f"{self._place}{name}")
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return self._answer(f"{self._place}{name}") is not None

    def __bool__(self) -> bool:
        return True


class Heard(str):
    """A text that tells what it is compared with, and stays one where the room changes its letters."""

    __slots__ = ("_hears", "_path", "_room")
    _path: str
    _room: str
    _hears: Hears

    @classmethod
    def of(cls, text: str, path: str, room: str, hears: Hears) -> Heard:
        made = cls(text)
        made._path, made._room, made._hears = path, room, hears
        return made

    def _among(self, *others: object) -> None:
        frame: FrameType | None = sys._getframe(2)
        # Libraries compare with much that no provider ever says.
        if frame is not None and _is_in(frame, self._room):
            for other in _words_in(others):
                self._hears(self._path, other)

    def _looked_up(self) -> None:
        """Hear all that it may be looked up in: a set compares only what it takes for equal."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and _is_in(frame, self._room):
            for word in _words_near(frame):
                self._hears(self._path, word)
            # A comprehension is a frame of its own.
            frame = frame.f_back if frame.f_code.co_name.startswith("<") else None

    def _changed(self, text: str) -> Heard:
        return Heard.of(text, self._path, self._room, self._hears)

    def __eq__(self, other: object) -> bool:
        self._among(other)
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        self._among(other)
        return str.__ne__(self, other)

    def __hash__(self) -> int:
        self._looked_up()
        return str.__hash__(self)

    def __contains__(self, other: Any) -> bool:
        self._among(other)
        return str.__contains__(self, other)

    def __str__(self) -> str:
        return self

    def startswith(self, prefix: Any, *span: Any) -> bool:
        self._among(prefix)
        return str.startswith(self, prefix, *span)

    def endswith(self, suffix: Any, *span: Any) -> bool:
        self._among(suffix)
        return str.endswith(self, suffix, *span)

    def lower(self) -> Heard:
        self._looked_up()
        return self._changed(str.lower(self))

    def casefold(self) -> Heard:
        self._looked_up()
        return self._changed(str.casefold(self))

    def upper(self) -> Heard:
        self._looked_up()
        return self._changed(str.upper(self))

    def strip(self, chars: str | None = None) -> Heard:
        self._looked_up()
        return self._changed(str.strip(self, chars))

    def replace(self, old: str, new: str, count: Any = -1) -> Heard:
        return self._changed(str.replace(self, old, new, count))


@dataclass(slots=True)
class Answers:
    """What paths answer with: the same in every run, whatever else is asked for."""

    room: str
    hears: Hears
    #: Which path answers with a text, by the text's mark.
    marks: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _made: dict[tuple[str, Choice], list[Heard]] = field(default_factory=dict)

    def texts(self, path: str, choice: Choice) -> list[Heard]:
        made = self._made.get((path, choice))
        if made is None:
            texts = _texts(choice, self._numbers.setdefault(path, len(self._numbers)))
            made = [Heard.of(text, path, self.room, self.hears) for text in texts]
            self._made[path, choice] = made
            self.marks.update((mark(text), path) for text in texts if text is not choice)
        return made


@dataclass(slots=True)
class Run:
    """One payload: what is answered, and what was asked for, in which order."""

    answers: Answers
    choices: dict[str, Choice]
    asked: dict[str, Choice] = field(default_factory=dict)
    #: What was asked for last, for the first time or again.
    last: str = ""

    def payload(self) -> Payload:
        return Payload(self._answer)

    def given(self) -> set[str]:
        """Return the paths that had an answer."""
        return {path for path, choice in self.asked.items() if choice is not Stand.ABSENT}

    def _answer(self, path: str) -> Any:
        choice = self.choices.get(path)
        if choice is None:
            choice = Stand.CURRENCY if "currency" in path.lower() else Stand.WORD
        self.asked.setdefault(path, choice)
        self.last = path
        if choice is Stand.ABSENT or path.count(".") > MOST_STEPS:
            return None
        if choice is Stand.OBJECT:
            return Payload(self._answer, f"{path}.")
        if choice is Stand.LIST:
            return [Payload(self._answer, f"{path}[].")]
        if isinstance(choice, bool):
            return choice
        texts = self.answers.texts(path, choice)
        return list(texts) if choice is Stand.TEXTS else texts[0]


def marks_in(value: Any) -> Iterator[str]:
    """Yield the marks of all texts that a value may be made of."""
    if isinstance(value, datetime):
        yield value.isoformat()
    elif isinstance(value, Decimal):
        yield mark("".join(map(str, value.as_tuple().digits)))
    elif isinstance(value, str) and len(value) == len("EUR"):
        yield value.upper()
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield from map(mark, _MARK.findall(str(value).lower()))


def mark(text: str) -> str:
    """Return the same for a number and for that number of hundredths."""
    return text.rstrip("0") if text.isdigit() else text


def _texts(choice: Choice, number: int) -> tuple[str, ...]:
    """Return texts that nothing else is: no sum or difference of such numbers is one of them."""
    match choice:
        case Stand.WORD | Stand.OTHER_WORD | Stand.TEXTS:
            return tuple(f"{letter}{number}{letter}" for letter in LETTERS[choice])
        case Stand.NUMBER | Stand.OTHER_NUMBER:
            return (str(FIRST_NUMBERS[choice] + 1_009 * number),)
        case Stand.CURRENCY | Stand.OTHER_CURRENCY:
            first, second = divmod(number, len(ascii_uppercase))
            letters = ascii_uppercase[first % len(ascii_uppercase)] + ascii_uppercase[second]
            return (f"{FIRST_LETTERS[choice]}{letters}",)
        case Stand.TIME | Stand.OTHER_TIME:
            return ((FIRST_TIMES[choice] + timedelta(hours=number)).isoformat(),)
        case _:
            return (str(choice),)


def room_of(module: str) -> str:
    """Return the package of a provider, of which a module may be a part; any other module as it stands."""
    parts = module.split(".")
    return ".".join(parts[:3]) if parts[:2] == ["connectors", "providers"] else module


def _is_in(frame: FrameType, room: str) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name == room or name.startswith(f"{room}.")


def _words_near(frame: FrameType) -> Iterator[str]:
    """Yield the texts in the tables that code uses: its own, its module's, and those of modules it names."""
    yield from _words_in([one for one in frame.f_code.co_consts if isinstance(one, tuple | frozenset)])
    yield from _words_in([one for one in frame.f_locals.values() if not isinstance(one, str | CodeType)])
    for name in frame.f_code.co_names:
        value = frame.f_globals.get(name)
        if isinstance(value, ModuleType):
            yield from _words_in([vars(value).get(other) for other in frame.f_code.co_names])
        elif not isinstance(value, str):
            yield from _words_in([value])


def _words_in(value: object) -> Iterator[str]:
    if type(value) is str and 0 < len(value) <= MOST_LETTERS:
        yield value
    inner: Iterable[Any] = ()
    if isinstance(value, Mapping):
        inner = (*value.keys(), *value.values())
    elif isinstance(value, tuple | list):
        inner = value
    elif isinstance(value, frozenset | set):
        # The order of a set is another in every process.
        inner = sorted(one for one in value if type(one) is str)
    for one in inner:
        yield from _words_in(one)
