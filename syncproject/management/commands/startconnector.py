"""startconnector: a room, its simulator, a recorded page, tests and a page of documentation, all green."""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from ingest.management.base import Exit, SyncCommand, refuse

SCAFFOLD = Path(__file__).parents[2] / "scaffold"
#: From the name of a template to where its text goes.
PLACES = {
    "room": "connectors/providers/{name}.py",
    "simulator": "sandbox/{name}.py",
    "page": "tests/connectors/{name}/pages/items_1.json",
    "test": "tests/connectors/{name}/test_{name}.py",
    "documentation": "docs/providers/{name}.md",
}
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 24


class Command(SyncCommand):
    help = "Start the room of a new provider: code, simulator, recorded page, tests and documentation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="such as acme or acme_crm: small letters, digits and underscores")
        parser.add_argument("--title", help='as people write it, such as "Acme CRM"')
        parser.add_argument(
            "--into", type=Path, default=Path(settings.BASE_DIR), help="another checkout than this one"
        )

    def act(self, *, name: str, title: str | None, into: Path, **options: Any) -> Exit:
        files = {into / place.format(name=name): _text(template) for template, place in PLACES.items()}
        _check(name, files, into)
        values = {
            "name": name,
            "title": title or name.replace("_", " ").title(),
            "cls": "".join(part.title() for part in name.split("_")),
            "date": timezone.now().date().isoformat(),
        }
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(Template(text).substitute(values), encoding="utf-8")
            self.say(f"made {file.relative_to(into)}")
        (into / "tests" / "connectors" / name / "__init__.py").touch()
        _describe(name, into)
        self.say(f"Next: pytest tests/connectors/{name} tests/connectors/contract -k {name}")
        self.say(
            "Then make it the real provider's, step by step: CONTRIBUTING.md, Add a provider in an afternoon."
        )
        return Exit.OK


def _text(template: str) -> str:
    return (SCAFFOLD / f"{template}.txt").read_text(encoding="utf-8")


def _describe(name: str, into: Path) -> None:
    # In a process of its own: this one has looked for rooms before this one was there.
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "manage.py", "describe", name, "--write"], cwd=into, check=False, capture_output=True
    )
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise CommandError(f"describe {name} --write: {reason}", returncode=Exit.FAILED)


def _check(name: str, files: dict[Path, str], into: Path) -> None:
    """:raises CommandError: if no room can have this name here"""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > LONGEST_NAME:
        refuse(f"{name!r} cannot name a connector: small letters, digits and single underscores, please.")
    rooms = [into / "connectors" / "providers" / name, into / "sandbox" / name]
    taken = [file for file in (*files, *rooms) if file.exists()]
    if taken:
        refuse(f"There is a {taken[0].relative_to(into)} already. Choose another name, or remove it.")
    if not (into / "tests" / "connectors").is_dir():
        refuse(f"{into} is no checkout of this project: connectors are started where their tests are.")
