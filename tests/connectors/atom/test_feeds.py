"""Feed documents as plain data: nothing normalised, nothing lost, nothing dangerous accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.errors import BadResponse, SchemaError
from connectors.feeds import Feed, parse_feed
from connectors.safe_xml import MAX_DEPTH, MAX_XML_BYTES

URL = "https://news.example.com/feeds/all.atom"
XMLNS = 'xmlns="http://www.w3.org/2005/Atom"'


def atom(inside: str, attributes: str = "") -> Feed:
    return parse_feed(f"<feed {XMLNS} {attributes}>{inside}</feed>".encode(), url=URL)


def entry(inside: str, attributes: str = "") -> dict[str, Any]:
    (found,) = atom(f"<entry {attributes}>{inside}</entry>").entries
    return found


def rss(inside: str, attributes: str = "") -> Feed:
    return parse_feed(f"<rss version='2.0' {attributes}><channel>{inside}</channel></rss>".encode(), url=URL)


def item(inside: str, attributes: str = "") -> dict[str, Any]:
    (found,) = rss(f"<item>{inside}</item>", attributes).entries
    return found


@pytest.mark.parametrize(
    "identity",
    [
        "http://www.example.org/thing",
        "http://www.example.org/Thing",
        "http://www.EXAMPLE.org/thing",
        "HTTP://www.example.org/thing",
        "http://www.example.com/%7ebob",
        "http://www.example.com/%7Ebob",
        "http://www.example.com:80/a/../b#",
        "tag:example.com,2026:été/😀",
        "/relative",
        "urn:uuid:1225C695-cfb8-4ebb-aaaa-80da344efa6a",
        "two  words",
    ],
)
def test_id_is_kept_character_by_character(identity: str) -> None:
    assert entry(f"<id>\n {identity}\t</id>")["id"] == identity
    assert item(f"<guid> {identity} </guid>")["id"] == identity


def test_id_with_escapes_is_unescaped_once() -> None:
    assert entry("<id>http://example.com/?a=1&amp;amp;b=<![CDATA[&lt;]]></id>")["id"] == (
        "http://example.com/?a=1&amp;b=&lt;"
    )


def test_everything_an_entry_says_is_kept() -> None:
    found = entry(
        """
        <id>e1</id><title type="html">&lt;b&gt;Hi&lt;/b&gt;</title>
        <summary>short</summary>
        <content type="xhtml"><x:div xmlns:x="http://www.w3.org/1999/xhtml">a <x:b>c</x:b> d</x:div></content>
        <author><name>Ann</name><email>ann@example.com</email><uri>https://ann.example.com/</uri></author>
        <author><name>Bob</name></author><contributor><name>Cy</name></contributor>
        <category term="t1" scheme="s" label="L"/><category term="t2"/>
        <link href="a.html"/><link rel="enclosure" href="/m.mp3" type="audio/mpeg" length="9" title="M"/>
        <published>2026-01-02T03:04:05Z</published><updated>2026-01-03T03:04:05+01:00</updated>
        <rights>free</rights><source><id>feed1</id><title>Other</title></source>
        <y:score>5</y:score><y:tag>a</y:tag><y:tag>b</y:tag><y:at lat="1">x<y:in>z</y:in></y:at>
        """,
        'xml:lang="en" xmlns:y="urn:y" y:kind="k"',
    )
    assert found == {
        "id": "e1",
        "title": "<b>Hi</b>",
        "title_type": "html",
        "summary": "short",
        "summary_type": "text",
        "content": '<div xmlns="http://www.w3.org/1999/xhtml">a <b>c</b> d</div>',
        "content_type": "xhtml",
        "rights": "free",
        "rights_type": "text",
        "authors": [
            {"name": "Ann", "email": "ann@example.com", "uri": "https://ann.example.com/"},
            {"name": "Bob"},
        ],
        "contributors": [{"name": "Cy"}],
        "categories": [{"term": "t1", "scheme": "s", "label": "L"}, {"term": "t2"}],
        "links": [
            {"rel": "alternate", "href": "https://news.example.com/feeds/a.html"},
            {
                "rel": "enclosure",
                "href": "https://news.example.com/m.mp3",
                "type": "audio/mpeg",
                "title": "M",
                "length": "9",
            },
        ],
        "published": "2026-01-02T03:04:05Z",
        "updated": "2026-01-03T03:04:05+01:00",
        "language": "en",
        "source": {"id": "feed1", "title": "Other"},
        "extensions": {
            "@{urn:y}kind": "k",
            "{urn:y}score": "5",
            "{urn:y}tag": ["a", "b"],
            "{urn:y}at": {"@lat": "1", "text": "x", "{urn:y}in": "z"},
        },
    }


def test_content_elsewhere_is_kept_as_a_link() -> None:
    found = entry('<id>1</id><content type="application/pdf" src="a.pdf"/>')
    assert found["content_src"] == "https://news.example.com/feeds/a.pdf"


def test_content_that_is_xml_is_kept_as_xml() -> None:
    found = entry('<id>1</id><content type="image/svg+xml"><g xmlns="urn:svg"><p/></g></content>')
    assert found["content"] == '<ns0:g xmlns:ns0="urn:svg"><ns0:p /></ns0:g>'


@pytest.mark.parametrize(
    ("inside", "names"),
    [
        ("<author><name>F</name></author><entry><id>1</id><author><name>E</name></author></entry>", ["E"]),
        ("<author><name>F</name></author><entry><id>1</id></entry>", ["F"]),
        (
            "<author><name>F</name></author>"
            "<entry><id>1</id><source><author><name>S</name></author></source></entry>",
            ["S"],
        ),
    ],
)
def test_author_is_inherited_from_the_source_and_then_from_the_feed(inside: str, names: list[str]) -> None:
    assert [author["name"] for author in atom(inside).entries[0]["authors"]] == names


@pytest.mark.parametrize(
    ("feed_base", "entry_base", "href", "expected"),
    [
        ("", "", "x", "https://news.example.com/feeds/x"),
        ("", "", "?page=2", "https://news.example.com/feeds/all.atom?page=2"),
        ("/blog/", "", "x", "https://news.example.com/blog/x"),
        ("/blog/", "2026/", "x", "https://news.example.com/blog/2026/x"),
        ("https://other.example.org/", "a/", "x", "https://other.example.org/a/x"),
        ("", "", " https://abs.example.org/A/../%7e ", "https://abs.example.org/A/../%7e"),
        ("", "", "mailto:a@example.com", "mailto:a@example.com"),
        ("", "", "//host.example.org/x", "https://host.example.org/x"),
        ("", "", "//[broken", "//[broken"),
    ],
)
def test_links_are_absolute(feed_base: str, entry_base: str, href: str, expected: str) -> None:
    found = atom(
        f'<entry xml:base="{entry_base}"><id>1</id><link href="{href}"/></entry>', f'xml:base="{feed_base}"'
    )
    assert found.entries[0]["links"][0]["href"] == expected


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ('<link rel="next" href="?page=2"/>', "https://news.example.com/feeds/all.atom?page=2"),
        ('<link rel="prev-archive" href="/2025.atom"/>', "https://news.example.com/2025.atom"),
        (
            '<link rel="prev-archive" href="/2025"/><link rel="next" href="/2#top"/>',
            "https://news.example.com/2",
        ),
        (
            '<link rel="http://www.iana.org/assignments/relation/next" href="/2"/>',
            "https://news.example.com/2",
        ),
        ('<link rel="next"/>', None),
        ('<link rel="previous" href="/0"/><link rel="last" href="/9"/><link href="/"/>', None),
        ('<entry><id>1</id><link rel="next" href="/not-the-feed"/></entry>', None),
    ],
)
@pytest.mark.parametrize("kind", [atom, rss])
def test_next_page_is_found(kind: Callable[[str, str], Feed], links: str, expected: str | None) -> None:
    if kind is rss:
        links = links.replace("<link", "<a:link").replace("entry>", "item>")
    assert kind(links, 'xmlns:a="http://www.w3.org/2005/Atom"').next_url == expected


def test_entries_of_one_id_stay_in_order() -> None:
    found = atom("<entry><id>1</id><title>a</title></entry><entry><id>1</id><title>b</title></entry>")
    assert [one["title"] for one in found.entries] == ["a", "b"]


def test_single_entry_document_is_a_feed_of_one() -> None:
    found = parse_feed(f"<entry {XMLNS}><id>1</id></entry>".encode(), url=URL)
    assert [one["id"] for one in found.entries] == ["1"]


def test_everything_an_rss_item_says_is_kept() -> None:
    found = item(
        """
        <guid isPermaLink="false">g1</guid><title>T</title><link>/a?b=1&amp;c=2</link>
        <description>&lt;p&gt;short&lt;/p&gt;</description><c:encoded><![CDATA[<p>long</p>]]></c:encoded>
        <author>ann@example.com (Ann)</author><dc:creator>Ann</dc:creator>
        <category domain="d">x</category><category>y</category>
        <enclosure url="m.mp3" type="audio/mpeg" length="9"/><comments>/c</comments>
        <pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate><source url="https://o.example.org/f">Other</source>
        <dc:rights>free</dc:rights>
        """,
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:c="http://purl.org/rss/1.0/modules/content/"',
    )
    assert found == {
        "id": "g1",
        "title": "T",
        "summary": "<p>short</p>",
        "summary_type": "html",
        "content": "<p>long</p>",
        "content_type": "html",
        "authors": [{"name": "Ann"}, {"name": "ann@example.com (Ann)"}],
        "categories": [{"term": "x", "scheme": "d"}, {"term": "y"}],
        "links": [
            {"rel": "alternate", "href": "https://news.example.com/a?b=1&c=2"},
            {
                "rel": "enclosure",
                "href": "https://news.example.com/feeds/m.mp3",
                "type": "audio/mpeg",
                "length": "9",
            },
        ],
        "published": "Sun, 22 Nov 2026 10:00:00 GMT",
        "source": {"id": "https://o.example.org/f", "title": "Other"},
        "extensions": {"{http://purl.org/dc/elements/1.1/}rights": "free", "comments": "/c"},
    }


def test_rss_item_without_guid_goes_by_its_link() -> None:
    assert item("<link>/a/1</link><guid> </guid>")["id"] == "/a/1"


def test_rss_item_without_guid_and_link_goes_by_its_content() -> None:
    first, again, other = (item(f"<title>{title}</title>")["id"] for title in ("a", "a", "b"))
    assert len(first) == 64
    assert first == again != other


def test_guid_that_is_a_permalink_is_the_link() -> None:
    assert item("<guid>https://e.example.com/1</guid>")["links"] == [
        {"rel": "alternate", "href": "https://e.example.com/1"}
    ]
    assert "links" not in item("<guid isPermaLink='false'>1</guid>")


def test_rss_1_items_lie_beside_the_channel() -> None:
    feed = parse_feed(
        b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://e.example.com/"/>
        <item rdf:about="https://e.example.com/1"><title>T</title><link>https://e.example.com/l</link>
        <dc:date>2026-01-02</dc:date></item></rdf:RDF>""",
        url=URL,
    )
    (found,) = feed.entries
    assert (found["id"], found["title"], found["published"]) == ("https://e.example.com/1", "T", "2026-01-02")
    assert found["links"] == [{"rel": "alternate", "href": "https://e.example.com/l"}]


