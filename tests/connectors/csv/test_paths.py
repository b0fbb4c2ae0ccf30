"""Only regular files below an allowed folder are read, whatever way the path is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors import connect
from connectors.base import Access, Connector
from connectors.errors import ConfigError
from connectors.files import LocalFile
from tests.connectors.csv.conftest import payloads_of

Maker = Callable[..., Connector]


@pytest.mark.parametrize(
    "given",
    [
        "../outside/secret.csv",
        "./../outside/secret.csv",
        "deep/../../outside/secret.csv",
        "{outside}/secret.csv",
        "{files}/../outside/secret.csv",
        "{files}beside/secret.csv",
        "link_out.csv",
        "link_folder/secret.csv",
        "link_chain.csv",
        "/etc/passwd",
        "//etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "link_proc",
        "../outside",
        "..",
        "/",
        "~/table.csv/../../../../etc/passwd",
    ],
)
def test_path_outside_the_roots_is_refused(folder: Path, source: Maker, given: str) -> None:
    outside = folder.parent / "outside"
    (folder / "link_out.csv").symlink_to(outside / "secret.csv")
    (folder / "link_chain.csv").symlink_to("link_out.csv")
    (folder / "link_folder").symlink_to(outside)
    (folder / "link_proc").symlink_to("/proc/self/environ")
    connector = source(sourceIdentifier=given.format(outside=outside, files=folder))
    with pytest.raises(ConfigError, match=r"not below the allowed folders.*SYNC_FILE_ROOTS"):
        payloads_of(connector)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("missing.csv", "no such file"),
        ("deep/missing.csv", "no such file"),
        ("{outside}/missing.csv", "not below"),
        (".", "not a regular file"),
        ("deep", "not a regular file"),
        ("loop", "not below|no such file|cannot be opened"),
        ("nul\0.csv", "NUL"),
        ("x" * 5000, "not below|cannot be opened"),
        ("ftp://host/key.csv", "only files and http"),
        ("file:///etc/passwd", "only files and http"),
    ],
)
def test_unusable_path_is_named(folder: Path, source: Maker, given: str, said: str) -> None:
    (folder / "deep").mkdir()
    (folder / "loop").symlink_to("loop")
    connector = source(sourceIdentifier=given.format(outside=folder.parent / "outside"))
    with pytest.raises(ConfigError, match=said):
        payloads_of(connector)


@pytest.mark.timeout(5)
def test_pipe_is_refused_without_waiting_for_a_writer(folder: Path, source: Maker) -> None:
    os.mkfifo(folder / "pipe.csv")
    with pytest.raises(ConfigError, match="not a regular file"):
        payloads_of(source(sourceIdentifier="pipe.csv"))


def test_pseudo_files_are_refused_even_below_the_root_folder() -> None:
    for given in ("/proc/self/environ", "/sys/kernel/notes", "/dev/null"):
        with pytest.raises(ConfigError, match="not below"):
            LocalFile(given, roots=(Path("/"),))


def test_symlink_put_there_after_the_check_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "table.csv").write_text("title\nmine\n")
    exists = Path.exists

    def swap(path: Path) -> bool:
        found = exists(path)
        if path.name == "table.csv" and not path.is_symlink():
            path.unlink()
            path.symlink_to(folder.parent / "outside" / "secret.csv")
        return found

    monkeypatch.setattr(Path, "exists", swap)
    with pytest.raises(ConfigError, match="cannot be opened"):
        LocalFile("table.csv", roots=(folder,))


def test_without_roots_the_setting_is_named() -> None:
    connector = connect("csv", config={"sourceIdentifier": "x.csv"}, credentials={}, access=Access())
    with pytest.raises(ConfigError, match=r"x\.csv: .* Set SYNC_FILE_ROOTS"):
        payloads_of(connector)


@pytest.mark.parametrize(
    "given", ["a/table.csv", "{files}/a/table.csv", "a/../a/table.csv", "inside_link.csv"]
)
def test_path_inside_is_read(folder: Path, source: Maker, given: str) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "table.csv").write_text("title\nmine\n")
    (folder / "inside_link.csv").symlink_to(folder / "a" / "table.csv")
    connector = source(sourceIdentifier=given.format(files=folder))
    assert payloads_of(connector) == [{"title": "mine"}]


def test_relative_path_is_looked_for_below_each_root(folder: Path) -> None:
    second = folder.parent / "second"
    second.mkdir()
    (second / "table.csv").write_text("title\nhere\n")
    access = Access(file_roots=(folder, second))
    connector = connect("csv", config={"sourceIdentifier": "table.csv"}, credentials={}, access=access)
    assert payloads_of(connector) == [{"title": "here"}]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_named(folder: Path, source: Maker) -> None:
    (folder / "table.csv").write_text("title\n")
    (folder / "table.csv").chmod(0)
    with pytest.raises(ConfigError, match="may not be read"):
        payloads_of(source(sourceIdentifier="table.csv"))
