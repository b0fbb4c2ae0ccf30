"""CollectionJob and Page: one run over one stream, and what each answer of the provider came to."""

from __future__ import annotations

import os
import socket

from django.db import models
from django.db.models.functions import Now

from ingest.models.source import Source, SourceStream


class CollectionJob(models.Model):
    """
    One run over one stream. Its cursor is the checkpoint a killed run resumes from.

    Two phases overlap: fetching (fenced by the lease) lands pages, applying turns landed pages into
    refined rows. `is_fetched` ends the first; the job ends when no landed page is left.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING", "Pending"  # waits for next_run_at and a worker
        RUNNING = "RUNNING", "Running"
        SUCCEEDED = "SUCCEEDED", "Succeeded"
        PARTIAL = "PARTIAL", "Partial"  # ended, with dead letters or fewer records than promised
        FAILED = "FAILED", "Failed"
        CANCELLED = "CANCELLED", "Cancelled"
        QUARANTINED = "QUARANTINED", "Quarantined"  # took its worker down again and again

    LIVE = (Status.PENDING, Status.RUNNING)

    class Mode(models.TextChoices):
        INCREMENTAL = "INCREMENTAL", "Incremental"
        FULL = "FULL", "Full refresh"
        BACKFILL = "BACKFILL", "Backfill"
        REPLAY = "REPLAY", "Replay of dead letters"

    class Trigger(models.TextChoices):
        SCHEDULE = "SCHEDULE", "Schedule"
        ADMIN = "ADMIN", "Admin"
        COMMAND = "COMMAND", "Command"
        API = "API", "API"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="jobs")
    stream = models.ForeignKey(SourceStream, on_delete=models.CASCADE, related_name="jobs")
    mode = models.CharField(max_length=11, choices=Mode, default=Mode.INCREMENTAL)
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.SCHEDULE)
    status = models.CharField(max_length=11, choices=Status, default=Status.PENDING)

    # Where the run stands
    cursor = models.TextField(
        null=True, blank=True, help_text="Where the next page starts; empty: the first."
    )
    pass_number = models.PositiveIntegerField(
        default=1, help_text="Goes up when an expired cursor starts it over."
    )
    next_page_number = models.PositiveIntegerField(default=1)
    is_fetched = models.BooleanField(default=False, help_text="Nothing is left to fetch.")
    outcome = models.CharField(
        max_length=11, choices=Status, blank=True, help_text="How a run that cannot go on will end."
    )
    window_start = models.DateTimeField(null=True, blank=True)
    window_end = models.DateTimeField(null=True, blank=True)
    high_water = models.DateTimeField(
        null=True, blank=True, help_text="Newest time of change seen in this run."
    )
    stream_state = models.JSONField(null=True, blank=True)
    expected_total = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="How many records the source says there are."
    )
    missing_objects = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Objects the source no longer lists; null: nobody looked."
    )
    deletions_accepted = models.BooleanField(
        default=False, db_default=False, help_text="A person let them be deleted, however many they are."
    )
    cancel_requested = models.BooleanField(default=False)

    # Waiting and failing
    next_run_at = models.DateTimeField(db_default=Now())
    rung_at = models.DateTimeField(null=True, blank=True, help_text="When a message was last sent for it.")
    attempts = models.PositiveIntegerField(default=0, help_text="Failures in a row since the last page.")
    crashes = models.PositiveIntegerField(default=0, help_text="Lost workers since the last page.")
    rate_limit_hits = models.PositiveIntegerField(default=0)
    error_type = models.CharField(max_length=30, blank=True)
    error = models.TextField(blank=True)

    # The fetching lease
    lease_token = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_holder = models.CharField(max_length=200, blank=True)

    # Counters: the sum of its pages
    pages_landed = models.PositiveIntegerField(default=0)
    pages_applied = models.PositiveIntegerField(default=0)
    fetched = models.PositiveBigIntegerField(default=0)
    inserted = models.PositiveBigIntegerField(default=0)
    updated = models.PositiveBigIntegerField(default=0)
    unchanged = models.PositiveBigIntegerField(default=0)
    skipped = models.PositiveBigIntegerField(
        default=0, help_text="Repeated in a page, or older than what we have."
    )
    failed = models.PositiveBigIntegerField(default=0, help_text="Became dead letters.")

    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    progress_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "job"
        constraints = [
            models.UniqueConstraint(
                fields=["stream"],
                condition=models.Q(status__in=["PENDING", "RUNNING"]) & ~models.Q(mode="REPLAY"),
                name="one_live_job_per_stream",
            )
        ]
        indexes = [
            models.Index(
                fields=["next_run_at"],
                condition=models.Q(status__in=["PENDING", "RUNNING"]),
                name="job_due",
            ),
            models.Index(fields=["stream", "-id"], name="job_history"),
        ]

    def __str__(self) -> str:
        return f"job {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE

    @property
    def progress(self) -> float | None:
        """Return the share fetched, 0.0 to 1.0, when the source says how much there is."""
        if not self.expected_total:
            return None
        return min(1.0, self.fetched / self.expected_total)


class Page(models.Model):
    """One answer of a provider: landed with the checkpoint, applied with the refined rows, counted last."""

    class State(models.TextChoices):
        LANDED = "LANDED", "Landed"
        APPLIED = "APPLIED", "Applied"
        COUNTED = "COUNTED", "Counted"

    #: States of pages that something has still to be done with.
    OPEN = (State.LANDED, State.APPLIED)

    # No index of its own: one_page_per_number begins with the job.
    job = models.ForeignKey(CollectionJob, on_delete=models.CASCADE, related_name="pages", db_index=False)
    number = models.PositiveIntegerField()
    pass_number = models.PositiveIntegerField(default=1)
    cursor = models.TextField(null=True, blank=True)
    cursor_digest = models.BinaryField(max_length=32)
    is_overlap = models.BooleanField(
        default=False, help_text="Read again because counted pages may have shifted."
    )
    #: sha256 over the record bodies; the same records under a new cursor mean the source goes in circles.
    #: Null where they mean nothing: an empty page, one read again, one of a replay.
    content_digest = models.BinaryField(max_length=32, null=True)
    state = models.CharField(max_length=7, choices=State, default=State.LANDED)
    attempts = models.PositiveIntegerField(default=0, help_text="How often applying it was begun.")
    begun_at = models.DateTimeField(null=True, blank=True, help_text="When applying it was last begun.")
    #: Raw rows to apply: what changed, and what is a dead letter still.
    raw_ids = models.JSONField(default=list)

    fetched = models.PositiveIntegerField(default=0)
    inserted = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    #: {kind: {"new": n, "changed": n, "failed": n, "days": ["2026-01-31", ...]}}, for the metrics.
    effects = models.JSONField(default=dict)

    fetch_ms = models.PositiveIntegerField(default=0)
    landed_at = models.DateTimeField(db_default=Now(), editable=False)
    applied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="one_page_per_number"),
            models.UniqueConstraint(
                fields=["job", "pass_number", "cursor_digest"], name="one_page_per_cursor"
            ),
            models.UniqueConstraint(
                fields=["job", "pass_number", "content_digest"], name="one_page_per_content"
            ),
            models.CheckConstraint(
                condition=models.Q(state="LANDED")
                | models.Q(
                    fetched=models.F("inserted")
                    + models.F("updated")
                    + models.F("unchanged")
                    + models.F("skipped")
                    + models.F("failed")
                ),
                name="every_record_accounted_for",
            ),
        ]
        indexes = [
            models.Index(
                fields=["job", "number"],
                condition=models.Q(state__in=["LANDED", "APPLIED"]),
                name="page_open",
            ),
        ]

    def __str__(self) -> str:
        return f"page {self.number} of job {self.job_id}"


def this_worker() -> str:
    """Return a name for this process that tells an operator where to look: host:pid."""
    return f"{socket.gethostname()}:{os.getpid()}"
