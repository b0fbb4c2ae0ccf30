from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.db import connection

from connectors import all_connectors
from connectors.describing import describe
from ingest.models import Source, SourceStream
from tests.commands.commanding import run

pytestmark = pytest.mark.django_db

SHOP = json.dumps({"shop": "cups.myshopify.com", "api": "graphql"})
FEED = json.dumps({"sourceIdentifier": "https://news.example.com/feed"})
OFFERED = {stream.name for stream in describe(all_connectors()["shopify"]).streams}
SECRET = "shpat_0123456789abcdef"


@pytest.fixture
def credentials(tmp_path: Path) -> str:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({"access_token": SECRET}))
    return str(file)


def test_a_source_is_added_with_its_streams_due_now(credentials: str) -> None:
    done = run("addsource", "cups", "shopify", "--config", SHOP, "--credentials", credentials)
    assert done.code == 0, done.err
    streams = SourceStream.objects.filter(source__name="cups")
    assert {stream.name for stream in streams} == OFFERED
    assert {"customers", "products", "orders"} <= OFFERED
    assert all(stream.next_run_at for stream in streams)
    assert "python manage.py sync cups --wait" in done.out


def test_without_a_schedule_streams_wait_for_a_person() -> None:
    run("addsource", "news", "atom", "--config", FEED, "--no-schedule")
    stream = SourceStream.objects.get(source__name="news")
    assert (stream.schedule, stream.next_run_at) == ("", None)


def test_a_schedule_holds_for_all_streams(credentials: str) -> None:
    arguments = ("--config", SHOP, "--credentials", credentials, "--schedule", "every 5m")
    done = run("addsource", "cups", "shopify", *arguments, "--json")
    assert [stream["schedule"] for stream in done.lines[0]["streams"]] == ["every 5m"] * len(OFFERED)


def test_the_config_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(FEED)
    assert run("addsource", "news", "atom", "--config", str(file)).code == 0
    assert Source.objects.get(name="news").config == json.loads(FEED)


def test_credentials_are_kept_encrypted_and_never_shown(credentials: str) -> None:
    done = run("addsource", "cups", "shopify", "--config", SHOP, "--credentials", credentials)
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM ingest_source")
        assert SECRET not in cursor.fetchone()[0]
    assert Source.objects.get(name="cups").credentials == {"access_token": SECRET}
    assert SECRET not in done.out + done.err


def test_credentials_come_through_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"access_token": SECRET})))
    assert run("addsource", "cups", "shopify", "--config", SHOP, "--credentials", "-").code == 0


def test_credentials_on_the_command_line_are_refused_without_repeating_them() -> None:
    given = json.dumps({"access_token": SECRET})
    done = run("addsource", "cups", "shopify", "--config", SHOP, "--credentials", given)
    assert done.code == 2
    assert "shell's history" in done.err
    assert SECRET not in done.err


def test_broken_credentials_are_located_without_showing_them(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text('{"access_token": "' + SECRET)
    done = run("addsource", "cups", "shopify", "--config", SHOP, "--credentials", str(file))
    assert done.code == 2
    assert "line 1, column 18" in done.err
    assert SECRET not in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["x", "nosuch", "--config", "{}"],
            f"Unsupported source type: nosuch. Known: {', '.join(all_connectors())}.",
        ),
        (["x", "shopify", "--config", '{\n  "shop": oops\n}'], "line 2, column 11"),
        (["x", "shopify", "--config", "[1]"], "must be a JSON object"),
        (["x", "shopify", "--config", '{"shop": NaN}'], "NaN is no JSON number"),
        (["x", "shopify", "--config", "/nowhere/at/all.json"], "cannot read '/nowhere/at/all.json'"),
        (["x", "shopify", "--config", SHOP], "Give them with --credentials FILE"),
        (["x", "shopify", "--config", '{"shop": "elsewhere.example.com"}'], "shop"),
        (["x", "atom", "--config", FEED, "--schedule", "now and then"], "--schedule"),
        (["a name", "atom", "--config", FEED], "Use letters, digits, dots, dashes and underscores"),
        (["x" * 101, "atom", "--config", FEED], "100 characters"),
    ],
)
def test_what_cannot_work_is_refused_and_nothing_written(arguments: list[str], told: str) -> None:
    done = run("addsource", *arguments)
    assert done.code == 2
    assert told in done.err
    assert "\n" not in done.err.strip()
    assert not Source.objects.exists()


def test_a_taken_name_is_refused_with_a_way_out() -> None:
    run("addsource", "news", "atom", "--config", FEED)
    done = run("addsource", "news", "atom", "--config", FEED)
    assert done.code == 2
    assert "--replace" in done.err


def test_replacing_the_config_keeps_the_credentials(credentials: str) -> None:
    run("addsource", "cups", "shopify", "--config", SHOP, "--credentials", credentials)
    other = json.dumps({"shop": "mugs.myshopify.com"})
    assert run("addsource", "cups", "shopify", "--config", other, "--replace").code == 0
    source = Source.objects.get(name="cups")
    assert source.config == {"shop": "mugs.myshopify.com"}
    assert source.credentials == {"access_token": SECRET}


def test_streams_that_a_new_config_no_longer_names_are_disabled() -> None:
    feeds = {name: {"sourceIdentifier": f"https://news.example.com/{name}"} for name in ("world", "sport")}
    run("addsource", "news", "atom", "--config", json.dumps({"streams": feeds}))
    del feeds["sport"]
    run("addsource", "news", "atom", "--config", json.dumps({"streams": feeds}), "--replace")
    assert dict(SourceStream.objects.values_list("name", "is_enabled")) == {"world": True, "sport": False}


def test_a_source_never_changes_its_connector() -> None:
    run("addsource", "news", "atom", "--config", FEED)
    done = run("addsource", "news", "csv", "--config", FEED, "--replace")
    assert done.code == 2
    assert Source.objects.get().connector == "atom"
