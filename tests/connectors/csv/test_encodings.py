"""Text is read in the encoding it is written in, or not at all."""

from __future__ import annotations

import codecs
from collections.abc import Callable

import pytest

from connectors.base import Connector
from connectors.errors import ConfigError, SchemaError
from tests.connectors.csv.conftest import pages_of, payloads_of

Maker = Callable[..., Connector]
# U+0A0D and U+0D0A hold the bytes of line ends, across characters and within them.
TEXT = 'naïve,b\r\n"Ωmega\r\n日本","😀"\r\nਊഊ਍,ഀ\U0001f60d\r\n'
ROWS = [{"naïve": "Ωmega\r\n日本", "b": "😀"}, {"naïve": "ਊഊ਍", "b": "ഀ\U0001f60d"}]


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (TEXT.encode(), None),
        (TEXT.encode(), "UTF8"),
        (TEXT.encode("utf-8-sig"), None),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), None),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), None),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16be"),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), None),
        (codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), None),
        (TEXT.encode("gb18030"), "gb18030"),
    ],
)
@pytest.mark.parametrize("page_size", [1, 500])
def test_every_unicode_encoding_reads_the_same(
    table: Maker, raw: bytes, encoding: str | None, page_size: int
) -> None:
    assert payloads_of(table(raw, encoding=encoding), page_size=page_size) == ROWS


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "é©"),
        ("cp1252", "“€”"),
        ("koi8-r", "мир"),
        ("shift_jis", "表示ソ"),
        ("big5", "功許蓋"),
        ("mac-roman", "é"),
    ],
)
def test_configured_encoding_is_used(table: Maker, encoding: str, text: str) -> None:
    assert payloads_of(table(f"a\n{text}\n".encode(encoding), encoding=encoding)) == [{"a": text}]


def test_undeclared_latin_1_is_refused_by_line_and_offset(table: Maker) -> None:
    raw = b"a,b\n1,2\n3," + b"\xe9x\n"
    with pytest.raises(SchemaError, match=r"line 3, byte 10 of the file: 0xe9 is not utf-8.*Set `encoding`"):
        pages_of(table(raw), page_size=1)


def test_offset_of_a_bad_byte_is_the_same_from_every_page(table: Maker) -> None:
    raw = b'\xef\xbb\xbfa\n1\n2\n3\n"x\ny\xff"\n'
    for page_size in (1, 2, 500):
        with pytest.raises(SchemaError, match=f"line 6, byte {raw.index(0xFF)} of the file"):
            pages_of(table(raw), page_size=page_size)


def test_utf_16_cut_inside_a_character_is_refused(table: Maker) -> None:
    with pytest.raises(SchemaError, match="is not utf-16-le"):
        pages_of(table((codecs.BOM_UTF16_LE + "a\nb\nc\n".encode("utf-16-le"))[:-3]))


def test_utf_16_without_a_mark_is_told_by_its_header(table: Maker) -> None:
    with pytest.raises(SchemaError, match="set `encoding` to utf-16-le or utf-16-be"):
        pages_of(table("a,b\n1,2\n".encode("utf-16-le")))


@pytest.mark.parametrize(
    ("raw", "encoding", "said"),
    [
        (b"a\n", "no-such", "unknown"),
        (b"a\n", "rot13", "unknown"),
        (b"a\n", "utf-7", "line by line"),
        (b"a\n", "cp037", "line by line"),
        (b"a\n", "utf-16", "set utf-16-le or utf-16-be"),
        (codecs.BOM_UTF8 + b"a\n", "cp1252", "begins with the mark of utf-8"),
        (codecs.BOM_UTF16_LE + b"a\0", "utf-16-be", "begins with the mark of utf-16-le"),
        (codecs.BOM_UTF16_LE + b"a\0", "latin-1", "begins with the mark of utf-16-le"),
    ],
)
def test_encoding_that_cannot_be_meant_is_refused(table: Maker, raw: bytes, encoding: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        pages_of(table(raw, encoding=encoding))


def test_replacement_character_never_stands_in_for_a_bad_byte(table: Maker) -> None:
    for raw in (b"a\n\xff\n", b"a\n\xc3\n", b"a\n\xed\xa0\x80\n", b"a\n\xf5\x80\x80\x80\n", b"a\n\xc0\xaf\n"):
        with pytest.raises(SchemaError, match="is not utf-8"):
            pages_of(table(raw))
