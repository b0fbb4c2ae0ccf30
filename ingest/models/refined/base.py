"""What the table of every kind has."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models.functions import Now

from ingest.models.raw import RawRecord
from ingest.models.source import Source

MONEY: dict[str, Any] = {"max_digits": 20, "decimal_places": 6, "null": True}
TEXT: dict[str, Any] = {"null": True}
ID: dict[str, Any] = {"max_length": 255, "null": True}
EMAIL: dict[str, Any] = {"max_length": 320, "null": True}
CURRENCY: dict[str, Any] = {"max_length": 3, "null": True}
#: A relation; its indexes come from `links`.
LINK: dict[str, Any] = {"null": True, "on_delete": models.SET_NULL, "db_index": False}
PARENT: dict[str, Any] = {**LINK, "on_delete": models.CASCADE}


def links(prefix: str, *names: str) -> list[models.Index]:
    """
    Return the indexes of relations: one for the rows that have a target, one for those that wait for it.

    A row without costs nothing, and late targets find their rows without reading the table.
    """
    found: list[models.Index] = []
    for name in names:
        key = f"{name}_external_id"
        has_target = models.Q(**{f"{name}__isnull": False})
        waits = models.Q(**{f"{name}__isnull": True, f"{key}__isnull": False})
        found += [
            models.Index(fields=[name], condition=has_target, name=f"{prefix}_{name}"),
            models.Index(fields=["source", key], condition=waits, name=f"{prefix}_awaits_{name}"),
        ]
    return found


class RefinedRecord(models.Model):
    """
    What every kind has. Field names match `connectors.kinds`; the rest is reachable through `raw`.

    Null in a column means the source does not say, which is not the same as an empty text.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The unique constraint's index serves look-ups by source. No constraint in the database: every row
    # of a batch names the same source, and the page written with it names a job that names it for real.
    # No way back from the source: Django would look through one per kind in every query of a job.
    source = models.ForeignKey(
        Source, on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    external_id = models.CharField(max_length=255)
    #: The version it was built from. Old versions are pruned, so this is a pointer, not a promise.
    raw = models.ForeignKey(
        RawRecord,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    occurred_at = models.DateTimeField(null=True)
    source_updated_at = models.DateTimeField(null=True, help_text="The provider's time of last change.")
    day = models.DateField(help_text="The UTC day it counts for: when it occurred, else when first synced.")
    #: Lets the upsert tell which day an update took the row away from, without reading the row first.
    previous_day = models.DateField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, help_text="When the provider said it is gone.")
    created_at = models.DateTimeField(db_default=Now())
    synced_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="one_%(class)s_per_external_id")
        ]
        # The day alone: an index that began with the source would tempt the planner, while its statistics
        # are old, to look ids up by reading the whole source.
        indexes = [models.Index(fields=["day"], name="%(class)s_day")]

    def __str__(self) -> str:
        return self.external_id
