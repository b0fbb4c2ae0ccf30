"""Recorded feeds from elsewhere, read from outside the project."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from connectors.errors import SchemaError
from connectors.feeds import ATOM, parse_feed

URL = "https://feeds.example.com/x"


@pytest.mark.parametrize(("name", "count"), [("palace_feed.opds", 100), ("content_server.opds", 76)])
def test_library_catalogues_are_complete_and_their_ids_exact(samples: Path, name: str, count: int) -> None:
    body = (samples / "feeds" / name).read_bytes()
    feed = parse_feed(body, url=URL)
    ids = [entry["id"] for entry in feed.entries]
    assert ids == [element.text for element in ET.fromstring(body).findall(f"{ATOM}entry/{ATOM}id")]
    assert len(set(ids)) == len(ids) == count
    assert feed.next_url is not None
    assert all(entry["title"] and entry["updated"] for entry in feed.entries)


def expectations(samples: Path) -> list[dict[str, str]]:
    with (samples / "feeds" / "expected_by_feedparser.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_well_formed_feeds_have_the_entries_feedparser_finds(samples: Path) -> None:
    wrong, read = [], 0
    for row in expectations(samples):
        if row["bozo"] == "1" or row["version"] not in {"atom10", "rss20", "rss"}:
            continue
        try:
            feed = parse_feed((samples / "feeds" / row["file"]).read_bytes(), url=URL)
        except SchemaError as error:
            # An <rss> without <channel> is no RSS, though feedparser takes it for one.
            if "no channel" not in str(error) and "document type" not in str(error):
                wrong.append(f"{row['file']}: {error}")
            continue
        read += 1
        ids = {entry["id"] for entry in feed.entries if "id" in entry}
        if len(feed.entries) != int(row["entries"]):
            wrong.append(f"{row['file']}: {len(feed.entries)} entries")
        if row["version"] == "atom10" and len(ids) != int(row["distinct_ids"]):
            wrong.append(f"{row['file']}: ids {ids}")
    assert wrong == []
    assert read >= 270


def test_ids_are_not_normalised(samples: Path) -> None:
    files = sorted((samples / "feeds" / "feedparser_atom10").glob("entry_id_no_normalization_*.xml"))
    for file in files:
        expected = re.search(r"\['id'\] == '(.*)'", file.read_text())
        assert expected
        assert parse_feed(file.read_bytes(), url=URL).entries[0]["id"] == expected[1]
    assert len(files) == 7


def test_ill_formed_feeds_are_refused(samples: Path) -> None:
    broken = [row["file"] for row in expectations(samples) if row["bozo"] == "1"]
    for name in broken:
        with pytest.raises(SchemaError):
            parse_feed((samples / "feeds" / name).read_bytes(), url=URL)
    assert len(broken) > 15
