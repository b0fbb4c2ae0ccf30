"""The door: python -m local up | down | status | run COMMAND | erase."""

from __future__ import annotations

import argparse
import sys

from local import keeper
from local.errors import ServerError
from local.running import run

COMMANDS = {"up": keeper.up, "down": keeper.down, "status": keeper.status, "erase": keeper.erase}


def main() -> int:
    """Carry out the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, "run"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for run: the command")
    asked = parser.parse_args()
    if bool(asked.arguments) != (asked.command == "run"):
        parser.error("run needs a command, the others take none")
    try:
        if asked.command == "run":
            return run(asked.arguments)
        sys.stdout.writelines(f"{line}\n" for line in COMMANDS[asked.command]())
    except (ServerError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
