from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from connectors.base import Json, Stream
from connectors.kinds import GenericRecord as Record
from connectors.kinds import Kind, build
from ingest.models import CollectionJob, FailedSync, GenericRecord, Source
from tests.commands.commanding import run as command
from tests.scripted import START, Script, raw_record, record

pytestmark = pytest.mark.django_db

Run = Callable[..., CollectionJob]


@pytest.fixture
def synced(script: Script, run: Run) -> None:
    """Two orders, three records of which one is a dead letter."""
    script.says("orders", [record("o1", total="19.90"), record("o2", total="12345678901234.567891")])
    script.says("records", [record("r1", title="one"), record("r2", title="two"), record("r3", title=[])])
    run("orders")
    run("records")


@pytest.mark.usefixtures("synced")
def test_records_are_json_lines_with_exact_numbers() -> None:
    done = command("records", "order")
    assert done.code == 0
    assert '"total_amount":12345678901234.567891' in done.out
    assert {(line["source"], line["external_id"]) for line in done.lines} == {("shop", "o1"), ("shop", "o2")}


@pytest.mark.usefixtures("synced")
def test_records_can_be_narrowed() -> None:
    Source.objects.create(name="empty", connector="scripted")
    assert len(command("records", "record", "--limit", "1").lines) == 1
    assert len(command("records", "record", "--source", "empty").lines) == 0
    GenericRecord.objects.filter(external_id="r1").update(synced_at=timezone.now() - timedelta(days=9))
    since = (timezone.now() - timedelta(days=1)).date().isoformat()
    assert [line["external_id"] for line in command("records", "record", "--since", since).lines] == ["r2"]


def test_an_unknown_kind_names_the_known_ones() -> None:
    done = command("records", "spaceship")
    assert done.code == 2
    assert "customer, employee" in done.err


@pytest.mark.usefixtures("synced")
def test_sources_tell_how_each_is_doing() -> None:
    (line,) = command("sources", "--json").lines
    assert (line["name"], line["open_dead_letters"], line["live_jobs"]) == ("shop", 1, 0)
    assert [stream["name"] for stream in line["streams"]] == ["orders", "records"]
    assert line["last_success_at"]
    assert "shop" in command("sources").out


def test_without_sources_the_first_step_is_told() -> None:
    assert "addsource NAME CONNECTOR" in command("sources").err


@pytest.mark.usefixtures("synced")
def test_jobs_come_newest_first_and_filtered() -> None:
    assert [line["stream"] for line in command("jobs", "--json").lines] == ["records", "orders"]
    assert [line["stream"] for line in command("jobs", "--json", "--status", "partial").lines] == ["records"]
    assert [line["stream"] for line in command("jobs", "--json", "--stream", "orders").lines] == ["orders"]
    assert command("jobs", "--json", "--status", "live").lines == []
    assert len(command("jobs", "--json", "--limit", "1").lines) == 1


def test_a_dead_letter_comes_with_its_record_and_exact_numbers(script: Script, run: Run) -> None:
    body = b'{"id": "r1", "title": [], "price": 0.1234567890123456789}'
    script.says("records", [raw_record("r1", body, updated_at=START)])
    run("records")
    done = command("deadletters", "--json")
    assert "0.1234567890123456789" in done.out
    assert done.lines[0]["external_id"] == "r1"


def test_synced_text_cannot_drive_the_terminal(script: Script, run: Run) -> None:
    script.says("records", [record("\x1b[31mevil\x07\u202eid", title=[])])
    run("records")
    out = command("deadletters").out
    assert "[31mevilid" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


@pytest.mark.usefixtures("synced")
def test_resolved_dead_letters_are_shown_on_request() -> None:
    FailedSync.objects.update(resolved_at=timezone.now(), resolution="BY_HAND")
    assert command("deadletters", "--json").lines == []
    assert [line["resolution"] for line in command("deadletters", "--json", "--all").lines] == ["BY_HAND"]


def test_more_dead_letters_than_shown_are_announced(script: Script, run: Run) -> None:
    script.says("records", [record(f"r{number}", title=[]) for number in range(3)])
    run("records")
    done = command("deadletters", "--limit", "2")
    assert done.out.count("validation") == 2
    assert "more than these 2" in done.err


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("synced")
def test_a_replay_after_the_cause_is_gone_resolves(script: Script) -> None:
    def refine_any_title(payload: Json) -> Kind:
        return build(Record, {"external_id": payload["id"], "title": str(payload["title"])})

    script.streams = (Stream(name="records", kind="record", refine=refine_any_title),)
    done = command("replay", "--source", "shop", "--here")
    assert done.code == 0, done.out
    assert FailedSync.objects.get().resolution == "REPLAYED"


@pytest.mark.usefixtures("synced")
def test_a_replay_is_left_to_the_workers() -> None:
    letter = FailedSync.objects.get()
    done = command("replay", "--ids", str(letter.pk))
    assert done.code == 0
    assert "over 1 dead letters" in done.out


def test_nothing_to_replay_is_no_failure(source: Source) -> None:
    assert command("replay").code == 0
    assert command("replay", "--ids", "77").code == 2


def test_cancelled_jobs_end_at_once_where_no_worker_has_them(source: Source) -> None:
    command("sync", "shop")
    done = command("cancel", "--source", "shop", "--json")
    assert done.code == 0
    assert {line["status"] for line in done.lines} == {"CANCELLED"}


@pytest.mark.usefixtures("synced")
def test_a_job_that_has_ended_cannot_be_cancelled() -> None:
    job = CollectionJob.objects.earliest("id")
    done = command("cancel", str(job.pk))
    assert done.code == 1
    assert "has ended: SUCCEEDED" in done.out


@pytest.mark.parametrize("arguments", [[], ["12345"], ["1", "--source", "shop"]])
def test_cancel_wants_jobs_that_exist(source: Source, arguments: list[str]) -> None:
    assert command("cancel", *arguments).code == 2


def test_without_postgresql_there_is_one_line_and_no_secret() -> None:
    environment = {**os.environ, "DATABASE_URL": "postgres://sync:hidden-password@127.0.0.1:1/none"}
    done = subprocess.run(
        [sys.executable, "manage.py", "sources"],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "DATABASE_URL" in done.stderr
    assert "hidden-password" not in done.stderr
