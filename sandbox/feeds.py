"""
Two news feeds: Atom with tombstones, and RSS 2.0; newest first, a hundred entries a page.

Atom follows RFC 4287, its paging RFC 5005 (rel=next), its tombstones RFC 6721. Unconfirmed [M]: RSS has no
standard for paging; an atom:link with rel=next in the channel is what publishers use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from email.utils import formatdate
from xml.sax.saxutils import escape, quoteattr

from sandbox import vocabulary as words
from sandbox.data import Facts, Recipe, Record, person, utc_text
from sandbox.dataset import Dataset
from sandbox.defects import lengthen_id, remove_id
from sandbox.files import is_unchanged
from sandbox.listing import twisted_rows
from sandbox.messages import Answer, BadRequest, Handler, Request, Served, served_rows
from sandbox.options import Options
from sandbox.simulators import Offer, Simulator

PAGE = 100
ATOM = "application/atom+xml; charset=utf-8"
RSS = "application/rss+xml; charset=utf-8"
LOOPS = frozenset({"repeat_cursor", "endless_cursor"})
Writer = Callable[..., bytes]


def recipes(seed: int) -> dict[str, Recipe]:
    """Return how each feed's entries are made, by feed."""

    def make(facts: Facts) -> Record:
        return _make_article(facts, seed=seed)

    articles = Recipe(
        name="feeds.articles",
        make=lambda facts: {"id": article_id(facts.index), **make(facts)},
        external_id=article_id,
        encode=_encode_atom,
        defects={"missing_id": remove_id, "long_id": lengthen_id},
        removed_share=0.01,
    )
    news = Recipe(
        name="feeds.news",
        make=lambda facts: {"id": news_id(facts.index), **make(facts)},
        external_id=news_id,
        encode=_encode_rss,
        # Without a guid an item is known by its link: only a long one is bad.
        defects={"long_id": lengthen_id},
    )
    return {"articles": articles, "news": news}


def article_id(index: int) -> str:
    """Ids of several shapes, so that readers which tidy them up are caught."""
    if index % 7 == 6:
        return f"https://news.example.com/Caf%C3%A9/{index + 1}/"
    if index % 7 == 5:
        return f"https://news.example.com/café/{index + 1}?a=1&b=2"
    return f"tag:news.example.com,2026:Article/{index + 1}"


def news_id(index: int) -> str:
    return f"news-{index + 1}@example.org"


def _make_article(facts: Facts, *, seed: int) -> Record:
    dice = facts.dice
    who = person(seed, dice.below(500))
    update = f" (update {facts.version})" if facts.version else ""
    return {
        "title": f"{dice.choice(words.HEADLINES)} {dice.choice(words.EVENTS)}{update}",
        "author": f"{who.first_name} {who.last_name}",
        "topic": dice.choice(words.TOPICS),
        "link": f"https://news.example.com/articles/{facts.index + 1}",
        "summary": f"Reported from {who.city} & around; part {dice.below(90) + 1}{update}.",
        "created": facts.created,
        "updated": facts.updated,
    }


def _encode_atom(record: Record) -> bytes:
    identity = f"<id>{escape(record['id'])}</id>" if "id" in record else ""
    return (
        f"<entry>{identity}<title>{escape(record['title'])}</title>"
        f"<author><name>{escape(record['author'])}</name></author>"
        f"<category term={quoteattr(record['topic'])}/>"
        f'<link rel="alternate" type="text/html" href={quoteattr(record["link"])}/>'
        f"<published>{utc_text(record['created'])}</published><updated>{utc_text(record['updated'])}</updated>"
        f'<summary type="text">{escape(record["summary"])}</summary></entry>\n'
    ).encode()


def _encode_rss(record: Record) -> bytes:
    return (
        f'<item><guid isPermaLink="false">{escape(record["id"])}</guid>'
        f"<title>{escape(record['title'])}</title>"
        f"<dc:creator>{escape(record['author'])}</dc:creator><category>{escape(record['topic'])}</category>"
        f"<link>{escape(record['link'])}</link>"
        f"<pubDate>{formatdate(record['updated'], usegmt=True)}</pubDate>"
        f"<description>{escape(record['summary'])}</description></item>\n"
    ).encode()


