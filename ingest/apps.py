"""The app that holds sources, jobs, pages, raw and refined records and dead letters."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    name = "ingest"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Sync"
