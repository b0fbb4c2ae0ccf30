"""Settings, the Celery app, the pipeline and the doors."""

from syncproject.celery import app as celery_app

__all__ = ["celery_app"]
