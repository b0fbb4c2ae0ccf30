"""Where the private servers keep their data, and who may enter."""

from __future__ import annotations

import os
import stat
import subprocess
from hashlib import sha256
from pathlib import Path

from local.errors import ServerError
from local.processes import identity_options, unprivileged_user
from local.servers import FOLDER, PROJECT

# Survives a reboot, unlike /tmp, and every user may make a folder in it.
OUTSIDE = Path("/var/tmp")  # noqa: S108 (what is found there is checked for its owner)


def make_record_folder() -> None:
    """
    Make .local, closed to other users.

    :raises ServerError: if another user made it
    """
    _make_private(FOLDER)
    _open_to_servers(FOLDER)


def data_folder() -> Path:
    """
    Return the folder below which the servers keep their data, made if need be.

    It is .local, unless we are root and the servers' user cannot get there; opening the folders above
    is not ours to do, so the data then goes to one folder of its own outside.

    :raises ServerError: if another user made it
    """
    if unprivileged_user() is None or _can_enter(PROJECT):
        return FOLDER
    folder = outside_folder()
    _make_private(folder)
    _open_to_servers(folder)
    return folder


def outside_folder() -> Path:
    """Return where the data is if it is not in the project."""
    return OUTSIDE / f"syncproject-{sha256(os.fsencode(PROJECT)).hexdigest()[:12]}"


def make_for_servers(folder: Path) -> None:
    """Make a folder that belongs to the servers' user alone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if user := unprivileged_user():
        os.chown(folder, user.pw_uid, user.pw_gid)


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ServerError(f"{folder} belongs to another user: run this as that user, or remove the folder.")


def _open_to_servers(folder: Path) -> None:
    """Let the servers' user pass through (root's files stay out of its reach), and nobody else."""
    if user := unprivileged_user():
        os.chown(folder, 0, user.pw_gid)
        folder.chmod(0o710)


def _can_enter(folder: Path) -> bool:
    command = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
    done = subprocess.run(command, cwd="/", stderr=subprocess.DEVNULL, check=False, **identity_options())
    return done.returncode == 0
