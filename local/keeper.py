"""Bringing the private servers up and down, one command at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from local import postgres, processes, redis, servers
from local.errors import ServerError
from local.folders import data_folder, make_record_folder, outside_folder
from local.keys import ensure_keys
from local.servers import FOLDER, HOST, Server

ATTEMPTS = 5
PAUSE_SECONDS = 0.5
# Recovery after a crash reads all that was written since the last checkpoint.
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one server is started."""

    title: str
    launch: Callable[[], Popen[bytes]]
    is_ready: Callable[[], bool]
    log: Path


def up(*, keep: bool = True) -> list[str]:
    """
    Start what is not running and not given by DATABASE_URL or REDIS_URL; return what to tell.

    :param keep: leave them running when the last `run` ends
    :raises ServerError: if one does not come up
    """
    with one_at_a_time():
        known = servers.load()
        known.is_kept = known.is_kept or keep

        def save() -> None:
            servers.save(known)

        save()
        ensure_keys()
        return [_postgres_up(known.postgres, save=save), _redis_up(known.redis, save=save)]


def down() -> list[str]:
    """
    Stop what was started here; return what to tell.

    :raises ServerError: if one does not stop
    """
    with one_at_a_time():
        known = servers.load()
        told = [
            _stopped(postgres.TITLE, processes.stop(known.postgres, steps=postgres.STOP_STEPS)),
            _stopped(redis.TITLE, processes.stop(known.redis, steps=redis.STOP_STEPS)),
        ]
        known.postgres.pid = known.redis.pid = 0
        known.is_kept = False
        servers.save(known)
        return told


def erase() -> list[str]:
    """
    Stop the servers and remove their data.

    :raises ServerError: if one does not stop
    """
    told = down()
    with one_at_a_time():
        for folder in (outside_folder(), FOLDER):
            if folder.is_dir() and folder.lstat().st_uid == os.geteuid():
                shutil.rmtree(folder)
                told.append(f"Removed {folder}")
    return told


def status() -> list[str]:
    """Return one line per server."""
    known = servers.load()
    named = {postgres.TITLE: known.postgres, redis.TITLE: known.redis}
    return [
        _running(title, server) if processes.is_running(server) else f"{title} is not running"
        for title, server in named.items()
    ]


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """
    Keep other commands of this package waiting.

    :raises ServerError: if .local belongs to another user
    """
    make_record_folder()
    with (FOLDER / "servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _postgres_up(server: Server, *, save: Callable[[], None]) -> str:
    if servers.is_given(postgres.VARIABLE):
        return f"{postgres.VARIABLE} is set: no private {postgres.TITLE} is needed"
    folder = data_folder()
    if not processes.is_running(server):
        is_new_password = _give_password(server)
        postgres.prepare(server, folder=folder, is_new_password=is_new_password)
        # Only now: had this been cut short before, the role would not know the password we noted.
        save()
    recipe = Recipe(
        title=postgres.TITLE,
        launch=lambda: postgres.launch(server, folder=folder),
        is_ready=lambda: postgres.is_ready(server, folder=folder),
        log=postgres.log_file(folder),
    )
    return _server_up(server, recipe=recipe, save=save)


def _redis_up(server: Server, *, save: Callable[[], None]) -> str:
    if servers.is_given(redis.VARIABLE):
        return f"{redis.VARIABLE} is set: no private {redis.TITLE} is needed"
    folder = data_folder()
    _give_password(server)
    recipe = Recipe(
        title=redis.TITLE,
        launch=lambda: redis.launch(server, folder=folder),
        is_ready=lambda: redis.is_ready(server),
        log=redis.log_file(folder),
    )
    return _server_up(server, recipe=recipe, save=save)


def _give_password(server: Server) -> bool:
    is_new = not server.password
    server.password = server.password or secrets.token_hex(24)
    return is_new


def _server_up(server: Server, *, recipe: Recipe, save: Callable[[], None]) -> str:
    """Try more than once: the port may get taken, and the children of a killed server need a moment to go."""
    for attempt in range(ATTEMPTS):
        if not processes.is_running(server):
            time.sleep(PAUSE_SECONDS if attempt else 0)
            _launch(server, recipe=recipe, save=save)
        if _comes_up(server, recipe=recipe):
            return _running(recipe.title, server)
    raise ServerError(
        f"{recipe.title} does not start. Look at {recipe.log}, which ends with:\n"
        f"{processes.last_lines(recipe.log)}"
    )


def _launch(server: Server, *, recipe: Recipe, save: Callable[[], None]) -> None:
    if not server.port or not processes.is_free(server.port):
        server.port = processes.free_port()
    process = recipe.launch()
    server.pid, server.started = process.pid, processes.started_at(process.pid) or ""
    save()


def _comes_up(server: Server, *, recipe: Recipe) -> bool:
    processes.wait_until(lambda: recipe.is_ready() or not processes.is_running(server), seconds=READY_SECONDS)
    return processes.is_running(server) and recipe.is_ready()


def _running(title: str, server: Server) -> str:
    return f"{title} is running on {HOST}:{server.port} (process {server.pid})"


def _stopped(title: str, was_running: bool) -> str:
    return f"{title} stopped" if was_running else f"{title} was not running"
