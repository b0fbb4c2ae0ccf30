"""describe: what connectors offer, as their code says; and the same written into their documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from connectors import all_connectors
from connectors.describing import describe, markdown
from ingest.management.base import Exit, SyncCommand, refuse

BEGIN = "<!-- From here on written by `manage.py describe {name} --write`: change the connector instead. -->"
END = "<!-- Until here. -->"


class Command(SyncCommand):
    help = "Tell what connectors offer: settings, credentials, streams, and which field comes from where."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("connectors", nargs="*", metavar="CONNECTOR", help="default: all")
        parser.add_argument(
            "--write", action="store_true", help="put it into docs/providers/CONNECTOR.md, as a test expects"
        )

    def act(self, *, connectors: list[str], write: bool, **options: Any) -> Exit:
        known = all_connectors()
        for name in connectors:
            if name not in known:
                refuse(f"There is no connector {name!r}. There are: {', '.join(known)}.")
        for name in connectors or known:
            if write:
                self._write(name)
            else:
                self.stdout.write(f"# {known[name].title}\n\n{markdown(describe(known[name]))}")
        return Exit.OK

    def _write(self, name: str) -> None:
        page = page_of(name)
        if not page.is_file():
            refuse(f"There is no {page}: write one in your own words first.")
        written = page.read_text(encoding="utf-8")
        renewed = with_description(written, name)
        if renewed != written:
            page.write_text(renewed, encoding="utf-8")
            self.say(f"{page}: written anew")


def page_of(name: str) -> Path:
    return Path(settings.BASE_DIR) / "docs" / "providers" / f"{name}.md"


def with_description(page: str, name: str) -> str:
    """Return the page with its generated part as it should be; without one it goes to the end."""
    begin = BEGIN.format(name=name)
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(END)
    told = markdown(describe(all_connectors()[name]))
    return f"{before.rstrip()}\n\n{begin}\n\n{told}\n{END}\n{after.lstrip(chr(10))}"
