"""Sources and their streams: what is synced, when, and how far we have come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Greatest, Now

from ingest.crypto import EncryptedJSONField


class Source(models.Model):
    """One configured account at one provider, say "shopify-eu"."""

    name = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(r"^[\w.-]+$", "Use letters, digits, dots, dashes and underscores.")],
        help_text="Short name used on the command line, say shopify-eu.",
    )
    # No choices: they would turn every new connector into a migration.
    connector = models.CharField(max_length=50)
    config = models.JSONField(default=dict, blank=True)
    credentials: models.Field[Any, Any] = EncryptedJSONField(default=dict, blank=True, editable=False)
    is_paused = models.BooleanField(default=False, help_text="A paused source fetches nothing.")
    needs_reconnect_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The provider wants a person; nothing is fetched."
    )
    needs_reconnect_reason = models.TextField(blank=True, default="", db_default="", editable=False)
    access_version = models.PositiveIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="Goes up when a person lets us in anew: what was refused before says nothing of that.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "source"

    def __str__(self) -> str:
        return self.name


class SourceToken(models.Model):
    """The OAuth token of a source; its row's lock is the right to renew it."""

    source = models.OneToOneField(Source, on_delete=models.CASCADE, primary_key=True, related_name="token")
    #: The token, and which credentials it was minted from.
    token: models.Field[Any, Any] = EncryptedJSONField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True)
    renewed_at = models.DateTimeField(null=True)
    renewals = models.PositiveIntegerField(default=0)
    unanswered_at = models.DateTimeField(
        null=True, help_text="When a renewal got no answer that could be read; empty after the next good one."
    )
    quiet_until = models.DateTimeField(null=True, help_text="The token endpoint asked us to wait until then.")

    class Meta:
        verbose_name = "token"

    def __str__(self) -> str:
        return f"token of source {self.source_id}"


class SourceStream(models.Model):
    """One kind of record of one source, with its schedule and its watermark."""

    class Mode(models.TextChoices):
        INCREMENTAL = "INCREMENTAL", "Incremental: what changed since the watermark"
        FULL = "FULL", "Full refresh: everything, every time"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="streams")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=50, help_text="The refined table its records go to.")
    is_enabled = models.BooleanField(default=True)
    mode = models.CharField(max_length=11, choices=Mode, default=Mode.INCREMENTAL)
    schedule = models.CharField(
        max_length=100,
        blank=True,
        help_text='"every 15m", "every 6h" or crontab text such as "0 3 * * *" (UTC); empty: by hand only.',
    )
    page_size = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    lookback = models.DurationField(
        default=timedelta(minutes=10),
        help_text="How far before the watermark an incremental run starts, for records that arrive late.",
    )
    watermark = models.DateTimeField(
        null=True, blank=True, help_text="Newest time of change that is wholly synced."
    )
    deletion_brake = models.PositiveSmallIntegerField(
        default=30,
        db_default=30,
        validators=[MaxValueValidator(100)],
        help_text="If a full refresh misses more than this percentage of the objects, deleting them waits for"
        " a person.",
    )
    #: What the last good run left for the next one (ETag and the like).
    state = models.JSONField(default=dict, blank=True)
    next_run_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "stream"
        constraints = [models.UniqueConstraint(fields=["source", "name"], name="one_stream_per_name")]
        indexes = [
            models.Index(fields=["next_run_at"], condition=models.Q(is_enabled=True), name="stream_due")
        ]

    def __str__(self) -> str:
        return f"{self.source_id}/{self.name}"

    # Mutators

    def complete_window(self, *, high_water: datetime | None, state: dict[str, object] | None) -> None:
        """Note that a window was synced to its end; the watermark only ever moves forward."""
        values: dict[str, object] = {"last_success_at": Now()}
        if high_water is not None:
            values["watermark"] = Greatest("watermark", high_water)  # PostgreSQL's ignores nulls
        if state is not None:
            values["state"] = state
        SourceStream.objects.filter(pk=self.pk).update(**values)
