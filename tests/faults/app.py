"""The Celery app of a worker that fails on cue, as its environment says; see points.py."""

from __future__ import annotations

import os

import django

from syncproject.celery import app as app
from tests.faults import points

django.setup()
if fault_at := os.environ.get("FAULT_AT"):
    points.arm(fault_at, signal_name=os.environ["FAULT_SIGNAL"])
if poison_at := os.environ.get("POISON_AT"):
    points.poison(poison_at, os.environ["POISON_RECORD"])