DOCUMENT = f'<?xml version="1.0" encoding="{{}}"?><feed {XMLNS}><entry><id>{{}}</id></entry></feed>'


@pytest.mark.parametrize(
    ("encoding", "codec", "text"),
    [
        ("utf-8", "utf-8", "é😀"),
        ("UTF-8", "utf-8-sig", "é😀"),
        ("utf-16", "utf-16", "é😀"),
        ("utf-16", "utf-16-le", "é😀"),
        ("utf-16", "utf-16-be", "é😀"),
        ("utf-32", "utf-32", "é😀"),
        ("utf-32", "utf-32-be", "é😀"),
        ("iso-8859-1", "latin-1", "é"),
        ("windows-1252", "cp1252", "“€”"),
        ("koi8-r", "koi8-r", "мир"),
        ("big5", "big5", "功許蓋"),
        ("Shift_JIS", "shift_jis", "表示"),
        ("euc-kr", "euc-kr", "한글"),
    ],
)
def test_declared_encoding_is_read_exactly(encoding: str, codec: str, text: str) -> None:
    body = DOCUMENT.format(encoding, text).encode(codec)
    assert parse_feed(body, url=URL).entries[0]["id"] == text
    assert parse_feed(body, url=URL, charset="iso-8859-7").entries[0]["id"] == text


