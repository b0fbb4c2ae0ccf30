"""Rotating keys: every secret encrypted anew with the first key, a few rows at a time, while all goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models, transaction
from django.db.models.functions import Cast

from ingest import crypto
from ingest.crypto import EncryptedJSONField

LOCK_SECONDS = 15  # longer than a token is renewed under its row's lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What came of a few rows of one column."""

    column: str
    seen: int
    changed: int
    #: Rows that none of the keys reads.
    unreadable: tuple[int, ...]


def rotate(*, batch_size: int) -> Iterator[Batch]:
    """
    Encrypt with the first key what is not yet, and say after each batch what was done.

    What is done stays done: a run that was interrupted is begun again and finds the rest.
    """
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedJSONField):
                yield from _column(model, field.attname, batch_size)


def _column(model: type[models.Model], name: str, batch_size: int) -> Iterator[Batch]:
    seen = 0
    for batch in _pass(model, name, batch_size, waits=False):
        seen += batch.seen
        yield batch
    if seen < _filled(model, name).count():
        # Somebody is writing to the rest: a token is being renewed, say.
        yield from _pass(model, name, batch_size, waits=True)


def _pass(model: type[models.Model], name: str, batch_size: int, *, waits: bool) -> Iterator[Batch]:
    latest = 0
    while True:
        with transaction.atomic():
            rows = _locked(model, name, after=latest, limit=batch_size, waits=waits)
            batch = _rewritten(model, name, rows)
        if not rows:
            return
        latest = rows[-1][0]
        yield batch


def _filled(model: type[models.Model], name: str) -> Any:
    # As text: the field itself would decrypt it.
    texts = model._default_manager.annotate(text=Cast(name, models.TextField()))
    return texts.filter(text__isnull=False)


def _locked(
    model: type[models.Model], name: str, *, after: int, limit: int, waits: bool
) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    rows = _filled(model, name).select_for_update(skip_locked=not waits, no_key=True)
    return list(rows.filter(pk__gt=after).order_by("pk").values_list("pk", "text")[:limit])


def _rewritten(model: type[models.Model], name: str, rows: list[tuple[int, str]]) -> Batch:
    changed, unreadable = 0, []
    for pk, text in rows:
        try:
            fresh = crypto.rotated(text)
        except ImproperlyConfigured:
            unreadable.append(pk)
            continue
        if fresh is not None:
            written = models.Value(fresh, output_field=models.TextField())
            changed += model._default_manager.filter(pk=pk).update(**{name: written})
    column = f"{model._meta.verbose_name} {name}"
    return Batch(column=column, seen=len(rows), changed=changed, unreadable=tuple(unreadable))
