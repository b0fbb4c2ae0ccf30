"""A copy of the package in a folder of its own, driven through its command line."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg2
import redis

PROJECT = Path(__file__).resolve().parents[2]
#: Where the servers' wheels may be; the first is the Makefile's place.
WHEELS = [PROJECT / ".venv" / "servers", Path(sysconfig.get_paths()["platlib"])]
IS_ROOT = os.geteuid() == 0


@dataclass
class Checkout:
    """Commands run here as `user`, or as ourselves."""

    folder: Path
    python: str = sys.executable
    user: pwd.struct_passwd | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start `python -m local ...`."""
        identity: dict[str, Any] = {}
        if self.user:
            identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        inherited = {
            name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}
        }
        return subprocess.Popen(
            [self.python, "-B", "-m", "local", *arguments],
            cwd=self.folder,
            env={
                **inherited,
                "PYTHONPATH": os.pathsep.join(map(str, WHEELS)),
                **self.environment,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **identity,
        )

    def attempt(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run it to its end; return exit code and output."""
        with self.start(*arguments, **environment) as process:
            output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def __call__(self, *arguments: str, **environment: str) -> str:
        code, output = self.attempt(*arguments, **environment)
        assert code == 0, output
        return output

    @property
    def record(self) -> dict[str, Any]:
        """The contents of .local/servers.json."""
        found: dict[str, Any] = json.loads((self.folder / ".local" / "servers.json").read_text())
        return found

    def write_record(self, record: dict[str, Any]) -> None:
        """Falsify .local/servers.json."""
        (self.folder / ".local" / "servers.json").write_text(json.dumps(record))

    def url(self, name: str) -> str:
        """Return what the settings would get from local.servers."""
        code = f"from local import servers; print(servers.{name}())"
        done = subprocess.run(
            [sys.executable, "-B", "-c", code], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return what PostgreSQL answers, [] for statements without rows."""
        connection = psycopg2.connect(self.url("database_url"))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def redis(self) -> redis.Redis:
        """Return a client of the private Redis."""
        return redis.Redis.from_url(self.url("redis_url"), decode_responses=True)


def copy_package(folder: Path) -> None:
    """Copy what is tested into the folder."""
    shutil.copytree(PROJECT / "local", folder / "local", ignore=shutil.ignore_patterns("__pycache__"))


@cache
def python_for(user: pwd.struct_passwd) -> str | None:
    """Return a Python 3.11+ that this user can run; ours may lie in a home folder closed to others."""
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    for name in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            done = subprocess.run(
                [name, "-c", code], cwd="/", user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False
            )
        except OSError:
            continue
        if done.returncode == 0:
            return name
    return None
