"""The settings that reliability rests on, and the habits of the source that go with them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.db import connection

from syncproject import pipeline
from syncproject.celery import app

PROJECT = Path(__file__).resolve().parents[1]
SOURCE = sorted(
    file
    for floor in ("syncproject", "metrics", "ingest", "connectors")
    for file in (PROJECT / floor).rglob("*.py")
)
TASKS = {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_serializer", "json"),
        ("result_serializer", "json"),
        ("accept_content", ["json"]),
        ("task_ignore_result", True),
        ("result_backend", None),
        ("task_acks_late", True),
        ("task_reject_on_worker_lost", False),
        ("task_acks_on_failure", True),
        ("task_acks_on_timeout", True),
        ("worker_prefetch_multiplier", 1),
        ("task_soft_time_limit", 90),
        ("task_time_limit", 120),
        ("task_track_started", False),
        ("task_send_sent_event", False),
        ("worker_send_task_events", True),
        ("broker_connection_retry_on_startup", True),
        ("broker_connection_max_retries", None),
        ("worker_cancel_long_running_tasks_on_connection_loss", False),
        ("worker_soft_shutdown_timeout", 20),
        ("worker_enable_soft_shutdown_on_idle", False),
        ("worker_max_tasks_per_child", 500),
        ("worker_max_memory_per_child", 400_000),
        ("worker_pool", "prefork"),
        ("enable_utc", True),
        ("timezone", "UTC"),
        ("visibility_timeout", 300),
    ],
)
def test_celery_is_set_as_measured(name: str, value: Any) -> None:
    assert app.conf[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("visibility_timeout", 300),
        ("unacked_restore_interval", 5),
        ("unacked_restore_throttle", 1),
        ("socket_timeout", 10),
        ("socket_connect_timeout", 2),
        ("socket_keepalive", True),
        ("health_check_interval", 5),
        ("retry_on_timeout", False),
        ("max_retries", 0),
    ],
)
def test_the_connection_to_the_broker_is_set_as_measured(name: str, value: Any) -> None:
    assert app.conf.broker_transport_options[name] == value


def test_no_running_task_is_delivered_again() -> None:
    assert app.conf.visibility_timeout > 2 * app.conf.task_time_limit
    assert app.conf.result_backend_transport_options["visibility_timeout"] == app.conf.visibility_timeout
    assert settings.SLICE_SECONDS < app.conf.task_soft_time_limit < app.conf.task_time_limit


def test_a_lease_outlives_the_longest_silence_of_a_healthy_fetch() -> None:
    assert settings.LEASE_SECONDS > 30


def test_publishing_never_waits() -> None:
    assert app.conf.task_publish_retry is False


def test_beat_ticks_by_a_static_schedule_whose_messages_expire() -> None:
    assert app.conf.beat_scheduler == "celery.beat:PersistentScheduler"
    tick = app.conf.beat_schedule["tick"]
    assert (tick["task"], tick["schedule"]) == (pipeline.tick.name, 5.0)
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in TASKS
        assert not isinstance(entry["schedule"], crontab)
        assert not entry.get("args")
        assert not entry.get("kwargs")
        assert entry["options"]["expires"]


def test_every_task_has_a_queue_that_workers_listen_to() -> None:
    routed = {
        name: app.conf.task_routes.get(name, {}).get("queue", app.conf.task_default_queue) for name in TASKS
    }

    assert set(routed.values()) <= set(settings.QUEUES)
    assert routed[pipeline.fetch_page.name] == "fetch"
    assert routed[pipeline.upsert_batch.name] == "upsert"
    assert routed[pipeline.aggregate_metrics.name] == "metrics"


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_task_takes_a_job_id_and_nothing_else(name: str) -> None:
    """The broker carries no payload; unknown words of older or newer releases are let pass."""
    named = {}
    for parameter in inspect.signature(TASKS[name].run).parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            named[parameter.name] = (parameter.annotation, parameter.kind)
    assert inspect.getfullargspec(TASKS[name].run).varkw is not None
    assert named in ({}, {"job_id": ("int", inspect.Parameter.KEYWORD_ONLY)})


def test_a_chain_carries_the_jobs_id_and_no_result() -> None:
    links = pipeline.page_chain(7).tasks

    assert [link.task for link in links] == [
        pipeline.fetch_page.name,
        pipeline.upsert_batch.name,
        pipeline.aggregate_metrics.name,
    ]
    assert all((link.args, link.kwargs, link.immutable) == ((), {"job_id": 7}, True) for link in links)


@pytest.mark.django_db
def test_a_message_about_a_job_that_is_not_there_does_nothing() -> None:
    for task in (pipeline.fetch_page, pipeline.upsert_batch, pipeline.aggregate_metrics):
        task(job_id=2**40, word_of_another_release=True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "1min"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("TimeZone", "UTC"),
    ],
)
def test_postgresql_gives_up_in_time(name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        assert cursor.fetchone() == (value,)


def test_a_link_to_postgresql_that_is_half_open_is_noticed() -> None:
    options = connection.settings_dict["OPTIONS"]

    assert (options["keepalives_idle"], options["keepalives_interval"], options["keepalives_count"]) == (
        30,
        10,
        3,
    )
    assert (options["connect_timeout"], options["tcp_user_timeout"]) == (5, 30_000)
    assert connection.settings_dict["CONN_HEALTH_CHECKS"] is True
    assert connection.settings_dict["ATOMIC_REQUESTS"] is False


def test_the_web_refuses_what_is_too_large_or_framed() -> None:
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 1024 * 1024
    assert settings.X_FRAME_OPTIONS == "DENY"
    assert settings.DEBUG is False


# The source


def nodes(kind: type[ast.AST]) -> Iterator[tuple[Path, Any]]:
    for file in SOURCE:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, kind):
                yield file, node


def place(file: Path, node: Any) -> str:
    return f"{file.relative_to(PROJECT)}:{node.lineno}"


def test_nothing_waits_in_the_broker() -> None:
    """A message with an eta is delivered again and again once it waits longer than the visibility timeout."""
    waiting = [
        place(file, call)
        for file, call in nodes(ast.Call)
        if {keyword.arg for keyword in call.keywords} & {"countdown", "eta", "retry_backoff", "autoretry_for"}
    ]
    assert waiting == []


def test_no_task_retries_itself() -> None:
    retrying = [
        place(file, call)
        for file, call in nodes(ast.Call)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "retry"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in ("self", "task")
    ]
    assert retrying == []


def test_no_message_is_a_group_or_waits_for_a_result() -> None:
    canvas = [
        place(file, node)
        for file, node in nodes(ast.ImportFrom)
        if node.module == "celery" and {name.name for name in node.names} & {"group", "chord"}
    ]
    assert canvas == []


def test_messages_are_sent_from_the_pipeline_only() -> None:
    senders = {
        file.relative_to(PROJECT).as_posix()
        for file, call in nodes(ast.Call)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("apply_async", "delay", "send_task", "delay_on_commit")
    }
    assert senders == {"syncproject/pipeline.py"}


def test_the_checks_read_the_source() -> None:
    assert len(SOURCE) > 40
    assert any(
        call.func.attr == "apply_async" for _, call in nodes(ast.Call) if isinstance(call.func, ast.Attribute)
    )
