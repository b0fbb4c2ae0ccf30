"""Rows 64 to 66: a token that ends mid-run, many who want a new one at once, an answer that is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.db import connection
from django.utils import timezone

from connectors.auth.tokens import Token
from connectors.base import FetchRequest
from connectors.errors import NeedsReconnect, TransientError
from ingest import jobs, leases, tokens
from ingest.connecting import connector_for, lay_out_streams
from ingest.models import CollectionJob, GenericRecord, Source, SourceStream, SourceToken
from ingest.reading import Reader
from ingest.tokens import SourceTokens
from sandbox.messages import Answer, Request, json_answer
from tests.conftest import finish
from tests.ingest import token_workers
from tests.ingest.steps import start
from tests.oauth_site import ITEMS, Site, serving

ROOT = Path(__file__).parents[2]
WORKERS = 20
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site()) as site:
        yield site


@pytest.fixture
def source(site: Site, settings: Any) -> Source:
    settings.SYNC_PRIVATE_HOSTS = frozenset({"127.0.0.1"})
    source = Source.objects.create(
        name="items",
        connector="rest",
        config=site.config(),
        credentials=site.credentials(refresh_token=site.oauth.first_refresh("app")),
    )
    lay_out_streams(source)
    return source


def refreshes(site: Site) -> Counter[str]:
    return Counter({name.removeprefix("refresh_token "): count for name, count in site.oauth.calls.items()})


def all_at_once(
    source: Source, meanwhile: Callable[[], None] | None = None, *, is_warm: bool = False
) -> list[dict[str, Any]]:
    """Let twenty processes ask for a page at the same moment, after what happens meanwhile."""
    where = connection.settings_dict
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "syncproject.settings",
        "DATABASE_URL": "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(where),
        "SYNC_PRIVATE_HOSTS": "127.0.0.1",
    }
    command = [sys.executable, "-m", "tests.ingest.token_workers", str(source.pk), str(WORKERS)]
    with subprocess.Popen(
        [*command, "warm" if is_warm else "cold"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as workers:
        assert workers.stdin is not None
        assert workers.stdout is not None
        assert workers.stdout.readline() == "ready\n"
        if meanwhile is not None:
            meanwhile()
        told: list[dict[str, Any]] = json.loads(workers.communicate("go\n", timeout=90)[0])
    return told


def words(told: list[dict[str, Any]]) -> Counter[str]:
    return Counter(one.get("error", "answered") for one in told)


# 65: twenty at once


def test_twenty_refused_at_once_renew_once(source: Source, site: Site) -> None:
    told = all_at_once(source, site.oauth.end_access, is_warm=True)
    assert words(told) == {"answered": WORKERS}
    assert refreshes(site) == {"ok": 2}  # the first token, and one renewal
    assert site.items_asked == 3 * WORKERS
    assert SourceToken.objects.get().renewals == 2


def test_twenty_without_a_token_get_one(source: Source, site: Site) -> None:
    assert words(all_at_once(source)) == {"answered": WORKERS}
    assert refreshes(site) == {"ok": 1}


def test_twenty_with_a_token_near_its_end_renew_once(source: Source, site: Site) -> None:
    store = SourceTokens(source.pk, credentials=source.credentials)
    one_page(source)
    held = store.held()
    assert held is not None
    ends = timezone.now() + timedelta(seconds=59)
    store.keep(replace(held, expires_at=ends, received_at=ends - timedelta(hours=1)))
    assert words(all_at_once(source)) == {"answered": WORKERS}
    assert refreshes(site) == {"ok": 2}
    assert site.items_asked == 1 + WORKERS  # none was refused


def test_twenty_who_are_not_let_in_any_more_ask_once(source: Source, site: Site) -> None:
    told = all_at_once(source, site.oauth.revoke, is_warm=True)
    assert words(told) == {"NeedsReconnect": WORKERS}
    assert refreshes(site) == {"ok": 1, "invalid_grant": 1}
    source.refresh_from_db()
    assert source.needs_reconnect_since is not None
    assert "connect the account again" in source.needs_reconnect_reason


# 66: a renewal whose answer is lost


def test_a_lost_answer_is_asked_for_once_more_then_a_person_is_needed(source: Source, site: Site) -> None:
    def end_and_lose() -> None:
        site.oauth.end_access()
        site.oauth.lose_answers(1)

    told = all_at_once(source, end_and_lose, is_warm=True)
    assert words(told) == {"TransientError": 1, "NotAsked": WORKERS - 1}
    assert refreshes(site) == {"ok": 2}  # the second is the one nobody heard
    SourceToken.objects.update(unanswered_at=timezone.now() - token_workers.QUIET)

    told = all_at_once(source)
    assert words(told) == {"NeedsReconnect": WORKERS}
    assert refreshes(site) == {"ok": 2, "invalid_grant": 1}
    source.refresh_from_db()
    assert "was lost on its way" in source.needs_reconnect_reason

    told = all_at_once(source)
    assert words(told) == {"NeedsReconnect": WORKERS}
    assert sum(refreshes(site).values()) == 3


def test_a_provider_that_forgives_a_lost_answer_goes_on_by_itself(source: Source, site: Site) -> None:
    site.oauth.rules = replace(site.oauth.rules, forgives_one=True)
    one_page(source)
    site.oauth.end_access()
    site.oauth.lose_answers(1)
    with pytest.raises(TransientError):
        one_page(source)
    SourceToken.objects.update(unanswered_at=timezone.now() - tokens.QUIET)
    assert one_page(source) == 5
    assert SourceToken.objects.get().unanswered_at is None


# 64: the token ends mid-run


def from_page(number: int, act: Callable[[], Answer | None]) -> Callable[[Request], Answer | None]:
    """Return a hook that acts when that page, or a later one, is asked for."""

    def before(request: Request) -> Answer | None:
        is_meant = request.path == "/items" and int(request.query.get("page", "1")) >= number
        return act() if is_meant else None

    return before


def run(source: Source) -> CollectionJob:
    return finish(start(SourceStream.objects.get(source=source)))


def one_page(source: Source) -> int:
    connector = connector_for(Source.objects.get(pk=source.pk))
    try:
        [stream] = connector.streams()
        return len(connector.fetch(stream, FetchRequest(page_size=5)).records)
    finally:
        connector.close()


def once(act: Callable[[], None]) -> Callable[[], None]:
    done: list[bool] = []

    def do_once() -> None:
        if not done:
            done.append(True)
            act()

    return do_once


def test_a_token_that_ends_mid_run_is_renewed_once_and_the_page_read_again(
    source: Source, site: Site
) -> None:
    site.before = from_page(4, once(site.oauth.end_access))
    job = run(source)
    assert (job.status, job.fetched, job.attempts) == ("SUCCEEDED", ITEMS, 0)
    assert GenericRecord.objects.count() == ITEMS
    assert refreshes(site) == {"ok": 2}


def test_a_fresh_token_that_is_refused_stops_the_source(source: Source, site: Site) -> None:
    site.before = from_page(4, lambda: json_answer({"error": "no"}, status=401))
    job = run(source)
    assert (job.status, job.error_type, job.fetched) == ("FAILED", "authentication", 15)
    source.refresh_from_db()
    assert source.needs_reconnect_since is not None
    assert "renewed a moment ago is refused" in source.needs_reconnect_reason
    asked = site.items_asked, sum(refreshes(site).values())

    now = timezone.now() + timedelta(days=2)
    assert jobs.start_due(now=now) == 0
    waiting = start(SourceStream.objects.get(source=source))
    assert jobs.take_unrung(now=now, is_fetch_idle=True, is_apply_idle=True) == []
    assert leases.claim(waiting.pk) is None
    assert jobs.end_disconnected() == 1
    waiting = finish(waiting)
    assert (waiting.status, waiting.error_type) == ("FAILED", "authentication")
    assert (site.items_asked, sum(refreshes(site).values())) == asked


def test_a_refusal_from_before_does_not_undo_that_a_person_has_connected(source: Source, site: Site) -> None:
    """A worker is refused with a renewed token, and hears of it after the account was connected again."""
    refused: list[int] = []

    def refuse_and_reconnect() -> Answer:
        refused.append(1)
        if len(refused) == 2:
            SourceTokens(source.pk, credentials=source.credentials).keep(minted(site))
            connection.close()
        return json_answer({"error": "no"}, status=401)

    site.before = from_page(4, refuse_and_reconnect)
    assert run(source).status == "FAILED"
    source.refresh_from_db()
    assert source.needs_reconnect_since is None
    site.before = lambda request: None
    assert run(source).status == "SUCCEEDED"
    assert len(refused) == 2


def minted(site: Site) -> Token:
    """Return a token such as a person brings back from the provider's page."""
    return Token(access="brought-by-a-person", refresh=site.oauth.first_refresh("app"))


