"""rotate-keys: encrypt every secret anew with the first of FIELD_ENCRYPTION_KEYS."""  # noqa: N999 - as typed

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from ingest import rotating
from ingest.management.base import Exit, SyncCommand


class Command(SyncCommand):
    help = (
        "Encrypt every stored secret with the first of FIELD_ENCRYPTION_KEYS, a few at a time, while syncing "
        "goes on. Put the new key in front and restart all processes first; interrupted, run it again. "
        "Afterwards the old keys can go."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--batch", type=int, default=100, metavar="N", help="rows at once (default 100)")

    def act(self, *, batch: int, **options: Any) -> Exit:
        seen = changed = 0
        lost: list[str] = []
        for done in rotating.rotate(batch_size=max(batch, 1)):
            seen, changed = seen + done.seen, changed + done.changed
            lost += [f"{done.column} {pk}" for pk in done.unreadable]
            self.say(f"{done.column}: {done.seen} looked at, {done.changed} encrypted anew")
        if options["json"]:
            self.write_json({"seen": seen, "changed": changed, "unreadable": lost})
        elif lost:
            self.stdout.write(
                f"{changed} of {seen} secrets encrypted anew. None of the keys reads these: "
                f"{', '.join(lost)}. Put the key they were written with back on the list, "
                "or give the sources new credentials."
            )
        else:
            self.stdout.write(
                f"{changed} of {seen} secrets encrypted anew. All are under the first key: the others can go."
            )
        return Exit.FAILED if lost else Exit.OK
