"""Whatever comes in: a named error on the job or one dead letter on the record, with what to do next."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_httpserver import HTTPServer

from connectors import all_connectors, connect
from connectors.base import Access
from connectors.errors import ConfigError
from ingest import jobs
from ingest.connecting import lay_out_streams
from ingest.models import CollectionJob, ContentItem, FailedSync, GenericRecord, Source
from tests.conftest import finish

pytestmark = pytest.mark.django_db

TOKEN = {"access_token": "shpat_test"}
SHOP = {"shop": "a-shop.myshopify.com"}
LOGIN = "<!DOCTYPE html><html><body>Please sign in</body></html>"
DOCTYPE = '<!DOCTYPE feed [<!ENTITY a "b">]>'
FEED = '<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>&a;</title></feed>'
CSV_HEADER = "song_name,artist_name,track_id\n"


@pytest.fixture
def site(httpserver: HTTPServer, settings: Any) -> HTTPServer:
    """A server that sources may call although it is on loopback."""
    settings.SYNC_PRIVATE_HOSTS = frozenset({f"{httpserver.host}:{httpserver.port}"})
    return httpserver


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """The one folder files may be read from."""
    (tmp_path / "secret.csv").write_text(CSV_HEADER)
    allowed = tmp_path / "files"
    allowed.mkdir()
    settings.SYNC_FILE_ROOTS = [allowed]
    return allowed


def sync(connector: str, config: dict[str, Any], **source: Any) -> CollectionJob:
    """Run the source's first stream to its end."""
    made = Source.objects.create(name="bad", connector=connector, config=config, **source)
    lay_out_streams(made)
    return run(made)


def run(source: Source) -> CollectionJob:
    stream = source.streams.order_by("name")[0]
    return finish(jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND)[0])


def listing(url: str, **settings: Any) -> dict[str, Any]:
    return {"sourceIdentifier": url, "dataPath": "items", "fieldMapping": {"title": "name"}, **settings}


def songs(file: str, **settings: Any) -> dict[str, Any]:
    mapping = {"title": "song_name", "artist": "artist_name", "external_id": "track_id"}
    return {"sourceIdentifier": file, "columnMapping": mapping, **settings}


def assert_failed(job: CollectionJob, error_type: str, *said: str) -> None:
    assert (job.status, job.error_type) == ("FAILED", error_type), job.error
    for words in said:
        assert words in job.error, job.error
    assert "Traceback" not in job.error
    assert job.lease_until is None
    assert job.finished_at is not None


# Settings: refused before anything is written, and named on the job where they went bad later.


