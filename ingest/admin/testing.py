"""Test connection: the verdict as a message, and each step with its time on the source's page, shown once."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from connectors.checks import Check
from ingest import probing
from ingest.admin import cells
from ingest.admin.base import Panel, table
from ingest.models import Source

# A web request must not hang for long.
PATIENCE = timedelta(seconds=20)
SESSION_KEY = "tested"
KEPT_AT_ONCE = 10


def run(request: HttpRequest, chosen: QuerySet[Source]) -> None:
    until = timezone.now() + PATIENCE
    for source in chosen.order_by("name"):
        checks = list(probing.probe(source, now=timezone.now, until=until))
        _keep(request, source, checks)
        _tell(request, source, checks)


def panels(request: HttpRequest, source: Source) -> list[Panel]:
    """Return what the latest test came to, unless the page has shown it before."""
    kept = request.session.get(SESSION_KEY, {})
    found = kept.pop(f"{source.pk}", None)
    if found is None:
        return []
    request.session[SESSION_KEY] = kept
    headers = ("Step", "Time", "Result", "What came of it")
    rows = [(name, seconds, cells.label(*verdict), told) for name, seconds, verdict, told in found["steps"]]
    return [table(f"Test of the connection, {found['at']}", headers=headers, rows=rows, ends_in_text=True)]


def _verdict(check: Check) -> tuple[str, str]:
    if not check.is_taken:
        return "not tried", "grey"
    return ("good", "green") if check.is_ok else ("failed", "red")


def _seconds(check: Check) -> str:
    return f"{check.seconds:.2f} s" if check.is_taken else cells.EMPTY


def _keep(request: HttpRequest, source: Source, checks: list[Check]) -> None:
    steps = [(check.name, _seconds(check), _verdict(check), check.told) for check in checks]
    others = {key: one for key, one in request.session.get(SESSION_KEY, {}).items() if key != f"{source.pk}"}
    latest = dict(list(others.items())[-(KEPT_AT_ONCE - 1) :])
    found = {"at": cells.utc(timezone.now()), "steps": steps}
    request.session[SESSION_KEY] = {**latest, f"{source.pk}": found}


def _tell(request: HttpRequest, source: Source, checks: list[Check]) -> None:
    failed = [check for check in checks if not check.is_ok]
    if not failed:
        seconds = sum(check.seconds for check in checks)
        steps = cells.plural(sum(check.is_taken for check in checks), "step")
        messages.success(request, f"{source.name}: the connection works; {steps} in {seconds:.2f} s.")
        return
    told = f"{source.name}: {failed[0].name}: {failed[0].told}"
    more = (
        f" {len(failed)} of {len(checks)} steps failed; the source's page lists them." if failed[1:] else ""
    )
    messages.error(request, f"{told}{more}")
