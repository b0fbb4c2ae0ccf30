"""What providers said: every distinct version of every object, and the records nobody could read."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now

from ingest.models.job import CollectionJob
from ingest.models.source import Source, SourceStream


class VerbatimJSONField(models.JSONField):
    """
    JSON kept as the text that came: PostgreSQL's type `json`, where Django's own field takes `jsonb`.

    Cheaper to write and to read, and no key is sorted or dropped on the way. It reads like its parent, but
    cannot be filtered by its content.
    """

    def db_type(self, connection: Any) -> str:
        return "json"

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        # As text, which Django decodes, as it does jsonb; psycopg2 would have decoded `json` before it.
        return f"({sql})::text", params


class RawRecord(models.Model):
    """
    One version of one object, as the provider sent it. Rows are only ever added.

    An object that goes A, B, A has three rows: each new version is compared with the latest only.
    """

    # No constraint in the database, as for `source` of the refined kinds: checked once per page, not per row.
    stream = models.ForeignKey(
        SourceStream,
        on_delete=models.CASCADE,
        related_name="raw_records",
        db_index=False,
        db_constraint=False,
    )
    external_id = models.CharField(max_length=255)
    version = models.PositiveIntegerField()
    #: The bytes as received.
    payload = VerbatimJSONField()
    #: sha256 of these bytes: what is equal here has not changed; what differs is compared by content.
    body_hash = models.BinaryField(max_length=32)
    source_updated_at = models.DateTimeField(null=True)
    is_deleted = models.BooleanField(default=False, help_text="The provider says the object is gone.")
    #: The run it came with; runs are pruned sooner than versions, so a pointer without a promise.
    job = models.ForeignKey(
        CollectionJob,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "raw version"
        constraints = [
            # Two writers cannot both add the next version; it is also the index the landing reads.
            models.UniqueConstraint(fields=["stream", "external_id", "version"], name="one_row_per_version")
        ]

    def __str__(self) -> str:
        return f"{self.external_id} v{self.version}"


class FailedSync(models.Model):
    """A dead letter: a record that could not be read, stored or understood, with the reason."""

    class Resolution(models.TextChoices):
        SYNCED = "SYNCED", "A later sync of the object succeeded"
        REPLAYED = "REPLAYED", "A replay succeeded"
        BY_HAND = "BY_HAND", "Resolved by hand"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="dead_letters")
    stream = models.ForeignKey(SourceStream, on_delete=models.CASCADE, related_name="dead_letters")
    job = models.ForeignKey(CollectionJob, null=True, on_delete=models.SET_NULL, related_name="dead_letters")
    kind = models.CharField(max_length=50)
    external_id = models.CharField(max_length=255, blank=True, help_text="Empty when the record has none.")
    raw = models.ForeignKey(RawRecord, null=True, on_delete=models.SET_NULL, related_name="dead_letters")
    raw_data = models.JSONField(help_text="The record; text that PostgreSQL cannot store is escaped.")
    error_type = models.CharField(max_length=30)
    error = models.TextField()
    fingerprint = models.CharField(
        max_length=64, help_text="Tells the same failing object again: sha256 of its id, else of its body."
    )
    attempts = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_failed_at = models.DateTimeField(db_default=Now(), editable=False)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=8, choices=Resolution, blank=True)

    class Meta:
        verbose_name = "dead letter"
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "fingerprint"],
                condition=models.Q(resolved_at__isnull=True),
                name="one_open_letter_per_object",
            )
        ]
        indexes = [
            models.Index(fields=["stream", "external_id"], name="letter_object"),
            models.Index(fields=["-id"], condition=models.Q(resolved_at__isnull=True), name="letter_open"),
        ]

    def __str__(self) -> str:
        return f"dead letter {self.pk}"