@pytest.mark.parametrize(
    ("connector", "config", "credentials", "said"),
    [
        ("shopware", {}, {}, f"Unsupported source type: shopware. Known: {', '.join(all_connectors())}."),
        ("shopify", {"shop": "not a shop"}, TOKEN, "shopify config is not usable: shop: "),
        ("shopify", {**SHOP, "shopp": 1}, TOKEN, "shopp: there is no such setting; did you mean shop?"),
        ("shopify", SHOP, {}, "shopify credentials fit none of the modes. Give what one of them takes: "),
        ("stripe", {}, {}, "stripe credentials are not usable: secret_key: Field required"),
        ("rest", {"dataPath": "items"}, {}, "sourceIdentifier: Field required"),
        (
            "rest",
            listing("https://api.example.com/x", auth={"type": "bearer"}),
            {},
            "needs token: give it with --credentials",
        ),
        ("rest", listing("https://api.example.com/x", targetTable="nope"), {}, "there is no kind 'nope'"),
        ("csv", {"hasHeader": True}, {}, "sourceIdentifier: Field required"),
        ("csv", songs("a.csv", delimiter='"'), {}, "must differ"),
        ("atom", {}, {}, "sourceIdentifier: Field required"),
    ],
)
def test_unusable_settings_are_refused_and_named(
    connector: str, config: dict[str, Any], credentials: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as refusal:
        connect(connector, config=config, credentials=credentials, access=Access())
    assert said in str(refusal.value)

    source = Source.objects.create(name="bad", connector="csv", config=songs("a.csv"))
    lay_out_streams(source)
    Source.objects.update(connector=connector, config=config, credentials=credentials)
    assert_failed(run(source), "configuration", said)


# Hosts and files.


def test_closed_port_is_tried_again_and_then_named(settings: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    settings.SYNC_PRIVATE_HOSTS = frozenset({"127.0.0.1"})
    job = sync("rest", listing(f"http://127.0.0.1:{port}/items"))
    assert_failed(job, "network", f"cannot connect to 127.0.0.1 port {port}", "refused")
    assert job.attempts >= 1


def test_unknown_host_is_named(settings: Any) -> None:
    job = sync("rest", listing("http://no-such-host.invalid/items"))
    assert_failed(job, "network", "cannot resolve the host no-such-host.invalid", "is it spelled right?")


def test_private_address_is_refused_by_name(httpserver: HTTPServer, settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = frozenset()
    job = sync("rest", listing(httpserver.url_for("/items")))
    assert_failed(job, "configuration", "127.0.0.1", "SYNC_PRIVATE_HOSTS")
    assert httpserver.log == []


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "link.csv"])
def test_file_outside_the_root_is_refused(folder: Path, path: str) -> None:
    (folder / "link.csv").symlink_to(folder.parent / "secret.csv")
    assert_failed(sync("csv", songs(path)), "configuration", "SYNC_FILE_ROOTS")


# Files that are not what the settings say.


def test_wrong_header_row_names_both_sides(folder: Path) -> None:
    (folder / "music.csv").write_text("title,artist,id\na,b,1\n")
    job = sync("csv", songs("music.csv"))
    assert_failed(job, "configuration", "music.csv", "line 1 has the columns", "song_name")


def test_unclosed_quote_keeps_the_rows_before_it(folder: Path) -> None:
    (folder / "music.csv").write_text(CSV_HEADER + 'a,b,1\n"c,d,2\ne,f,3\n')
    job = sync("csv", songs("music.csv"))
    assert_failed(job, "parsing", "music.csv", "line 3", "quote")
    assert set(ContentItem.objects.values_list("external_id", flat=True)) == {"1"}
    assert (job.fetched, job.inserted) == (1, 1)


def test_wrong_encoding_names_the_byte_and_the_setting(folder: Path) -> None:
    (folder / "music.csv").write_bytes(CSV_HEADER.encode() + "a,Beyoncé,1\n".encode("latin-1"))
    assert_failed(sync("csv", songs("music.csv")), "parsing", "music.csv", "line 2", "0xe9", "encoding")


def test_rows_that_cannot_be_stored_cost_one_letter_each(folder: Path) -> None:
    rows = ["a,b,1", "nul\0,b,2", "too,few", f"long,b,{'9' * 300}", "c,d,5"]
    (folder / "music.csv").write_text(CSV_HEADER + "\n".join(rows) + "\n")
    job = sync("csv", songs("music.csv"))
    assert (job.status, job.inserted, job.failed) == ("PARTIAL", 2, 3)
    assert sorted(ContentItem.objects.values_list("external_id", flat=True)) == ["1", "5"]
    errors = list(FailedSync.objects.order_by("pk").values_list("error", flat=True))
    assert [any(f"line {line}" in error for error in errors) for line in (3, 4, 5)] == [True] * 3


# Answers that are not what the provider documents.


def test_document_type_in_a_feed_is_refused(site: HTTPServer) -> None:
    site.expect_request("/feed").respond_with_data(f"{DOCTYPE}{FEED}", content_type="application/atom+xml")
    job = sync("atom", {"sourceIdentifier": site.url_for("/feed")})
    assert_failed(job, "parsing", "DOCTYPE")


def test_html_where_json_was_due_is_tried_again_and_then_named(site: HTTPServer) -> None:
    site.expect_request("/items").respond_with_data(LOGIN, content_type="text/html")
    job = sync("rest", listing(site.url_for("/items")))
    assert_failed(job, "parsing", "HTML or XML where JSON was due", "login page")
    assert len(site.log) == 2


@pytest.mark.parametrize(
    ("cursors", "loads"), [({None: "a", "a": "a"}, 3), ({None: "a", "a": "b", "b": "a"}, 4)]
)
def test_cursor_seen_before_ends_the_run(
    site: HTTPServer, cursors: dict[str | None, str], loads: int
) -> None:
    for cursor, following in cursors.items():
        query = {"cursor": cursor} if cursor else {}
        body = {"items": [{"id": f"after-{cursor}", "name": "x"}], "next": following}
        site.expect_request("/items", query_string=query).respond_with_json(body)
    paging = {"type": "cursor", "cursorPath": "next"}
    job = sync("rest", listing(site.url_for("/items"), pagination=paging))
    assert_failed(job, "pagination", "never end")
    assert loads <= len(site.log) <= loads + 1  # one more may have been asked for ahead
    assert GenericRecord.objects.count() == job.inserted == len(cursors)


@pytest.mark.parametrize("target", ["/feed", "/feed?page=2", "/feed#again"])
def test_feed_that_leads_back_ends_the_run_and_is_kept(site: HTTPServer, target: str) -> None:
    for query, name, following in (("page=2", "second", target), ("", "first", "/feed?page=2")):
        entry = f"<entry><id>{name}</id><title>{name}</title></entry>"
        link = f'<link rel="next" href="{following}"/>'
        feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>f</title>{link}{entry}</feed>'
        site.expect_request("/feed", query_string=query).respond_with_data(feed, content_type="text/xml")
    job = sync("atom", {"sourceIdentifier": site.url_for("/feed")})
    assert_failed(job, "pagination", "never end")
    assert set(ContentItem.objects.values_list("external_id", flat=True)) == {"first", "second"}
    assert 3 <= len(site.log) <= 4  # one more may have been asked for ahead


@pytest.mark.parametrize("endless", [True, False])
def test_absurd_answers_do_no_harm(site: HTTPServer, endless: bool) -> None:
    body = "[" * 200_000 if endless else '{"items": {"not": "a list"}}'
    site.expect_request("/items").respond_with_data(body, content_type="application/json")
    assert_failed(sync("rest", listing(site.url_for("/items"))), "parsing", "rest: ")


# Records no table can hold, among good ones.

BAD_RECORDS = {
    "huge": '{"id": "huge", "name": ' + "9" * 5_000 + "}",
    "nan": '{"id": "nan", "name": NaN}',
    "nul": '{"id": "nul", "name": "before\\u0000after"}',
    "surrogate": '{"id": "surrogate", "name": "half \\ud800 pair"}',
    "9" * 255: '{"id": "' + "9" * 300 + '", "name": "long id"}',
    "": '{"name": "no id"}',
    "list": '{"id": "list", "name": ["a", "b"]}',
}


def serve_records(site: HTTPServer, records: list[str]) -> str:
    body = '{"items": [' + ",".join(records) + "]}"
    site.expect_request("/items").respond_with_data(body, content_type="application/json")
    return site.url_for("/items")


def test_each_bad_record_costs_itself_one_dead_letter(site: HTTPServer) -> None:
    good = [json.dumps({"id": str(number), "name": f"good {number}"}) for number in range(500)]
    bad = list(BAD_RECORDS.values())
    mixed = [*good[:100], *bad[:3], *good[100:300], *bad[3:], *good[300:]]
    job = sync("rest", listing(serve_records(site, mixed)))

    assert (job.status, job.fetched, job.inserted, job.failed) == ("PARTIAL", len(mixed), 500, len(bad))
    assert GenericRecord.objects.count() == 500
    letters = list(FailedSync.objects.all())
    assert len(letters) == len(bad)
    assert {letter.job_id for letter in letters} == {job.pk}
    for name in ("huge", "nan", "nul", "surrogate", "list"):
        assert [letter.error_type for letter in letters if letter.external_id == name] == ["validation"], name
    texts = " ".join(letter.error for letter in letters)
    for said in ("thousands of digits", "NUL", "no id at 'id'", "has 300 characters, more than 255"):
        assert said in texts
    assert all(len(letter.error) < 500 for letter in letters)


def test_bad_records_sent_again_are_the_same_letters(site: HTTPServer) -> None:
    url = serve_records(site, list(BAD_RECORDS.values()))
    first = sync("rest", listing(url))
    second = run(first.source)
    assert (first.failed, second.failed) == (len(BAD_RECORDS), len(BAD_RECORDS))
    assert set(FailedSync.objects.values_list("attempts", flat=True)) == {2}
    assert FailedSync.objects.count() == len(BAD_RECORDS)


def test_repeated_id_in_one_page_keeps_the_last(site: HTTPServer) -> None:
    records = [json.dumps({"id": "1", "name": name}) for name in ("first", "second", "third")]
    job = sync("rest", listing(serve_records(site, [*records, json.dumps({"id": "2", "name": "other"})])))
    assert (job.status, job.inserted, job.skipped, job.failed) == ("SUCCEEDED", 2, 2, 0)
    assert GenericRecord.objects.get(external_id="1").title == "third"


# What people see of it.


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff", password="unused"))
    return client


def pages_about(job: CollectionJob) -> list[str]:
    letters = FailedSync.objects.filter(job=job).values_list("pk", flat=True)
    return [
        reverse("admin:ingest_collectionjob_changelist"),
        reverse("admin:ingest_collectionjob_change", args=[job.pk]),
        reverse("admin:ingest_failedsync_changelist"),
        *(reverse("admin:ingest_failedsync_change", args=[pk]) for pk in letters),
    ]


def bad_records(site: HTTPServer, folder: Path) -> CollectionJob:
    return sync("rest", listing(serve_records(site, list(BAD_RECORDS.values()))))


def login_page(site: HTTPServer, folder: Path) -> CollectionJob:
    site.expect_request("/items").respond_with_data(LOGIN, content_type="text/html")
    return sync("rest", listing(site.url_for("/items")))


def bad_rows(site: HTTPServer, folder: Path) -> CollectionJob:
    (folder / "music.csv").write_text(CSV_HEADER + "a,<script>alert(1)</script>\nb\0,c,d\n")
    return sync("csv", songs("music.csv"))


def unknown_connector(site: HTTPServer, folder: Path) -> CollectionJob:
    source = Source.objects.create(name="bad", connector="csv", config=songs("a.csv"))
    lay_out_streams(source)
    Source.objects.update(connector="shopware")
    return run(source)


@pytest.mark.parametrize("happen", [bad_records, login_page, bad_rows, unknown_connector])
def test_admin_shows_it_without_a_stack_trace(
    site: HTTPServer, folder: Path, staff: Client, happen: Callable[[HTTPServer, Path], CollectionJob]
) -> None:
    job = happen(site, folder)
    for page in pages_about(job):
        answer = staff.get(page)
        text = answer.content.decode()
        assert answer.status_code == 200, page
        assert "Traceback" not in text, page
        assert "<script>alert(1)" not in text, page
    if job.error:
        shown = staff.get(reverse("admin:ingest_collectionjob_change", args=[job.pk])).content.decode()
        assert job.error[:20] in shown