class Feeds:
    """Both feeds; anyone may read them."""

    def __init__(self, datasets: dict[str, Dataset]) -> None:
        self._datasets = datasets

    def routes(self) -> dict[str, Handler]:
        return {
            "/feeds/articles.atom": self._server("articles", _atom, ATOM),
            "/feeds/news.rss": self._server("news", _rss, RSS),
        }

    def _server(self, name: str, written: Writer, content_type: str) -> Handler:
        dataset = self._datasets[name]

        def serve(request: Request) -> Answer:
            number = _page_number(request)
            rows = _rows(dataset, number, request)
            following = _following(dataset, number, request)
            body = written(
                dataset, rows, number=number, following=following, address=request.origin + request.path
            )
            served = served_rows(dataset, rows, cursor=f"page={number}")
            return _validated(body, dataset, request, content_type=content_type, served=served)

        return serve


def _validated(
    body: bytes, dataset: Dataset, request: Request, *, content_type: str, served: Served
) -> Answer:
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"ETag": etag, "Last-Modified": formatdate(dataset.newest, usegmt=True)}
    if is_unchanged(request, etag=etag, modified=dataset.newest):
        return Answer(status=304, headers=headers, content_type="")
    return Answer(body=body, headers=headers, content_type=content_type, served=served)


def _rows(dataset: Dataset, number: int, request: Request) -> list[bytes]:
    if {"empty_list", "empty_page"} & request.twists:
        return []
    return twisted_rows(dataset, dataset.order.newest_first((number - 1) * PAGE, limit=PAGE), request)


def _following(dataset: Dataset, number: int, request: Request) -> int | None:
    if "empty_list" in request.twists:
        return None
    if LOOPS & request.twists:
        return number
    if "cycle_cursor" in request.twists:
        return max(number - 1, 1)
    return number + 1 if number * PAGE < len(dataset) else None


def _page_number(request: Request) -> int:
    text = request.query.get("page", "1")
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise BadRequest({"error": "page must be a whole number from 1 on"})
    return int(text)


def _atom(dataset: Dataset, rows: list[bytes], *, number: int, following: int | None, address: str) -> bytes:
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" '
        'xmlns:at="http://purl.org/atompub/tombstones/1.0">\n'
        "<id>tag:news.example.com,2026:feed</id><title>Señales &amp; Neuigkeiten</title>"
        f"<updated>{utc_text(dataset.newest)}</updated>"
        f'<link rel="self" href={quoteattr(f"{address}?page={number}")}/>'
    )
    tombstones = _tombstones(dataset) if number == 1 else b""
    return b"".join(
        (head.encode(), _next_link("link", address, following), b"\n", tombstones, *rows, b"</feed>\n")
    )


def _tombstones(dataset: Dataset) -> bytes:
    """Every removal, on the first page, as the entries are no longer anywhere else."""
    return b"".join(
        f'<at:deleted-entry ref={quoteattr(name)} when="{utc_text(when)}"/>\n'.encode()
        for name, when in dataset.deleted().items()
    )


def _rss(dataset: Dataset, rows: list[bytes], *, number: int, following: int | None, address: str) -> bytes:
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>\n<title>Kurz &amp; gut</title>'
        "<link>https://news.example.org/</link><description>Short news</description>"
        f"<lastBuildDate>{formatdate(dataset.newest, usegmt=True)}</lastBuildDate>"
        f'<atom:link rel="self" href={quoteattr(f"{address}?page={number}")}/>'
    )
    return b"".join(
        (head.encode(), _next_link("atom:link", address, following), b"\n", *rows, b"</channel></rss>\n")
    )


def _next_link(element: str, address: str, following: int | None) -> bytes:
    if following is None:
        return b""
    return f'<{element} rel="next" href={quoteattr(f"{address}?page={following}")}/>'.encode()


def _recipes(options: Options) -> list[tuple[Recipe, int]]:
    return [(recipe, options.articles) for recipe in recipes(options.seed).values()]


def _offer(url: str) -> Offer:
    return Offer(
        config={
            "streams": {
                "articles": {"sourceIdentifier": f"{url}/feeds/articles.atom", "contentType": "article"},
                "news": {"sourceIdentifier": f"{url}/feeds/news.rss", "contentType": "news"},
            }
        },
        datasets={"articles": "feeds.articles", "news": "feeds.news"},
        bad_credentials={"username": "reader"},
    )


SIMULATOR = Simulator(
    connector="atom",
    recipes=_recipes,
    routes=lambda setting: Feeds(dict(setting.datasets)).routes(),
    offer=_offer,
)
