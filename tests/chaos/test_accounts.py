"""The accounts of the strict world find each thing that could be wrong, and forgive only what was lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.models import CollectionJob, ReportRun, Source, SourceStream
from sandbox.messages import Request, json_answer
from sandbox.oauth_rules import Client, Rules
from tests.chaos import accounts
from tests.chaos.accounts import Blow
from tests.chaos.journal import Journal
from tests.chaos.strict_client import Seen
from tests.chaos.strict_tokens import Use, WatchedOAuth

CLIENT = Client(client_id="app", client_secret="secret")


def use(token: str, at: float, **more: Any) -> Use:
    return Use(token=token, at=at, **{"is_granted": True, **more})


def blow(whom: str, begin: float, end: float) -> Blow:
    return Blow(whom, f"freeze {whom}", begin, end)


def told(uses: list[Use], *struck: Blow) -> list[str]:
    return [str(one) for one in accounts.shown_twice("vault", uses, list(struck))]


def test_each_token_once_is_right() -> None:
    assert told([use("a", 1), use("b", 2)]) == []


def test_a_token_shown_again_is_found() -> None:
    [line] = told([use("a", 100), use("a", 100.3)])
    assert "refresh token a shown again 0.30 s later" in line


def test_a_token_refused_before_may_be_shown_again() -> None:
    assert told([use("a", 100, is_granted=False), use("a", 110)]) == []


@pytest.mark.parametrize("struck", [blow("worker-1", 99, 99), blow("postgres link", 90, 101)])
def test_it_is_forgiven_where_the_answer_was_lost(struck: Blow) -> None:
    assert told([use("a", 100), use("a", 105)], struck) == []
    assert told([use("a", 100, is_lost=True), use("a", 105)]) == []


@pytest.mark.parametrize(
    "struck", [blow("worker-1", 90, 95), blow("worker-1", 106, 107), blow("beat", 100, 101)]
)
def test_it_is_not_forgiven_for_what_happened_elsewhere_or_at_another_time(struck: Blow) -> None:
    assert len(told([use("a", 100), use("a", 105)], struck)) == 1


def test_calls_too_many_are_forgiven_as_far_as_redis_was_struck() -> None:
    struck = [blow("redis", 100, 102), blow("worker-1", 200, 202)]
    assert list(accounts.too_many_calls([101.0] * accounts.CALLS_AT_ONCE, struck)) == []
    assert len(list(accounts.too_many_calls([101.0] * (accounts.CALLS_AT_ONCE + 1), struck))) == 1
    assert len(list(accounts.too_many_calls([99.0, 201.0], struck))) == 2


@pytest.mark.django_db
def test_a_mark_without_a_revocation_is_found(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events.jsonl")
    journal.note("reconnect", source="vault", revoked=True, reason="used up")
    assert list(accounts.wrongly_marked(journal)) == []
    journal.note("reconnect", source="vault", revoked=False, reason="refused")
    [line] = accounts.wrongly_marked(journal)
    assert "was not revoked, but: refused" in str(line)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "rows", "attempt", "said"),
    [
        ("DOWNLOADED", 5, 2, ""),
        ("FAILED", 3, 1, ""),
        ("DOWNLOADED", 4, 1, "4 of 5 rows"),
        ("DOWNLOADED", 6, 1, "6 of 5 rows"),
        ("READY", 5, 1, "is still READY"),
        ("DOWNLOADED", 5, 3, "attempt 3"),
    ],
)
def test_reports_are_accounted_for(state: str, rows: int, attempt: int, said: str) -> None:
    source = Source.objects.create(name="office", connector="rest")
    stream = SourceStream.objects.create(source=source, name="report", kind="record", page_size=10)
    job = CollectionJob.objects.create(source=source, stream=stream, status="SUCCEEDED")
    ReportRun.objects.create(
        source=source,
        stream=stream,
        job=job,
        external_id="rep_1",
        state=state,
        rows=rows,
        attempt=attempt,
        started_at="2026-01-01T00:00:00Z",
    )
    found = [
        str(one) for one in accounts.reports_amiss(Seen(uses={}, refused=[], rows={"rep_1": 5}, betrayed=0))
    ]
    assert len(found) == bool(said)
    assert all(said in line for line in found)


@pytest.mark.django_db
def test_a_key_sent_along_for_a_file_is_found() -> None:
    assert len(list(accounts.reports_amiss(Seen(uses={}, refused=[], rows={}, betrayed=1)))) == 1


def test_the_watched_server_writes_down_what_became_of_each_token() -> None:
    oauth = WatchedOAuth(CLIENT, clock=lambda: 5.0, rules=Rules(), seed=1)
    oauth.is_restless = False
    first = oauth.consent()
    heard = [oauth.token(refresh(first)) for _ in range(2)]
    oauth.take_back(heard[0])
    assert [answer.status for answer in heard] == [200, 400]
    assert [(one.is_granted, one.is_lost) for one in oauth.told()] == [(True, True), (False, False)]
    assert oauth.is_revoked(first)
    assert not oauth.is_revoked(oauth.consent())
    assert json_answer(oauth.told()).body.count(first.encode()) == 0


def refresh(token: str) -> Request:
    form = f"grant_type=refresh_token&refresh_token={token}&client_id=app&client_secret=secret"
    return Request(
        method="POST", path="/token", query={}, headers={}, body=form.encode(), origin="", client="127.0.0.1"
    )