def test_charset_of_the_answer_counts_where_the_text_says_nothing() -> None:
    body = f"<feed {XMLNS}><entry><id>é</id></entry></feed>".encode("latin-1")
    assert parse_feed(body, url=URL, charset="iso-8859-1").entries[0]["id"] == "é"
    with pytest.raises(SchemaError, match=r"byte \d+ of the XML: 0xe9 is not utf-8"):
        parse_feed(body, url=URL)


@pytest.mark.parametrize("encoding", ["no-such", "rot13", "undefined", "zlib"])
def test_unknown_encoding_is_named(encoding: str) -> None:
    with pytest.raises(SchemaError, match=f"'{encoding}', which is not known"):
        parse_feed(DOCUMENT.format(encoding, "1").encode(), url=URL)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(10))


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE feed>",
        '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd">',
        '<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE feed SYSTEM "http://127.0.0.1/evil.dtd">',
        f"<!DOCTYPE feed [{LAUGHS}]>",
        f'<!DOCTYPE feed [<!ENTITY a "{"x" * 50_000}">]>',
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
@pytest.mark.timeout(5)
def test_document_type_is_refused(doctype: str, codec: str) -> None:
    body = f"{doctype}<feed {XMLNS}><entry><id>&l9;&x;&a;</id></entry></feed>".encode(codec)
    with pytest.raises(SchemaError, match="document type"):
        parse_feed(body, url=URL)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"items": []}', 'begins with \'{"items"'),
        (b"Service unavailable", "begins with 'Service"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "HTML page"),
        (b"<!-- x -->\n<HTML><p>Log in", "HTML page"),
        ("\ufeff<!doctype  html>".encode(), "HTML page"),
    ],
)
def test_answer_that_is_no_xml_is_told_from_a_broken_feed(body: bytes, said: str) -> None:
    with pytest.raises(BadResponse, match=said):
        parse_feed(body, url=URL)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"<feed {XMLNS}>\n<entry></feed>", "ill-formed XML at line 2, column 10: mismatched tag"),
        (
            f"<feed {XMLNS}>\n<entry><id>1</id></entry>",
            "ill-formed XML at line 2, column 26: no element found",
        ),
        (f"<feed {XMLNS}>&nbsp;</feed>", "undefined entity"),
        (f"<feed {XMLNS}>a & b</feed>", "line 1, column .*not well-formed"),
        (f"<feed {XMLNS}>\0</feed>", "not well-formed"),
        (f"<feed {XMLNS}>&#0;</feed>", "invalid character"),
        ("<feed xmlns='urn:x'/>", "root element is {urn:x}feed, neither an Atom nor an RSS feed"),
        ("<rss/>", "no channel"),
        ("<feed><a:b/></feed>", "unbound prefix"),
    ],
)
def test_broken_feed_is_refused_and_its_place_named(body: str, said: str) -> None:
    with pytest.raises(SchemaError, match=said) as caught:
        parse_feed(body.encode(), url=URL)
    assert not isinstance(caught.value, BadResponse)


def test_cut_feed_is_never_a_whole_one() -> None:
    body = (
        f'<?xml version="1.0"?><feed {XMLNS}><title>é</title><entry><id>1</id><title><![CDATA[x]]></title>'
        "</entry><entry><id>2</id></entry></feed>"
    ).encode()
    assert len(parse_feed(body, url=URL).entries) == 2
    for length in range(len(body)):
        with pytest.raises(SchemaError):
            parse_feed(body[:length], url=URL)


@pytest.mark.timeout(10)
def test_too_deep_too_many_and_too_much_are_refused() -> None:
    with pytest.raises(SchemaError, match="elements deep"):
        atom("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH)
    with pytest.raises(SchemaError, match="over the limit"):
        atom("x" * MAX_XML_BYTES)
    assert atom("<a>" * (MAX_DEPTH - 1) + "</a>" * (MAX_DEPTH - 1)).entries == []
