"""Shared furniture: a scripted provider, a sandbox, and a way to run a job to its end in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

import connectors
import sandbox
from ingest import jobs
from ingest.connecting import lay_out_streams
from ingest.models import CollectionJob, Source, SourceStream
from syncproject import pipeline
from tests.scripted import Script, ScriptedConnector

SAMPLES = Path(os.environ.get("SAMPLES_DIR", Path(__file__).parents[2] / "shared" / "samples"))


@pytest.fixture
def samples() -> Path:
    """The folder of recorded data, which is not part of the project."""
    if not SAMPLES.is_dir():
        pytest.skip(f"recorded samples are not at {SAMPLES}; set SAMPLES_DIR")
    return SAMPLES


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """A provider that says what the test wrote down."""
    script = Script()
    monkeypatch.setattr(ScriptedConnector, "script", script, raising=False)
    known = {**connectors.all_connectors(), "scripted": ScriptedConnector}
    monkeypatch.setattr(connectors, "all_connectors", lambda: known)
    return script


@pytest.fixture
def source(db: None, script: Script) -> Source:
    """A source at the scripted provider, its streams laid out."""
    source = Source.objects.create(name="shop", connector="scripted")
    lay_out_streams(source)
    return source


@pytest.fixture
def stream(source: Source) -> Callable[[str], SourceStream]:
    return lambda name: SourceStream.objects.get(source=source, name=name)


@pytest.fixture
def run(source: Source) -> Callable[..., CollectionJob]:
    """Run one job of a stream of the scripted source to its end, here; the same steps a worker takes."""

    def run_stream(name: str, *, turns: int = 50, **how: Any) -> CollectionJob:
        stream = SourceStream.objects.get(source=source, name=name)
        job, _ = jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, **how)
        return finish(job, turns=turns)

    return run_stream


def finish(job: CollectionJob, *, turns: int = 50) -> CollectionJob:
    """Take turns until the job ends; waits in between are skipped."""
    for _ in range(turns):
        CollectionJob.objects.filter(pk=job.pk, next_run_at__gt=timezone.now()).update(
            next_run_at=timezone.now()
        )
        if pipeline.run_here(job.pk, now=timezone.now):
            break
    job.refresh_from_db()
    return job


@pytest.fixture
def world() -> Iterator[sandbox.SandboxClient]:
    """A small sandbox on loopback."""
    with sandbox.running(
        seed=7, customers=120, products=60, orders=300, items=150, songs=120, catalog=40, articles=60
    ) as client:
        yield client
