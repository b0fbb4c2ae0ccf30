"""Run by root, the servers are somebody else's, and the machine stays as it was."""

from __future__ import annotations

import os
import pwd
import stat
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from tests.local.checkout import IS_ROOT, Checkout, python_for

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root runs servers as another user")


def snapshot(folder: Path) -> dict[str, object]:
    """What must not change: who owns and enters the folders above, who the system's users are."""
    above = [Path("/var/tmp"), folder, *folder.parents]
    seen: dict[str, object] = {
        str(path): (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above
    }
    for name in ("/etc/passwd", "/etc/group", "/etc/shadow"):
        seen[name] = Path(name).read_bytes()
    seen["in /var/tmp"] = {path.name for path in Path("/var/tmp").iterdir()}
    return seen


def outside(checkout: Checkout) -> Path:
    name = sha256(os.fsencode(checkout.folder)).hexdigest()[:12]
    return Path("/var/tmp") / f"syncproject-{name}"


def test_the_servers_run_as_nobody_with_data_in_the_project(checkout: Checkout) -> None:
    before = snapshot(checkout.folder)
    checkout("up")
    record = checkout.record
    users = {psutil.Process(record[name]["pid"]).username() for name in ("postgres", "redis")}
    assert users == {"nobody"}
    assert (checkout.folder / ".local" / "postgres" / "PG_VERSION").exists()
    assert snapshot(checkout.folder) == before


def test_the_servers_user_can_change_nothing_that_root_runs_or_writes(closed_checkout: Checkout) -> None:
    closed_checkout("up")
    folder = outside(closed_checkout)
    theirs = {path.name for path in folder.iterdir() if path.stat().st_uid == pwd.getpwnam("nobody").pw_uid}
    assert theirs == {"postgres", "redis"}
    assert folder.stat().st_uid == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o710


def test_a_closed_project_has_its_data_in_one_folder_outside(closed_checkout: Checkout) -> None:
    before = snapshot(closed_checkout.folder)
    closed_checkout("up")
    assert closed_checkout.query("SELECT 1") == [(1,)]
    after = snapshot(closed_checkout.folder)
    assert after.pop("in /var/tmp") == {*before.pop("in /var/tmp"), outside(closed_checkout).name}  # type: ignore[misc]
    assert after == before

    closed_checkout("down")
    closed_checkout("up")
    assert closed_checkout.query("SELECT 1") == [(1,)]
    closed_checkout("erase")
    assert not outside(closed_checkout).exists()
    assert not (closed_checkout.folder / ".local").exists()


def test_a_folder_laid_out_by_another_user_is_refused(closed_checkout: Checkout) -> None:
    trap = outside(closed_checkout)
    trap.mkdir()
    os.chown(trap, pwd.getpwnam("nobody").pw_uid, -1)
    try:
        code, output = closed_checkout.attempt("up")
    finally:
        trap.rmdir()
    assert code == 1
    assert f"{trap} belongs to another user" in output


def test_a_link_in_place_of_the_folder_is_refused(closed_checkout: Checkout, tmp_path: Path) -> None:
    trap = outside(closed_checkout)
    trap.symlink_to(tmp_path)
    mode = tmp_path.stat().st_mode
    try:
        code, output = closed_checkout.attempt("up")
    finally:
        trap.unlink()
    assert code == 1
    assert "belongs to another user" in output
    assert tmp_path.stat().st_mode == mode


def test_another_user_is_told_whose_the_servers_are(checkout: Checkout) -> None:
    nobody = pwd.getpwnam("nobody")
    python = python_for(nobody)
    if python is None:
        pytest.skip("no Python here that an ordinary user can run")
    checkout("up")
    code, output = Checkout(checkout.folder, python=python, user=nobody).attempt("up")
    assert code == 1
    assert ".local belongs to another user" in output
