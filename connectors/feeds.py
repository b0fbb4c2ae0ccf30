"""Atom (RFC 4287), RSS 2.0 and RSS 1.0 as plain data: ids exact, links absolute, foreign elements kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit
from xml.etree.ElementTree import Element, tostring

from connectors import exact_json
from connectors.errors import SchemaError
from connectors.safe_xml import parse_xml

ATOM = "{http://www.w3.org/2005/Atom}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
RSS_1 = "{http://purl.org/rss/1.0/}"
DC = "{http://purl.org/dc/elements/1.1/}"
CONTENT_ENCODED = "{http://purl.org/rss/1.0/modules/content/}encoded"
DELETED_ENTRY = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"
XHTML = "{http://www.w3.org/1999/xhtml}"
XML = "{http://www.w3.org/XML/1998/namespace}"
REGISTERED_RELATION = "http://www.iana.org/assignments/relation/"
# The next page of a paged feed, or the older part of an archived one (RFC 5005).
ONWARD = ("next", "prev-archive")
RSS_FIELDS = (
    "title",
    "link",
    "description",
    "guid",
    "pubDate",
    "author",
    "category",
    "enclosure",
    "source",
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeletedEntry:
    """What an Atom feed says about an entry that is gone (RFC 6721)."""

    ref: str
    when: str


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed document."""

    #: In document order, each with its "id" if the feed gives it one.
    entries: Sequence[Json]
    deleted: Sequence[DeletedEntry] = ()
    next_url: str | None = None


def parse_feed(body: bytes, *, url: str, charset: str | None = None) -> Feed:
    """
    Return what a feed document fetched from `url` says.

    :raises BadResponse: if it is no XML
    :raises SchemaError: if it is no feed, or XML that is not accepted
    """
    root = parse_xml(body, charset=charset)
    if root.tag == f"{ATOM}feed":
        return _atom(root, url)
    if root.tag == f"{ATOM}entry":
        return Feed([_atom_entry(root, url, [], None)])
    if root.tag in {"rss", f"{RDF}RDF"}:
        return _rss(root, url)
    raise SchemaError(f"the root element is {root.tag}, neither an Atom nor an RSS feed; check the address.")


def _atom(root: Element, url: str) -> Feed:
    base = _base(root, url)
    authors, language = _people(root, "author"), root.get(f"{XML}lang")
    return Feed(
        entries=[_atom_entry(entry, base, authors, language) for entry in root.findall(f"{ATOM}entry")],
        deleted=[
            DeletedEntry(ref=gone.get("ref", "").strip(), when=gone.get("when", ""))
            for gone in root.findall(DELETED_ENTRY)
        ],
        next_url=_onward(_atom_links(root, base)),
    )


def _atom_entry(entry: Element, base: str, feed_authors: list[Json], language: str | None) -> Json:
    base = _base(entry, base)
    source = entry.find(f"{ATOM}source")
    if source is None:
        source = Element("none")
    return _said(
        id=_text(entry, f"{ATOM}id"),
        **_construct(entry, "title", base),
        **_construct(entry, "summary", base),
        **_construct(entry, "content", base),
        **_construct(entry, "rights", base),
        authors=_people(entry, "author") or _people(source, "author") or feed_authors,
        contributors=_people(entry, "contributor"),
        categories=[
            _said(term=category.get("term"), scheme=category.get("scheme"), label=category.get("label"))
            for category in entry.findall(f"{ATOM}category")
        ],
        links=_atom_links(entry, base),
        published=_text(entry, f"{ATOM}published"),
        updated=_text(entry, f"{ATOM}updated"),
        language=entry.get(f"{XML}lang", language),
        source=_said(id=_text(source, f"{ATOM}id"), title=_text(source, f"{ATOM}title")),
        extensions=_extensions(entry, _foreign(entry)),
    )


def _rss(root: Element, url: str) -> Feed:
    # RSS 1.0 has its items beside the channel, in a namespace.
    prefix = "" if root.tag == "rss" else RSS_1
    channel = root.find(f"{prefix}channel")
    if channel is None:
        raise SchemaError(f"the RSS feed has no channel; its root element is {root.tag}.")
    base = _base(channel, _base(root, url))
    language = _text(channel, f"{prefix}language") or _text(channel, f"{DC}language")
    items = [*channel.findall(f"{prefix}item"), *root.findall(f"{prefix}item")]
    return Feed(
        entries=[_with_id(_rss_item(item, base, prefix, language)) for item in items],
        next_url=_onward(_atom_links(channel, base)),
    )


def _rss_item(item: Element, base: str, prefix: str, language: str | None) -> Json:
    base = _base(item, base)
    known = {CONTENT_ENCODED, f"{DC}creator", f"{ATOM}link", *(f"{prefix}{name}" for name in RSS_FIELDS)}
    content, summary = _text(item, CONTENT_ENCODED), _text(item, f"{prefix}description")
    return _said(
        id=_text(item, f"{prefix}guid") or item.get(f"{RDF}about") or _text(item, f"{prefix}link"),
        title=_text(item, f"{prefix}title"),
        summary=summary,
        summary_type=summary and "html",
        content=content,
        content_type=content and "html",
        authors=[{"name": name} for name in _texts(item, f"{DC}creator", f"{prefix}author")],
        categories=[
            _said(term=_whole(category), scheme=category.get("domain"))
            for category in item.findall(f"{prefix}category")
        ],
        links=[*_rss_links(item, base, prefix), *_atom_links(item, base)],
        published=_text(item, f"{prefix}pubDate") or _text(item, f"{DC}date"),
        updated=_text(item, f"{ATOM}updated"),
        language=language,
        source=_rss_source(item.find(f"{prefix}source")),
        extensions=_extensions(item, (child for child in item if child.tag not in known)),
    )