def test_new_credentials_are_not_marked_for_what_the_old_ones_did(source: Source) -> None:
    tokens.let_ask_again(source.pk)
    tokens.needs_reconnect(source.pk, "used up", access_version=source.access_version)
    source.refresh_from_db()
    assert source.needs_reconnect_since is None
    tokens.needs_reconnect(source.pk, "used up", access_version=source.access_version)
    source.refresh_from_db()
    assert source.needs_reconnect_reason == "used up"


def test_a_token_endpoint_that_wants_rest_gets_it_from_all(source: Source, site: Site) -> None:
    asked: list[int] = []

    def slow_down(request: Request) -> Answer | None:
        if request.path != "/token":
            return None
        asked.append(1)
        return json_answer({"error": "slow_down"}, status=429, headers={"Retry-After": "60"})

    site.before = slow_down
    assert words(all_at_once(source)) == {"RateLimited": WORKERS}
    assert len(asked) == 1
    SourceToken.objects.update(quiet_until=timezone.now())
    site.before = lambda request: None
    assert one_page(source) == 5
    assert SourceToken.objects.get().quiet_until is None


def test_given_new_credentials_the_source_goes_on(source: Source, site: Site) -> None:
    site.oauth.revoke()
    assert run(source).status == "FAILED"
    source.credentials = site.credentials(refresh_token=site.oauth.first_refresh("app"))
    source.save(update_fields=["credentials"])
    tokens.let_ask_again(source.pk)
    assert run(source).status == "SUCCEEDED"


