"""A canary in every credential: whatever the provider answers, it shows up nowhere on our side."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingest.models import CollectionJob, FailedSync, Source
from tests.story import shops
from tests.story.processes import Processes, wait_for
from tests.story.redis import PrivateRedis

# With characters that URLs, JSON and HTML each spell in their own way.
CANARY = 'CANARY/7+x=&"z'
PAIR = base64.b64encode(f"user:{CANARY}".encode()).decode()
SPELLINGS = ("CANARY", PAIR[8:-4], base64.b64encode(CANARY.encode()).decode()[:-4])

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


def answer(request: Request) -> Response:
    """Answer badly, and tell the caller all it said."""
    said = {"headers": dict(request.headers), "url": request.url, "body": request.get_data(as_text=True)}
    echo = json.dumps(said)
    kind = request.path.split("/")[1]
    if kind == "redirect":
        return Response(echo, 302, {"Location": f"http://elsewhere.invalid/?{request.query_string.decode()}"})
    if kind == "html":
        return Response(f"<html>{echo}</html>", 200, content_type="text/html")
    return Response(echo, int(kind), content_type="application/json")


def rest(url: str, **auth: Any) -> dict[str, Any]:
    return {"sourceIdentifier": f"{url}/items", "dataPath": "items", "auth": auth}


def sources_at(url: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return a source for each way a secret can travel."""
    return [
        (
            "shopify",
            {"shop": "a-shop.myshopify.com", "base_url": url},
            {"access_token": CANARY},
        ),
        ("rest", rest(url, type="bearer"), {"token": CANARY}),
        ("rest", rest(url, type="api_key"), {"api_key": CANARY}),
        ("rest", rest(url, type="api_key", param="key"), {"api_key": CANARY}),
        ("rest", rest(url, type="basic"), {"username": "user", "password": CANARY}),
        (
            "rest",
            rest(url, type="oauth2"),
            {"client_id": "user", "client_secret": CANARY, "token_url": f"{url}/token"},
        ),
        ("atom", {"sourceIdentifier": f"{url}/feed"}, {"username": "user", "password": CANARY}),
    ]


def add_sources(site: HTTPServer) -> None:
    for kind in ("401", "404", "500", "html", "redirect"):
        for number, (connector, config, credentials) in enumerate(sources_at(site.url_for(f"/{kind}"))):
            source = shops.add_source(
                f"{connector}-{kind}-{number}", connector, config=config, credentials=credentials
            )
            # That stream ends well on a 404: a shop may have no payments.
            failing = source.streams.exclude(name="balance_transactions")
            shops.start_all(failing.order_by("name")[:1])


def text_columns() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'bytea')"
        )
        return [(table, column) for table, column in cursor.fetchall()]


def places_in_database() -> list[str]:
    """Return the columns that hold the canary in any spelling."""
    found = []
    with connection.cursor() as cursor:
        for table, column in text_columns():
            patterns = [f"%{spelling}%" for spelling in SPELLINGS]
            cursor.execute(f'SELECT count(*) FROM "{table}" WHERE "{column}"::text LIKE ANY(%s)', [patterns])
            if cursor.fetchone()[0]:
                found.append(f"{table}.{column}")
    return found


def test_no_secret_shows_in_logs_rows_or_messages(
    processes: Processes, redis: PrivateRedis, httpserver: HTTPServer, shown: list[str]
) -> None:
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(answer)
    add_sources(httpserver)
    processes.worker(LOG_LEVEL="DEBUG")
    processes.beat()
    quiet = CollectionJob.objects.filter(error="")
    wait_for(lambda: not quiet.exists(), seconds=60, what="every job has met its failure")
    dump = redis.dump()
    processes.stop()

    arrived = json.dumps([[dict(request.headers), request.url] for request, _ in httpserver.log])
    shown.append(
        f"{Source.objects.count()} sources failed {len(httpserver.log)} times, "
        f"{len(text_columns())} columns and {len(processes.logs())} characters of log searched"
    )
    assert "CANARY" in arrived, "no secret was ever sent: the test shows nothing"
    assert PAIR in arrived, "no password was ever sent: the test shows nothing"
    assert "elsewhere.invalid" in " ".join(CollectionJob.objects.values_list("error", flat=True))
    assert places_in_database() == []
    logs = processes.logs()
    assert [spelling for spelling in SPELLINGS if spelling in logs] == []
    assert [spelling for spelling in SPELLINGS if spelling.encode() in dump] == []
    assert not FailedSync.objects.exists()