def _with_id(entry: Json) -> Json:
    if "id" in entry:
        return entry
    return {"id": exact_json.canonical_hash(exact_json.dumps(entry)).hex(), **entry}


def _rss_links(item: Element, base: str, prefix: str) -> Iterator[Json]:
    guid = item.find(f"{prefix}guid")
    permalink = _whole(guid) if guid is not None and guid.get("isPermaLink", "true") == "true" else None
    alternate = _text(item, f"{prefix}link") or permalink
    if alternate:
        yield {"rel": "alternate", "href": _absolute(base, alternate)}
    for enclosure in item.findall(f"{prefix}enclosure"):
        yield _said(
            rel="enclosure",
            href=_absolute(base, enclosure.get("url")),
            type=enclosure.get("type"),
            length=enclosure.get("length"),
        )


def _rss_source(source: Element | None) -> Json:
    return _said(id=source.get("url"), title=_whole(source)) if source is not None else {}


def _atom_links(parent: Element, base: str) -> list[Json]:
    return [
        _said(
            rel=link.get("rel", "alternate").strip().removeprefix(REGISTERED_RELATION),
            href=_absolute(_base(link, base), link.get("href")),
            type=link.get("type"),
            title=link.get("title"),
            hreflang=link.get("hreflang"),
            length=link.get("length"),
        )
        for link in parent.findall(f"{ATOM}link")
    ]


def _onward(links: Iterable[Json]) -> str | None:
    by_relation = {link.get("rel"): link["href"] for link in links if "href" in link}
    url = next((by_relation[relation] for relation in ONWARD if relation in by_relation), None)
    return urldefrag(url).url if url else None


def _people(parent: Element, role: str) -> list[Json]:
    people = (
        _said(
            name=_text(person, f"{ATOM}name"),
            email=_text(person, f"{ATOM}email"),
            uri=_text(person, f"{ATOM}uri"),
            extensions=_extensions(person, _foreign(person)),
        )
        for person in parent.findall(f"{ATOM}{role}")
    )
    return [person for person in people if person]


def _construct(entry: Element, name: str, base: str) -> Json:
    """Return a text of Atom with its type: plain, escaped HTML, markup, or elsewhere."""
    element = entry.find(f"{ATOM}{name}")
    if element is None:
        return {}
    kind = element.get("type", "text").strip().lower()
    is_markup = kind == "xhtml" or kind.endswith(("+xml", "/xml"))
    text = "".join(map(_markup, element)) if is_markup and len(element) else _whole(element)
    src = _absolute(_base(element, base), element.get("src"))
    return {name: text, f"{name}_type": kind, f"{name}_src": src}


def _markup(element: Element) -> str:
    copy = deepcopy(element)
    copy.tail = None
    if copy.tag.startswith(XHTML):  # written as people write it, without a prefix on every tag
        copy.set("xmlns", XHTML[1:-1])
        for part in copy.iter():
            part.tag = part.tag.removeprefix(XHTML)
    return tostring(copy, encoding="unicode")


def _foreign(parent: Element) -> Iterator[Element]:
    return (child for child in parent if not child.tag.startswith(ATOM))


def _extensions(owner: Element, elements: Iterable[Element]) -> Json:
    """Return foreign attributes and elements by their full names; what occurs more than once is a list."""
    found: Json = {
        f"@{name}": text for name, text in owner.items() if name.startswith("{") and not name.startswith(XML)
    }
    for element in elements:
        value = _value(element)
        if element.tag not in found:
            found[element.tag] = value
        elif isinstance(found[element.tag], list):
            found[element.tag].append(value)
        else:
            found[element.tag] = [found[element.tag], value]
    return found


def _value(element: Element) -> Any:
    if not element.attrib and not len(element):
        return _whole(element)
    own = {f"@{name}": text for name, text in element.items()}
    text = (element.text or "").strip()
    return {**own, **_said(text=text), **_extensions(Element("none"), element)}


def _said(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _texts(parent: Element, *tags: str) -> Iterator[str]:
    for tag in tags:
        yield from filter(None, map(_whole, parent.findall(tag)))


def _text(parent: Element, tag: str) -> str | None:
    return next(_texts(parent, tag), None)


def _whole(element: Element) -> str:
    return "".join(element.itertext()).strip()


def _base(element: Element, inherited: str) -> str:
    return _absolute(inherited, element.get(f"{XML}base")) or inherited


def _absolute(base: str, href: str | None) -> str | None:
    if href is None:
        return None
    href = href.strip()
    try:
        return href if urlsplit(href).scheme else urljoin(base, href)
    except ValueError:  # no URL by any reading; the text is still what they said
        return href