def test_the_thread_that_asks_ahead_renews_by_a_connection_of_its_own(
    source: Source, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.fetching.FAR_AWAY", 0.0)
    monkeypatch.setattr("ingest.fetching.WORTH_ASKING_AHEAD", 0.0)
    site.before = from_page(4, once(site.oauth.end_access))
    threads: list[str] = []
    renewed = SourceTokens._renewed

    def note_thread(*args: Any) -> Any:
        threads.append(threading.current_thread().name)
        return renewed(*args)

    monkeypatch.setattr(SourceTokens, "_renewed", note_thread)
    open_at_the_end: list[int] = []
    close = Reader.close

    def count_and_close(reader: Reader) -> None:
        open_at_the_end.append(settled_connections())  # the thread is still there, and what it left open
        close(reader)

    monkeypatch.setattr(Reader, "close", count_and_close)
    job = run(source)
    assert (job.status, job.fetched) == ("SUCCEEDED", ITEMS)
    assert [name.startswith("ahead") for name in threads] == [False, True]
    assert set(open_at_the_end) == {1}


def settled_connections() -> int:
    """Return how many sessions there are; one that was closed a moment ago is still about to go."""
    end = time.monotonic() + 20
    while (count := connections()) > 1 and time.monotonic() < end:
        time.sleep(0.01)
    return count


def connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


# The store


@pytest.fixture
def store(source: Source) -> SourceTokens:
    return SourceTokens(source.pk, credentials=source.credentials)


def test_what_a_provider_gave_is_kept_although_postgres_hung_up_meanwhile(store: SourceTokens) -> None:
    other = psycopg2.connect(**{**connection.get_connection_params(), "cursor_factory": None})
    other.autocommit = True

    def mint(held: Token | None) -> Token:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return Token(access="new", refresh="rotated")

    try:
        assert store.renew(None, mint).access == "new"
    finally:
        other.close()
    held = store.held()
    assert held is not None
    assert held.refresh == "rotated"


def test_a_renewal_that_takes_too_long_elsewhere_is_waited_for_another_time(
    store: SourceTokens, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "LOCK_SECONDS", 1)
    store.keep(Token(access="old"))
    other = psycopg2.connect(**{**connection.get_connection_params(), "cursor_factory": None})
    with other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM ingest_sourcetoken WHERE source_id = %s FOR UPDATE", [source.pk])
        with pytest.raises(TransientError, match="another worker is at it"):
            store.renew(store.held(), lambda held: Token(access="never"))
        with pytest.raises(TransientError, match="another worker is at it"):
            store.keep(Token(access="brought by a person"))
    other.close()


def test_a_worker_whose_clock_is_an_hour_slow_renews_all_the_same(
    store: SourceTokens, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = timezone.now() - timedelta(seconds=30)
    SourceToken.objects.create(source=source, unanswered_at=over, quiet_until=over)
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() - timedelta(hours=1))

    assert store.renew(None, lambda held: Token(access="new")).access == "new"


def test_the_token_is_unreadable_in_the_database(store: SourceTokens) -> None:
    store.keep(Token(access="canary-access", refresh="canary-refresh"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT ingest_sourcetoken::text FROM ingest_sourcetoken")
        assert "canary" not in cursor.fetchone()[0]


def test_a_token_of_earlier_credentials_is_not_used(store: SourceTokens, source: Source) -> None:
    store.keep(Token(access="old"))
    assert SourceTokens(source.pk, credentials={**source.credentials, "client_id": "x"}).held() is None


def test_a_worker_with_old_credentials_does_not_mark_the_source_with_new_ones(
    store: SourceTokens, source: Source
) -> None:
    Source.objects.filter(pk=source.pk).update(credentials={"new": "ones"})

    def refuse(held: Token | None) -> Token:
        raise NeedsReconnect("used up")

    with pytest.raises(NeedsReconnect):
        store.renew(None, refuse)
    source.refresh_from_db()
    assert source.needs_reconnect_since is None
