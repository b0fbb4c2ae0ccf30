"""The CSV files: their rows, their validators and their ranges."""

import csv
import io
from pathlib import Path

import pytest
import requests

from sandbox import SandboxClient
from sandbox.__main__ import main


@pytest.fixture
def music(world: SandboxClient) -> str:
    return f"{world.url}/files/music.csv"


def rows(body: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))


def test_music_has_a_header_and_a_row_per_song(music: str, http: requests.Session) -> None:
    header, *songs = rows(http.get(music).content)
    assert header == ["song_name", "artist_name", "music_genre", "album", "track_id"]
    assert [song[4] for song in songs] == [str(number) for number in range(1, 121)]
    assert {len(song) for song in songs} == {5}
    assert any("\n" in song[0] for song in songs)
    assert any("," in song[1] for song in songs)


def test_catalog_has_no_header_and_distinct_rows(world: SandboxClient, http: requests.Session) -> None:
    found = rows(http.get(f"{world.url}/files/catalog.csv").content)
    assert len({tuple(row) for row in found}) == 40
    assert {row[0] for row in found} == {"music", "video", "movie", "game"}
    assert all(row[1] == f"{row[2]}GB" and row[6] in {"true", "false"} for row in found)


def test_ranges_put_together_are_the_file(music: str, http: requests.Session) -> None:
    whole = http.get(music)
    parts = []
    for start in range(0, len(whole.content), 1_000):
        part = http.get(
            music, headers={"Range": f"bytes={start}-{start + 999}", "If-Range": whole.headers["ETag"]}
        )
        assert part.status_code == 206
        assert part.headers["Content-Range"].startswith(f"bytes {start}-")
        parts.append(part.content)
    assert b"".join(parts) == whole.content


@pytest.mark.parametrize(
    ("asked", "status"),
    [("bytes=10-", 206), ("bytes=-7", 206), ("bytes=9999999-", 416), ("bytes=-", 200), ("lines=1-2", 200)],
)
def test_range_forms(music: str, http: requests.Session, asked: str, status: int) -> None:
    whole = http.get(music).content
    answer = http.get(music, headers={"Range": asked})
    assert answer.status_code == status
    expected = {"bytes=10-": whole[10:], "bytes=-7": whole[-7:], "bytes=9999999-": b""}.get(asked, whole)
    assert answer.content == expected
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(whole)}"


def test_range_of_a_file_that_changed_gives_the_whole_new_file(
    world: SandboxClient, music: str, http: requests.Session
) -> None:
    before = http.get(music)
    world.change("files.music", share=0.1)
    answer = http.get(music, headers={"Range": "bytes=100-", "If-Range": before.headers["ETag"]})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != before.headers["ETag"]
    assert len(rows(answer.content)) == 121


def test_unchanged_file_is_not_sent_again(music: str, http: requests.Session) -> None:
    first = http.get(music)
    for header, value in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified")):
        answer = http.get(music, headers={header: first.headers[value]})
        assert (answer.status_code, answer.content) == (304, b"")


def test_removed_row_makes_the_file_modified(
    world: SandboxClient, music: str, http: requests.Session
) -> None:
    first = http.get(music)
    world.change("files.music", delete=1)
    answer = http.get(music, headers={"If-Modified-Since": first.headers["Last-Modified"]})
    assert answer.status_code == 200
    assert len(rows(answer.content)) == 120


def test_written_files_equal_served_ones(
    world: SandboxClient, http: requests.Session, tmp_path: Path
) -> None:
    now = ["--now", "2026-09-21T14:13:20Z"]
    assert main([*now, "--songs", "120", "--catalog", "40", "write-files", str(tmp_path / "out")]) == 0
    for name in ("music.csv", "catalog.csv"):
        assert (tmp_path / "out" / name).read_bytes() == http.get(f"{world.url}/files/{name}").content
