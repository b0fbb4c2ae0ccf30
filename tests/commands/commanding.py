"""Running a command as the command line does, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.core.management import CommandError, call_command


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def run(name: str, *arguments: str) -> Done:
    out, err = StringIO(), StringIO()
    code: Any = 0
    try:
        call_command(name, *arguments, stdout=out, stderr=err)
    except SystemExit as exit_:
        code = exit_.code
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    return Done(code=code, out=out.getvalue(), err=err.getvalue())
