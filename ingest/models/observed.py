"""What was noticed about a source beside its records: budgets, reports, ids of a pass, changes of fields."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from ingest.models.job import CollectionJob
from ingest.models.source import Source, SourceStream


class RateBudget(models.Model):
    """How one limit of a source stood a moment ago. The account itself is in Redis."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="rate_budgets")
    name = models.CharField(max_length=50)
    rate = models.FloatField(help_text="Units per second that come back.")
    burst = models.FloatField(help_text="Units at once after a rest.")
    available = models.FloatField(help_text="Units that could be spent right now.")
    used_per_minute = models.FloatField()
    daily_limit = models.PositiveBigIntegerField(null=True)
    daily_used = models.PositiveBigIntegerField(null=True)
    daily_forecast = models.PositiveBigIntegerField(
        null=True, help_text="What the day will come to if it goes on like this."
    )
    daily_reset_at = models.DateTimeField(null=True)
    blocked_until = models.DateTimeField(null=True, help_text="The provider asked us to wait until then.")
    seen_at = models.DateTimeField()

    #: What a new look writes over.
    MEASURED = (
        "rate",
        "burst",
        "available",
        "used_per_minute",
        "daily_limit",
        "daily_used",
        "daily_forecast",
        "daily_reset_at",
        "blocked_until",
        "seen_at",
    )

    class Meta:
        verbose_name = "rate budget"
        constraints = [models.UniqueConstraint(fields=["source", "name"], name="one_budget_per_name")]

    def __str__(self) -> str:
        return self.name


class ReportRun(models.Model):
    """One report that a provider makes for a job; the job's cursor says where reading it stands."""

    class State(models.TextChoices):
        STARTED = "STARTED", "Started"
        RUNNING = "RUNNING", "Being made"
        READY = "READY", "Ready, being read"
        DOWNLOADED = "DOWNLOADED", "Read to its end"
        FAILED = "FAILED", "Failed"
        EXPIRED = "EXPIRED", "Expired"

    OPEN = (State.STARTED, State.RUNNING, State.READY)

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="report_runs")
    stream = models.ForeignKey(SourceStream, on_delete=models.CASCADE, related_name="report_runs")
    job = models.ForeignKey(CollectionJob, on_delete=models.CASCADE, related_name="report_runs")
    external_id = models.CharField(max_length=255)
    attempt = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State, default=State.STARTED)
    started_at = models.DateTimeField()
    polls = models.PositiveIntegerField(default=0)
    next_poll_at = models.DateTimeField(null=True)
    rows = models.PositiveBigIntegerField(default=0, help_text="Read so far.")
    error = models.TextField(blank=True)
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "report"
        constraints = [
            models.UniqueConstraint(fields=["job", "external_id"], name="one_report_per_external_id")
        ]

    def __str__(self) -> str:
        return f"report {self.external_id}"


class Sighting(models.Model):
    """The ids one page of a full refresh held. What no page held is gone at the source."""

    job = models.ForeignKey(CollectionJob, on_delete=models.CASCADE, related_name="sightings", db_index=False)
    pass_number = models.PositiveIntegerField()
    page_number = models.PositiveIntegerField()
    external_ids = ArrayField(models.TextField())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "pass_number", "page_number"], name="one_sighting_per_page"
            )
        ]

    def __str__(self) -> str:
        return f"ids of page {self.page_number} of job {self.job_id}"


class FieldChange(models.Model):
    """A field of a stream's payloads that came, went, or changed its type; noted once, with a sample."""

    class Change(models.TextChoices):
        FIRST_SEEN = "FIRST_SEEN", "First seen"
        VANISHED = "VANISHED", "Vanished"
        RETYPED = "RETYPED", "Type changed"

    stream = models.ForeignKey(SourceStream, on_delete=models.CASCADE, related_name="field_changes")
    path = models.CharField(max_length=255, help_text='"name", or "object.name" one level down.')
    change = models.CharField(max_length=10, choices=Change)
    type = models.CharField(
        max_length=10, help_text="text, number, boolean, object, list or null; of what vanished: what it was."
    )
    #: Of the records looked at when it was first seen, how many had it.
    share = models.FloatField(default=1.0)
    is_initial = models.BooleanField(default=False, help_text="There since the stream's first run.")
    #: Both are emptied with the raw versions of that time (see ingest.pruning).
    sample = models.TextField(blank=True, help_text="A value, cut short.")
    external_id = models.CharField(max_length=255, blank=True, help_text="Where the sample is from.")
    job = models.ForeignKey(
        CollectionJob,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "field change"
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "path", "change", "type"], name="one_note_per_field_change"
            )
        ]

    def __str__(self) -> str:
        return f"{self.path} {self.get_change_display().lower()}"
