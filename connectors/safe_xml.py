"""XML from strangers: no document types, no entities, bounded in size and depth, exact text."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import DefusedXMLParser

from connectors.errors import BadResponse, SchemaError
from connectors.marks import byte_order_mark

MAX_XML_BYTES = 20 * 1024 * 1024
MAX_DEPTH = 100
MAX_ELEMENTS = 1_000_000
_HTML = re.compile(r"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._-]{0,40})[\"']")
# How "<" looks at the beginning of a text without a byte order mark.
_WIDE = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


def parse_xml(body: bytes, *, charset: str | None = None) -> Element:
    """
    Return the root element; `charset` counts where the text itself does not tell its encoding.

    :raises BadResponse: if this is no XML but, say, an HTML page
    :raises SchemaError: if the XML is ill-formed, too large, too deep or has a document type
    """
    if len(body) > MAX_XML_BYTES:
        raise SchemaError(f"the XML has {len(body)} bytes, over the limit of {MAX_XML_BYTES}.")
    text = _decoded(body, charset)
    _refuse_other_than_xml(text)
    parser = DefusedXMLParser(target=_BoundedTree(), encoding="utf-8", forbid_dtd=True)
    try:
        parser.feed(text.encode("utf-8", "surrogatepass"))
        root: Element = parser.close()
    except ParseError as error:
        line, column = error.position
        reason = str(error).partition(":")[0]
        raise SchemaError(f"ill-formed XML at line {line}, column {column + 1}: {reason}.") from None
    except DTDForbidden:
        raise SchemaError("the XML has a document type (<!DOCTYPE ...>), which may hide an attack.") from None
    except DefusedXmlException as error:
        raise SchemaError(f"the XML is refused as an attack: {type(error).__name__}.") from None
    return root


class _BoundedTree(TreeBuilder):
    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        self._elements += 1
        if self._depth > MAX_DEPTH:
            raise SchemaError(f"the XML is nested more than {MAX_DEPTH} elements deep.")
        if self._elements > MAX_ELEMENTS:
            raise SchemaError(f"the XML has more than {MAX_ELEMENTS} elements.")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def _decoded(body: bytes, charset: str | None) -> str:
    # Decoded here and not by the parser, which knows few encodings of more than one byte.
    mark, marked = byte_order_mark(body)
    encoding = marked or _guessed(body) or charset or "utf-8"
    plain = body[len(mark) :]
    try:
        return plain.decode(encoding)
    except UnicodeDecodeError as error:
        odd = plain[error.start : error.end].hex()
        raise SchemaError(
            f"byte {len(mark) + error.start} of the XML: 0x{odd} is not {encoding}, which it should be by its"
            " declaration, its byte order mark or its Content-Type."
        ) from None
    except (LookupError, UnicodeError):
        raise SchemaError(f"the XML says it is written in {encoding!r}, which is not known.") from None


def _guessed(body: bytes) -> str | None:
    wide = next((encoding for start, encoding in _WIDE if body.startswith(start)), None)
    declared = _DECLARED.match(body)
    return wide or (declared[1].decode("ascii") if declared else None)


def _refuse_other_than_xml(text: str) -> None:
    if _HTML.match(text):
        raise BadResponse("an HTML page came where XML was due.")
    if not text.lstrip().startswith("<"):
        found = f"begins with {text[:40]!r}" if text.strip() else "is empty"
        raise BadResponse(f"the answer is not XML: it {found}.")
