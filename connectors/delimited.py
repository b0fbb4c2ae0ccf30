"""Delimited text from bytes: rows with their exact offset and line, so that reading can go on anywhere."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import methodcaller

from connectors.errors import ConfigError, SchemaError
from connectors.marks import byte_order_mark

MAX_CELL_CHARACTERS = 1024 * 1024
MAX_ROW_BYTES = 8 * 1024 * 1024
# Python keeps one limit for the whole program; the default of 131,072 refuses honest descriptions.
csv.field_size_limit(MAX_CELL_CHARACTERS)

# Their bytes depend on what came before, or they are no encoding of text.
UNUSABLE_ENCODINGS = frozenset(
    {"utf-7", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined"}
)
_UNIT_BYTES = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are written."""

    delimiter: str = ","
    quotechar: str = '"'
    escapechar: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row, good or not."""

    #: The physical line it starts on, counted from 1.
    line: int
    cells: list[str]
    #: What stood in the file.
    text: str
    #: Why it is not a row; "" if it is one.
    problem: str = ""
    #: The file ended without ending the row's last line.
    is_unterminated: bool = False


def encoding_of(head: bytes, *, configured: str | None, declared: str | None) -> tuple[str, int]:
    """
    Return the encoding of a file that begins with `head` and how many bytes its byte order mark has.

    What a person configured comes first, then the mark, then what the server declared, then UTF-8.

    :raises ConfigError: if the encoding is unknown or the mark contradicts it
    """
    mark, marked = byte_order_mark(head)
    named = configured or (declared if marked is None else None)
    if named is None:
        return marked or "utf-8", len(mark)
    encoding = _usable(named)
    if marked is None:
        if encoding in {"utf-16", "utf-32"}:
            raise ConfigError(
                f"encoding {named}: the file has no byte order mark; set {encoding}-le or {encoding}-be."
            )
        return encoding, 0
    if not marked.startswith(encoding):
        raise ConfigError(
            f"encoding is set to {named}, but the file begins with the mark of {marked}; remove it."
        )
    return marked, len(mark)


def _usable(named: str) -> str:
    try:
        encoding = codecs.lookup(named).name.removesuffix("-sig")
        line_feed = "\n".encode(encoding)
    except (LookupError, UnicodeError):
        raise ConfigError(
            f"encoding {named!r} is unknown; use a name such as utf-8, cp1252 or utf-16."
        ) from None
    is_wide = encoding.startswith(("utf-16", "utf-32"))
    if encoding in UNUSABLE_ENCODINGS or not (is_wide or line_feed == b"\n"):
        raise ConfigError(f"encoding {named!r} cannot be read line by line; convert the file to utf-8.")
    return encoding


def physical_lines(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """
    Yield the lines, ends included, whatever way they end (LF, CR LF, CR).

    :raises SchemaError: if a line is too long to be one
    """
    unit = _UNIT_BYTES.get(encoding, 1)
    split = _splitter(encoding, unit)
    rest = b""
    for chunk in chunks:
        rest += chunk
        whole = len(rest) - len(rest) % unit
        lines = split(rest[:whole])
        # The last one may go on in the next chunk, be it only with the LF of a CR LF.
        rest = (lines.pop() if lines else b"") + rest[whole:]
        yield from lines
        if len(rest) > MAX_ROW_BYTES:
            raise SchemaError(f"no line ends within {MAX_ROW_BYTES} bytes; this is not delimited text.")
    yield from split(rest)


def _splitter(encoding: str, unit: int) -> Callable[[bytes], list[bytes]]:
    if unit == 1:
        return methodcaller("splitlines", keepends=True)
    cr, lf = (re.escape(end.encode(encoding)) for end in "\r\n")
    # Repeating whole units keeps the search aligned: the bytes of LF also occur across two characters.
    line = re.compile(rb"(?s)(?:.{%d})*?(?:%b%b|%b|%b)" % (unit, cr, lf, cr, lf))
    return partial(_aligned, line)


def _aligned(line: re.Pattern[bytes], text: bytes) -> list[bytes]:
    matches = list(line.finditer(text))
    lines = [match[0] for match in matches]
    end = matches[-1].end() if matches else 0
    return [*lines, text[end:]] if end < len(text) else lines


class RowReader:
    """
    Reads rows one at a time and always knows where the next one starts.

    Rows that are not rows come with their problem; iteration raises SchemaError where nothing after it
    can be trusted.
    """

    def __init__(
        self, chunks: Iterable[bytes], *, encoding: str, dialect: Dialect, offset: int = 0, line: int = 1
    ) -> None:
        """`offset` and `line` say where the first byte of `chunks` stands in the file."""
        self.encoding = encoding
        self._dialect = dialect
        self._left = physical_lines(chunks, encoding)
        #: What is left, with the line before it that was looked at already.
        self._lines: Iterator[bytes] = self._left
        self._taken: list[str] = []
        self._taken_bytes = 0
        self._is_at_end = False
        self._parser = self._new_parser()
        #: Where the next row starts.
        self.offset = offset
        self.line = line

    @property
    def delimiter(self) -> str:
        return self._dialect.delimiter

    def use(self, delimiter: str) -> None:
        """Go on with another delimiter, as the file's first line says."""
        self._dialect = Dialect(delimiter, self._dialect.quotechar, self._dialect.escapechar)
        self._parser = self._new_parser()

    def skip_line(self) -> str | None:
        """Pass over one physical line and return it; None at the end of the file."""
        line = next(self._feed(), None)
        self._move_on()
        return line

    def is_finished(self) -> bool:
        """
        Tell whether no line is left, by looking one ahead.

        :raises SchemaError: if what is left is no line
        """
        ahead = next(self._lines, None)
        if ahead is not None:
            self._lines = chain([ahead], self._left)
        return ahead is None

    def __iter__(self) -> Iterator[Row]:
        while True:
            line = self.line
            try:
                cells, problem = next(self._parser), ""
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], self._explained(error)
            row = Row(line, cells, "".join(self._taken), problem, self._is_unterminated())
            self._move_on()
            if cells or problem:  # an empty line is no row
                yield row

    def _new_parser(self) -> Iterator[list[str]]:
        dialect = self._dialect
        return csv.reader(
            self._feed(),
            delimiter=dialect.delimiter,
            quotechar=dialect.quotechar,
            escapechar=dialect.escapechar,
            strict=True,
        )

    def _feed(self) -> Iterator[str]:
        while (raw := next(self._lines, None)) is not None:
            text = self._decoded(raw)
            self._taken.append(text)
            self._taken_bytes += len(raw)
            if self._taken_bytes > MAX_ROW_BYTES:
                raise SchemaError(
                    f"Invalid row format at line {self.line}: the row is over {MAX_ROW_BYTES} bytes."
                )
            yield text
        self._is_at_end = True

    def _decoded(self, raw: bytes) -> str:
        try:
            return raw.decode(self.encoding)
        except UnicodeDecodeError as error:
            line = self.line + len(self._taken)
            offset = self.offset + self._taken_bytes + error.start
            odd = raw[error.start : error.end].hex()
            raise SchemaError(
                f"line {line}, byte {offset} of the file: 0x{odd} is not {self.encoding} ({error.reason})."
                " Set `encoding` to what the file is written in, for example cp1252 or utf-16.",
            ) from None

    def _move_on(self) -> None:
        self.offset += self._taken_bytes
        self.line += len(self._taken)
        self._taken, self._taken_bytes = [], 0

    def _is_unterminated(self) -> bool:
        return bool(self._taken) and not self._taken[-1].endswith(("\n", "\r"))

    def _explained(self, error: csv.Error) -> str:
        """
        Return what is wrong with the row.

        :raises SchemaError: if a quote was never closed: what follows it is anyone's guess
        """
        is_too_long = "field limit" in str(error)
        if self._is_at_end or (is_too_long and len(self._taken) > 1):
            within = "the end of the file" if self._is_at_end else f"{MAX_CELL_CHARACTERS} characters"
            raise SchemaError(
                f"Invalid row format at line {self._open_quote_line()}: the quote opened there is not closed"
                f" before {within}. Close it, or check `quotechar`; the file may also be cut off.",
            )
        reason = f"a cell is longer than {MAX_CELL_CHARACTERS} characters" if is_too_long else str(error)
        return f"Invalid row format at line {self.line}: {reason}"

    def _open_quote_line(self) -> int:
        quote, is_open, opened = self._dialect.quotechar, False, 0
        for number, text in enumerate(self._taken):
            plain = self._without_escapes(text).replace(quote * 2, "")
            is_open ^= plain.count(quote) % 2 == 1
            if is_open and quote in plain:
                opened = number
        return self.line + opened

    def _without_escapes(self, text: str) -> str:
        escape = self._dialect.escapechar
        return re.sub(re.escape(escape) + ".", "", text, flags=re.DOTALL) if escape else text
