"""Numbers about the records: one row per source, kind and day, recomputed and never incremented."""

from __future__ import annotations

from django.db import models

from ingest.models import Source


class DailyMetric(models.Model):
    """
    `records` counts the rows whose day this is; `new`, `changed` and `failed` count what the syncs
    that ran on this day did. Days are UTC.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="daily_metrics", db_index=False)
    kind = models.CharField(max_length=50)
    day = models.DateField()
    records = models.PositiveBigIntegerField(default=0)
    new = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = "daily metric"
        constraints = [models.UniqueConstraint(fields=["source", "kind", "day"], name="one_metric_per_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.kind}"


class DailyRevenue(models.Model):
    """What the orders of a day came to, per currency; cancelled and deleted orders left out."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="daily_revenue", db_index=False)
    day = models.DateField()
    currency = models.CharField(max_length=3)
    orders = models.PositiveBigIntegerField()
    amount = models.DecimalField(max_digits=26, decimal_places=6)

    class Meta:
        verbose_name = "daily revenue"
        verbose_name_plural = "daily revenue"
        constraints = [
            models.UniqueConstraint(fields=["source", "day", "currency"], name="one_revenue_per_day")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.currency}"
