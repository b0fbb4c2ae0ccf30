"""A new room is green at once: started in a copy of the checkout, and tested there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.commanding import run as command

PROJECT = Path(__file__).resolve().parents[2]
PARTS = ("connectors", "ingest", "metrics", "syncproject", "sandbox", "local", "tests")
NAME = "acme_crm"
MADE = (f"connectors/providers/{NAME}.py", f"sandbox/{NAME}.py", f"tests/connectors/{NAME}/test_{NAME}.py")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Path:
    for part in PARTS:
        shutil.copytree(PROJECT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PROJECT / "docs" / "providers", tmp_path / "docs" / "providers")
    for file in ("manage.py", "pyproject.toml"):
        shutil.copy(PROJECT / file, tmp_path)
    # Private servers and keys belong to their folder; the copy is told of them.
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        monkeypatch.setenv(name, getattr(settings, name))
    monkeypatch.setenv("FIELD_ENCRYPTION_KEYS", ",".join(settings.FIELD_ENCRYPTION_KEYS))
    return tmp_path


def python(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    rest = os.environ.get("PYTHONPATH", "").replace(str(PROJECT), "")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(checkout), rest])}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_new_room_is_formatted_linted_documented_and_keeps_the_contract(checkout: Path) -> None:
    done = command("startconnector", NAME, "--title", "Acme CRM", "--into", str(checkout))
    assert done.code == 0, done.err

    for tool in (("format", "--check"), ("check",)):
        found = python(checkout, "-m", "ruff", *tool, *MADE)
        assert found.returncode == 0, found.stdout
    tested = ("tests/connectors", "tests/commands/test_describe.py")
    found = python(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tested, "-k", NAME)
    assert found.returncode == 0, found.stdout
    assert " passed" in found.stdout
    assert "failed" not in found.stdout
    page = (checkout / "docs" / "providers" / f"{NAME}.md").read_text()
    assert page.startswith("# Acme CRM")
    assert "| record | title | `name` |" in page


@pytest.mark.parametrize("name", ["Acme", "acme crm", "1st", "class", "acme__crm", "a" * 25, "../acme", ""])
def test_a_name_that_can_be_none_is_refused(name: str, tmp_path: Path) -> None:
    done = command("startconnector", name, "--into", str(tmp_path))
    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["shopify", "rest", "faults"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    done = command("startconnector", name)
    assert done.code == 2
    assert "already" in done.err
