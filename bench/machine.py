"""What the figures were measured on: ratios travel, absolute figures do not."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import psutil

from bench.databases import Database
from local.servers import PROJECT

SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
)


def facts(database: Database) -> dict[str, str]:
    """Return facts of machine, programs and settings, each with its name."""
    asked = ", ".join(f"current_setting('{name}')" for name in SETTINGS)
    (values,) = database.rows(f"SELECT {asked}")
    version, *settings = values
    return {
        "commit": _commit(),
        "CPU": f"{os.cpu_count()} cores, {_cpu()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{version.split()[0]}, "
        + ", ".join(f"{name}={value}" for name, value in zip(SETTINGS[1:], settings, strict=True)),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
