"""
The door: python -m tests.chaos [--seconds 90] [--seed n] [--lease 10].

Watches over the soak, which is a process of its own: whatever becomes of it, it ends in time and nothing
it started is left behind.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from local.processes import free_port
from local.servers import HOST, NAME, PROJECT
from tests.chaos.journal import say
from tests.chaos.processes import sweep

#: Starting, settling and comparing, on a machine that has a lot else to do.
SPARE_SECONDS = 600
END_SECONDS = 30.0
SHORT_LEASE = 10


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o711)  # where we are root, the servers run as another user
    say(
        f"chaos: seed {asked.seed}, {asked.seconds} s, leases of {asked.lease} s, events and logs in {folder}"
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    command = [sys.executable, "-m", "tests.chaos.soak", "--folder", str(folder)]
    options = [f"--{name}={getattr(asked, name)}" for name in ("seed", "seconds", "lease")]
    # A session of its own: Ctrl-C reaches this process alone.
    soak = subprocess.Popen([*command, *options], cwd=PROJECT, env=_environment(), start_new_session=True)
    try:
        code = soak.wait(timeout=asked.seconds * 1.2 + SPARE_SECONDS)
    except subprocess.TimeoutExpired:
        say(f"chaos: NOT OK, seed {asked.seed}: it did not come to an end")
        code = 1
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    finally:
        _end(soak)
        sweep(folder)
    if code == 0:
        for server in ("postgres", "redis", "programs"):
            shutil.rmtree(folder / server, ignore_errors=True)
    return code


def _end(soak: subprocess.Popen[bytes]) -> None:
    if soak.poll() is None:
        soak.terminate()
        try:
            soak.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            soak.kill()
            soak.wait()


def _environment() -> dict[str, str]:
    """Return where the soak finds its servers, which it starts itself, and keys that nothing else knows."""
    postgres, redis = (f"{secrets.token_hex(16)}@{HOST}:{free_port()}" for _ in range(2))
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "DATABASE_URL": f"postgres://{NAME}:{postgres}/{NAME}",
        "REDIS_URL": f"redis://:{redis}/0",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "LOG_LEVEL": "INFO",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description="Break everything, then prove that nothing was lost."
    )
    parser.add_argument("--seconds", type=int, default=90, help="how long to break things (default 90)")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="default: drawn and printed"
    )
    parser.add_argument("--lease", type=int, default=SHORT_LEASE, help="LEASE_SECONDS; production has 40")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
