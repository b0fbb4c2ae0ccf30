"""The page of reliability names guards and tests that exist."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from functools import cache

import pytest

from local.servers import PROJECT

ROW = re.compile(r"\| \d+ \|")
ROWS = [line for line in (PROJECT / "docs/reliability.md").read_text().splitlines() if ROW.match(line)]
TEST = re.compile(r"(tests/[\w/]+(?:\.py|/))?(?:::(\w+))?")
GUARD = re.compile(r"`([a-zA-Z_]+(?:\.\w+)+)(?:\([^`]*\))?`")
#: Guards are named without what is clear.
PACKAGES = ("", "ingest.", "connectors.", "metrics.", "syncproject.")


def named_tests() -> Iterator[tuple[str, str]]:
    """Yield file and test; a test without a file is in that of the one before."""
    for row in ROWS:
        file = ""
        for place, test in TEST.findall(row):
            file = place or file
            if place or test:
                yield file, test


def named_guards() -> Iterator[str]:
    for row in ROWS:
        yield from (name for name in GUARD.findall(row) if not name.endswith((".lua", ".py")))


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((PROJECT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "test"), sorted(set(named_tests())))
def test_a_test_it_names_exists(file: str, test: str) -> None:
    assert (PROJECT / file).exists()
    assert not test or test in names_in(file)


@pytest.mark.parametrize("name", sorted(set(named_guards())))
def test_a_guard_it_names_exists(name: str) -> None:
    assert any(exists(f"{package}{name}") for package in PACKAGES)


def exists(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_the_rows_were_read() -> None:
    assert len(ROWS) > 80
    assert len(set(named_tests())) > 100
    assert len(set(named_guards())) > 50
