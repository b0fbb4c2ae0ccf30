"""The Atom and RSS feeds."""

from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
import requests

from sandbox import SandboxClient

ATOM = "{http://www.w3.org/2005/Atom}"
TOMBSTONE = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"


def feed(http: requests.Session, url: str) -> list[Element]:
    """Return the feed's pages, following rel=next."""
    found: list[Element] = []
    following: str | None = url
    while following:
        page = defusedxml.ElementTree.fromstring(http.get(following).content)
        found.append(page)
        links = [link.get("href") for link in page.iter(f"{ATOM}link") if link.get("rel") == "next"]
        following = links[0] if links else None
    return found


def test_atom_pages_hold_every_entry_once_newest_first(world: SandboxClient, http: requests.Session) -> None:
    pages = feed(http, f"{world.url}/feeds/articles.atom")
    entries = [entry for page in pages for entry in page.iter(f"{ATOM}entry")]
    updated = [entry.findtext(f"{ATOM}updated", "") for entry in entries]
    assert [len(list(page.iter(f"{ATOM}entry"))) for page in pages] == [100, 50]
    assert {entry.findtext(f"{ATOM}id") for entry in entries} == set(_ids(world, "feeds.articles"))
    assert updated == sorted(updated, reverse=True)


def test_rss_pages_hold_every_item_once(world: SandboxClient, http: requests.Session) -> None:
    items = [item for page in feed(http, f"{world.url}/feeds/news.rss") for item in page.iter("item")]
    assert {item.findtext("guid") for item in items} == set(_ids(world, "feeds.news"))
    assert len(items) == 150
    assert all(parsedate_to_datetime(item.findtext("pubDate", "")) for item in items)


def _ids(world: SandboxClient, dataset: str) -> list[str]:
    return list(world.ledger(dataset, full=True)["expected"]["newest"])


def test_withdrawn_entries_leave_tombstones(world: SandboxClient, http: requests.Session) -> None:
    world.change("feeds.articles", delete=3)
    page = feed(http, f"{world.url}/feeds/articles.atom")[0]
    stones = {stone.get("ref"): stone.get("when") for stone in page.iter(TOMBSTONE)}
    assert stones == world.ledger("feeds.articles")["deleted"]
    assert len(stones) == 5
    assert not stones.keys() & set(_ids(world, "feeds.articles"))


def test_unchanged_feed_is_not_sent_again(world: SandboxClient, http: requests.Session) -> None:
    for name in ("articles.atom", "news.rss"):
        first = http.get(f"{world.url}/feeds/{name}")
        known = {"If-None-Match": first.headers["ETag"]}
        assert http.get(first.url, headers=known).status_code == 304
        world.change(f"feeds.{name.split('.')[0]}", share=0.01)
        assert http.get(first.url, headers=known).status_code == 200


def test_ids_keep_odd_shapes(world: SandboxClient, http: requests.Session) -> None:
    ids = _ids(world, "feeds.articles")
    assert any("%C3%A9" in name for name in ids)
    assert any("é" in name and "&" in name for name in ids)
