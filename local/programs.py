"""Finding the servers' programs in their wheels, in a place where the servers' user can run them."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

from local.errors import ServerError
from local.processes import identity_options
from local.servers import PROJECT

# The Makefile puts the wheels here whatever the Python version: only their programs are used.
WHEELS = PROJECT / ".venv" / "servers"


def find(program: str, *, variable: str, folder: Path) -> Path:
    """
    Return the path of a program, given by its place in its wheel.

    :param folder: where to copy the wheel's programs if the servers' user cannot reach them
    :raises ServerError: if this machine has no such program, or cannot run it
    """
    site = next((place for place in _places() if (place / program).exists()), None)
    if site is None:
        raise ServerError(
            f"No private {Path(program).name} here: its wheel is not installed, or there is none for this "
            f"platform. Set {variable} to a server of your own, or run `make venv` if you have not yet."
        )
    if _runs(site / program):
        return site / program
    copy = _copied(site, package=Path(program).parts[0], folder=folder) / program
    if not _runs(copy):
        raise ServerError(f"{copy} does not run here. Set {variable} to a server of your own.")
    return copy


def _places() -> list[Path]:
    return [WHEELS, *(Path(entry) for entry in sys.path if entry)]


def _runs(program: Path) -> bool:
    try:
        done = subprocess.run(
            [program, "--version"], cwd="/", capture_output=True, check=False, **identity_options()
        )
    except OSError:
        return False
    return done.returncode == 0


def _copied(site: Path, *, package: str, folder: Path) -> Path:
    version = next(site.glob(f"{package}-*.dist-info"), Path(package)).stem
    copy = folder / "programs" / version
    if not copy.exists():
        fresh = copy.with_name(f"{version}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        for part in site.glob(f"{package}*"):
            if part.is_dir():
                shutil.copytree(part, fresh / part.name, ignore=shutil.ignore_patterns("*.a", "include"))
        _make_readable(fresh)
        fresh.rename(copy)
    (folder / "programs").chmod(0o755)
    return copy


def _make_readable(folder: Path) -> None:
    """Undo a narrow umask; the folder above lets only the servers' user in."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            is_program = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if is_program else 0o644)
